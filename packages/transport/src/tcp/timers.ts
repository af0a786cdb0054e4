/** Timers as a parameter, so that tests need not wait for them. */
export interface Timers {
  /** Calls back once, from the event loop, after `ms`. */
  set(callback: () => void, ms: number): unknown
  /** Takes back what `set` gave; does nothing where that was called already. */
  clear(timer: unknown): void
}

/** Those of Node.js. A timer alone keeps no process alive: connections and listeners do. */
export const nodeTimers: Timers = {
  set: (callback, ms) => setTimeout(callback, ms).unref(),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

/** Calls back again and again until it is stopped. Late calls are not made up for. */
export class Ticker {
  readonly #timers: Timers
  readonly #intervalMs: number
  readonly #onTick: () => void
  #timer: unknown
  #isStopped = false

  constructor(timers: Timers, intervalMs: number, onTick: () => void) {
    this.#timers = timers
    this.#intervalMs = intervalMs
    this.#onTick = onTick
    this.#arm()
  }

  stop(): void {
    this.#isStopped = true
    this.#timers.clear(this.#timer)
  }

  #arm(): void {
    this.#timer = this.#timers.set(() => {
      if (this.#isStopped) return
      this.#arm()
      this.#onTick()
    }, this.#intervalMs)
  }
}
