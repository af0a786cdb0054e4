/** A handler that is called for each message: as many at once as it may, with retries, drained at the end. */
import type { Delivery } from './delivery.ts'
import type { Subscription } from './subscription.ts'

/** Its result goes to whoever waits for it; what it throws is a nack. */
export type Handler<T> = (delivery: Delivery<T>, signal: AbortSignal) => unknown

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export class Worker<T> {
  readonly #subscription: Subscription<T>
  readonly #handler: Handler<T>
  readonly #leaseMs: number
  readonly #abort = new AbortController()
  readonly #loops: Promise<void>[]
  #closing: Promise<void> | undefined

  constructor(subscription: Subscription<T>, handler: Handler<T>, concurrency: number, leaseMs: number) {
    this.#subscription = subscription
    this.#handler = handler
    this.#leaseMs = leaseMs
    this.#loops = Array.from({ length: concurrency }, () => this.#loop())
  }

  /** Rejects where the queue cannot be consumed any more; resolves after {@link close}. */
  get done(): Promise<void> {
    return Promise.all(this.#loops).then(() => {})
  }

  async #loop(): Promise<void> {
    for (;;) {
      const next = await this.#subscription.next()
      if (next.done === true) return
      await this.#handle(next.value)
    }
  }

  async #handle(delivery: Delivery<T>): Promise<void> {
    const extend = setInterval(
      () => void delivery.extend(this.#leaseMs).catch(() => {}),
      Math.max(1, Math.floor(this.#leaseMs / 3)),
    )
    try {
      const result = await this.#handler(delivery, this.#abort.signal)
      if (!delivery.isSettled) await delivery.ack(result ?? null)
    } catch (error) {
      // A lost lease is told to nobody: the message comes again.
      if (!delivery.isSettled) await delivery.nack({ reason: messageOf(error) }).catch(() => {})
    } finally {
      clearInterval(extend)
    }
  }

  /**
   * Drains: takes nothing more, waits for the handlers that run, gives back what was not begun. Idempotent.
   * @param isAborted tells the handlers that run by their signal
   */
  close(isAborted = false): Promise<void> {
    if (isAborted) this.#abort.abort()
    this.#closing ??= this.#drain()
    return this.#closing
  }

  async #drain(): Promise<void> {
    await this.#subscription.stop()
    await Promise.allSettled(this.#loops)
    await this.#subscription.return()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
