/** Longer delays make Node fire at once, with a warning. */
const MAX_DELAY_MS = 2 ** 31 - 1

/**
 * One timer for an ever-moving deadline. It is set again only when the deadline comes nearer; when it moves away,
 * as with every heartbeat, the timer fires early once and is set anew: cheaper than a timer for each turn.
 */
export class WakeTimer {
  readonly #wake: () => void
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY

  constructor(wake: () => void) {
    this.#wake = wake
  }

  /** Makes sure that `wake` is called at `deadlineMs` at the latest (to the millisecond), or soon after. */
  arm(deadlineMs: number, nowMs: number): void {
    if (deadlineMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueMs = deadlineMs
    if (deadlineMs === Number.POSITIVE_INFINITY) return
    const delayMs = Math.min(MAX_DELAY_MS, Math.max(0, Math.ceil(deadlineMs - nowMs)))
    this.#timer = setTimeout(() => this.#fire(), delayMs)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#wake()
  }
}
