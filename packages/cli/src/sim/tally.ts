import type { OutputStream } from '@troupe/benchmarks'
import { Progress } from './progress.ts'
import type { SimTaskResult } from './worker.ts'

type Verdict = SimTaskResult['verdict']

/** What many seeds came to, and a line that tells of it while they run. */
export class Tally {
  readonly #total: number
  readonly #progress: Progress
  #done = 0
  #events = 0
  readonly #coverage: Record<string, number> = {}
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
    }
  }
}

function describeFailure({ seed, failure, isDeterministic, reproduce }: SimTaskResult): string {
  if (!isDeterministic) return `seed ${seed}: two runs differ\n  ${reproduce}`
  return `seed ${seed}: ${failure?.invariant}: ${failure?.message}\n  ${reproduce}`
}
