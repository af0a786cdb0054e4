import type { OutputStream } from '@troupe/benchmarks'
import type { SimTaskResult } from './worker.ts'

type Verdict = SimTaskResult['verdict']

/** What many seeds came to, and a line that tells of it while they run. */
export class Tally {
  readonly #total: number
  readonly #out: OutputStream
  readonly #startMs: number
  #shownMs: number
  #done = 0
  #events = 0
  readonly #coverage: Record<string, number> = {}
  readonly #failures: SimTaskResult[] = []
  readonly #unknown: number[] = []

  constructor(total: number, out: OutputStream, nowMs: number) {
    this.#total = total
    this.#out = out
    this.#startMs = nowMs
    this.#shownMs = nowMs
  }

  /** Of all seeds together; `unknown` where none has run. */
  get verdict(): Verdict {
    if (this.#failures.length > 0) return 'fail'
    return this.#unknown.length > 0 || this.#done === 0 ? 'unknown' : 'pass'
  }

  add(result: SimTaskResult, nowMs: number): void {
    this.#done++
    this.#events += result.events
    for (const [name, count] of Object.entries(result.coverage)) {
      this.#coverage[name] = (this.#coverage[name] ?? 0) + count
    }
    if (result.verdict === 'unknown') this.#unknown.push(result.seed)
    if (result.verdict === 'fail') {
      this.#failures.push(result)
      this.#clearLine()
      this.#out.write(`${describeFailure(result)}\n`)
    }
    this.#show(nowMs)
  }

  #show(nowMs: number): void {
    const isTerminal = this.#out.isTTY === true
    if (nowMs - this.#shownMs < (isTerminal ? 100 : 5000)) return
    this.#shownMs = nowMs
    const line = this.#progress(nowMs)
    this.#out.write(isTerminal ? `\r\u001b[2K${line}` : `${line}\n`)
  }

  #clearLine(): void {
    if (this.#out.isTTY === true) this.#out.write('\r\u001b[2K')
  }

  #progress(nowMs: number): string {
    const seconds = (nowMs - this.#startMs) / 1000
    const leftSeconds = ((this.#total - this.#done) * seconds) / Math.max(1, this.#done)
    const share = this.#done / this.#total
    const bar = '█'.repeat(Math.round(share * 24)).padEnd(24, '░')
    const rates = `${(this.#done / seconds).toFixed(1)} seeds/s, ${Math.round(this.#events / seconds)} events/s`
    const failed = this.#failures.length === 0 ? '' : `, ${this.#failures.length} failed`
    return `${bar} ${this.#done} of ${this.#total}${failed}, ${rates}, ${Math.ceil(leftSeconds)} s left`
  }

  /** The last lines. */
  finish(nowMs: number): void {
    this.#clearLine()
    const seconds = (nowMs - this.#startMs) / 1000
    const passed = this.#done - this.#failures.length - this.#unknown.length
    const counts = `${passed} passed, ${this.#failures.length} failed, ${this.#unknown.length} unknown`
    const rates = `${(this.#done / seconds).toFixed(1)} seeds/s, ${Math.round(this.#events / seconds)} events/s`
    this.#out.write(
      `${this.#done} of ${this.#total} seeds in ${seconds.toFixed(1)} s: ${counts} (${rates})\n`,
    )
    if (this.#unknown.length > 0) this.#out.write(`unknown: ${this.#unknown.join(' ')}\n`)
    const reached = Object.entries(this.#coverage).map(([name, count]) => `${name} ${count}`)
    this.#out.write(`${reached.join(', ')}\n`)
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
