/** Latencies of a whole run, which can be looked at lap by lap while it goes on. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { type LatencySummary, summarizeHistogram } from '../latency.ts'

export class LapHistogram {
  readonly #total = createHistogram()
  readonly #lap = createHistogram()

  /** @param ns at least 1 */
  record(ns: number): void {
    this.#lap.record(ns)
  }

  /** What was recorded since the last call. */
  lap(): LatencySummary {
    const summary = summarizeHistogram(this.#lap)
    this.#close()
    return summary
  }

  /** Everything that was recorded. */
  total(): RecordableHistogram {
    this.#close()
    return this.#total
  }

  #close(): void {
    if (this.#lap.count > 0) this.#total.add(this.#lap)
    this.#lap.reset()
  }
}
