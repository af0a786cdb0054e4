/** So many messages within each window, at most: of one consumer, by the clock of its process. */
import { invalidOption } from '@troupe/core'

export interface RateLimit {
  /** Messages within a window. */
  readonly max: number
  /** Length of a window. */
  readonly perMs: number
}

export class RateGate {
  readonly #limit: RateLimit
  #beganMs = Number.NEGATIVE_INFINITY
  #count = 0

  /** @throws RaftError INVALID_OPTIONS */
  constructor(limit: RateLimit) {
    const { max, perMs } = limit
    if (!(Number.isSafeInteger(max) && max > 0 && perMs > 0))
      throw invalidOption('rate', limit, '{ max, perMs }, both positive')
    this.#limit = limit
  }

  /** Resolves when one more may go. Called by one at a time. */
  async pass(signal: AbortSignal): Promise<void> {
    for (;;) {
      const leftMs = this.#beganMs + this.#limit.perMs - performance.now()
      if (leftMs <= 0) {
        this.#beganMs = performance.now()
        this.#count = 0
      }
      if (this.#count < this.#limit.max || signal.aborted) break
      await passed(leftMs, signal)
    }
    this.#count++
  }
}

/** Resolves after so long, or when the signal is aborted. */
export function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}
