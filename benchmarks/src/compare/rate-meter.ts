import { formatNumber } from '../terminal/format.ts'

const MS_PER_S = 1000

/** The rate between one total and the next, for the progress bar. */
export class RateMeter {
  readonly #nowMs: () => number
  #last: { readonly atMs: number; readonly total: number } | undefined

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** Nothing for the first total: there is no rate yet. */
  note(total: number): string {
    const atMs = this.#nowMs()
    const last = this.#last
    this.#last = { atMs, total }
    if (last === undefined || atMs <= last.atMs) return ''
    return `${formatNumber(((total - last.total) / (atMs - last.atMs)) * MS_PER_S)} op/s`
  }
}
