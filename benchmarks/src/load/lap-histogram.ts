/** Latencies of a whole run, which can be looked at lap by lap while it goes on. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { type LatencySummary, summarizeHistogram } from '../latency.ts'

export class LapHistogram {
  readonly #total = createHistogram()
  readonly #lap = createHistogram()
  /** Of what is not measured: shown over time, and in no total. */
  readonly #aside = createHistogram()

  /** @param ns at least 1 */
  record(ns: number): void {
    this.#lap.record(ns)
  }

  /** Before or after what is measured. @param ns at least 1 */
  recordAside(ns: number): void {
    this.#aside.record(ns)
  }

  /** What was recorded since the last call, measured or not. */
  lap(): LatencySummary {
    this.#aside.add(this.#lap)
    const summary = summarizeHistogram(this.#aside)
    this.#aside.reset()
    this.#close()
    return summary
  }

  /** Everything that was recorded, but for what was aside. */
  total(): RecordableHistogram {
    this.#close()
    return this.#total
  }

  #close(): void {
    if (this.#lap.count > 0) this.#total.add(this.#lap)
    this.#lap.reset()
  }
}
