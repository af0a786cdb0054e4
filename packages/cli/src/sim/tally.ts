import type { OutputStream } from '@troupe/benchmarks'
import { aligned } from '../output.ts'
import { Progress } from '../progress.ts'
import type { SimTaskResult } from './worker.ts'

type Verdict = SimTaskResult['verdict']

/** How many seeds reached a situation, and how often all of them together did. */
interface Reached {
  runs: number
  times: number
}

/** What many seeds came to, and a line that tells of it while they run. */
export class Tally {
  readonly #total: number
  readonly #progress: Progress
  #done = 0
  #events = 0
  readonly #coverage: Record<string, number> = {}
  readonly #situations: Record<string, Reached> = {}
  readonly #failures: SimTaskResult[] = []
  readonly #unknown: number[] = []

  constructor(total: number, out: OutputStream) {
    this.#total = total
    this.#progress = new Progress(out)
  }

  /** Of all seeds together; `unknown` where none has run. */
  get verdict(): Verdict {
    if (this.#failures.length > 0) return 'fail'
    return this.#unknown.length > 0 || this.#done === 0 ? 'unknown' : 'pass'
  }

  add(result: SimTaskResult): void {
    this.#done++
    this.#events += result.events
    for (const [name, count] of Object.entries(result.coverage)) {
      this.#coverage[name] = (this.#coverage[name] ?? 0) + count
    }
    for (const [name, count] of Object.entries(result.situations)) {
      const { runs, times } = this.#situations[name] ?? { runs: 0, times: 0 }
      this.#situations[name] = { runs: runs + Math.min(1, count), times: times + count }
    }
    if (result.verdict === 'unknown') this.#unknown.push(result.seed)
    if (result.verdict === 'fail') {
      this.#failures.push(result)
      this.#progress.write(`${describeFailure(result)}\n`)
    }
    const failed = this.#failures.length === 0 ? '' : `, ${this.#failures.length} failed`
    this.#progress.show(
      this.#done / this.#total,
      `${this.#done} of ${this.#total}${failed}, ${this.#rates()}`,
    )
  }

  #rates(): string {
    const { seconds } = this.#progress
    return `${(this.#done / seconds).toFixed(1)} seeds/s, ${Math.round(this.#events / seconds)} events/s`
  }

  /** The last lines. */
  finish(): void {
    const passed = this.#done - this.#failures.length - this.#unknown.length
    const counts = `${passed} passed, ${this.#failures.length} failed, ${this.#unknown.length} unknown`
    const ran = `${this.#done} of ${this.#total} seeds in ${this.#progress.seconds.toFixed(1)} s`
    this.#progress.write(`${ran}: ${counts} (${this.#rates()})\n`)
    if (this.#unknown.length > 0) this.#progress.write(`unknown: ${this.#unknown.join(' ')}\n`)
    const reached = Object.entries(this.#coverage).map(([name, count]) => `${name} ${count}`)
    this.#progress.write(`${reached.join(', ')}\n`)
    if (this.#done > 0) this.#progress.write(`\n${this.#situationTable()}`)
  }

  /** The dangerous places: one that no seed has reached is a gap in the faults. */
  #situationTable(): string {
    const all = Object.entries(this.#situations)
    const rows = all
      .filter(([, { runs }]) => runs > 0)
      .map(([name, { runs, times }]) => [name, `${runs}`.padStart(4), `${times}`.padStart(8)])
    const never = all.filter(([, { runs }]) => runs === 0).map(([name]) => name)
    const last = never.length === 0 ? 'none was missed' : `never: ${never.join('; ')}`
    return `${aligned([['situation', 'runs', '   times'], ...rows])}${last}\n`
  }

  /** As a value, for `--json`. */
  report(): Readonly<Record<string, unknown>> {
    return {
      verdict: this.verdict,
      seeds: this.#done,
      events: this.#events,
      failures: this.#failures,
      unknown: this.#unknown,
      coverage: this.#coverage,
      situations: this.#situations,
    }
  }
}

function describeFailure({ seed, failure, isDeterministic, reproduce }: SimTaskResult): string {
  if (!isDeterministic) return `seed ${seed}: two runs differ\n  ${reproduce}`
  return `seed ${seed}: ${failure?.invariant}: ${failure?.message}\n  ${reproduce}`
}
