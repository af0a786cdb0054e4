import { invalidOption } from '@troupe/core'

/** How long to wait before the next attempt. */
export interface BackoffOptions {
  /** Wait after the first failure, in ms. @default 50 */
  readonly initialMs: number
  /** By what the wait grows with each further failure. @default 1.5 */
  readonly factor: number
  /** The longest wait, in ms. @default 2000 */
  readonly maxMs: number
}

export const defaultBackoff: BackoffOptions = Object.freeze({ initialMs: 50, factor: 1.5, maxMs: 2000 })

/**
 * Waits that grow exponentially, half of each chance: nodes that lost each other together do not come back in
 * lockstep. Pure: time is not asked, chance is a parameter.
 */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #failureCount = 0

  /**
   * @param random draws from [0, 1)
   * @throws RaftError INVALID_OPTIONS where a field is out of range
   */
  constructor(options: Partial<BackoffOptions>, random: () => number) {
    this.#options = { ...defaultBackoff, ...options }
    this.#random = random
    const { initialMs, factor, maxMs } = this.#options
    if (!(initialMs > 0)) throw invalidOption('backoff.initialMs', initialMs, 'a number above 0')
    if (!(factor >= 1)) throw invalidOption('backoff.factor', factor, 'a number of at least 1')
    if (!(maxMs >= initialMs))
      throw invalidOption('backoff.maxMs', maxMs, `at least initialMs (${initialMs})`)
  }

  /** The wait after one more failure: between half of the scheduled time and all of it. */
  nextMs(): number {
    const { initialMs, factor, maxMs } = this.#options
    const scheduledMs = Math.min(maxMs, initialMs * factor ** this.#failureCount)
    // Beyond this many the power would only overflow.
    this.#failureCount = Math.min(this.#failureCount + 1, 100)
    return scheduledMs * (0.5 + this.#random() / 2)
  }

  /** A success: the next failure is a first one. */
  reset(): void {
    this.#failureCount = 0
  }
}
