import type { OutputStream } from '@troupe/benchmarks'

const TERMINAL_MS = 100
const FILE_MS = 5000
const WIDTH = 24

/** A line that tells how far something is: rewritten on a terminal, now and then a new one elsewhere. */
export class Progress {
  readonly #out: OutputStream
  readonly #startMs: number
  #shownMs: number

  constructor(out: OutputStream) {
    this.#out = out
    this.#startMs = performance.now()
    this.#shownMs = this.#startMs
  }

  /** Since it began. */
  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000
  }

  /** @param share of all that is to be done, from 0 to 1 */
  show(share: number, text: string): void {
    const isTerminal = this.#out.isTTY === true
    const nowMs = performance.now()
    if (nowMs - this.#shownMs < (isTerminal ? TERMINAL_MS : FILE_MS)) return
    this.#shownMs = nowMs
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░')
    const left = share > 0 ? `, ${Math.ceil((this.seconds * (1 - share)) / share)} s left` : ''
    const line = `${bar} ${text}${left}`
    this.#out.write(isTerminal ? `\r\u001b[2K${line}` : `${line}\n`)
  }

  /** Writes something above it. */
  write(text: string): void {
    if (this.#out.isTTY === true) this.#out.write('\r\u001b[2K')
    this.#out.write(text)
  }
}
