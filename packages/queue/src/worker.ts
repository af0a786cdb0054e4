/**
 * A handler that is called for each message: as many at once as it may, with retries, drained at the end.
 *
 *     subscription ─► one loop ─► up to `concurrency` handlers ─► ack, nack
 *                                     └─ a timer for all of them: their leases begin anew
 */
import type { Delivery } from './delivery.ts'
import { extendAll } from './leases.ts'
import type { Settlements } from './settlements.ts'
import type { Subscription } from './subscription.ts'

/**
 * Its result goes to whoever waits for it; what it throws is a nack. `signal`: the worker is told to stop at once. Of one message's lost
 * lease `delivery.signal` tells.
 */
export type Handler<T> = (delivery: Delivery<T>, signal: AbortSignal) => unknown

/** How long a message waits after a failure, by how many times it was delivered and by what was thrown; undefined: as the message or queue says. */
export type CustomBackoff = (deliveries: number, error: unknown) => number | undefined

export interface WorkerOptions {
  readonly concurrency: number
  readonly leaseMs: number
  readonly backoff?: CustomBackoff | undefined
  /** Once it is closed. */
  readonly onClosed?: (() => Promise<void>) | undefined
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export class Worker<T> {
  readonly #subscription: Subscription<T>
  readonly #handler: Handler<T>
  readonly #options: WorkerOptions
  readonly #abort = new AbortController()
  readonly #running = new Map<Delivery<T>, Promise<void>>()
  readonly #life: NodeJS.Timeout
  readonly #loop: Promise<void>
  #concurrency: number
  /** Wakes the loop that waits for a handler to end. */
  #hasRoom: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(subscription: Subscription<T>, handler: Handler<T>, options: WorkerOptions) {
    this.#subscription = subscription
    this.#handler = handler
    this.#options = options
    this.#concurrency = options.concurrency
    this.#life = setInterval(() => this.#extend(), Math.max(1, Math.floor(options.leaseMs / 3)))
    this.#loop = this.#run()
    // Whoever wants to know asks by `done`.
    this.#loop.catch(() => {})
  }

  /** Rejects where the queue cannot be consumed any more; resolves after {@link close}. */
  get done(): Promise<void> {
    return this.#loop.then(async () => {
      await Promise.all(this.#running.values())
    })
  }

  /** Handlers that may run at the same time. */
  get concurrency(): number {
    return this.#concurrency
  }

  /** With fewer, those that run are not disturbed. */
  set concurrency(concurrency: number) {
    this.#concurrency = concurrency
    this.#hasRoom?.()
  }

  /** Handlers that run now. */
  get running(): number {
    return this.#running.size
  }

  async #run(): Promise<void> {
    for (;;) {
      while (this.#running.size >= this.#concurrency) await this.#room()
      const next = await this.#subscription.next()
      if (next.done === true) return
      const delivery = next.value
      this.#running.set(delivery, this.#handle(delivery))
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#hasRoom = resolve
    })
  }

  async #handle(delivery: Delivery<T>): Promise<void> {
    try {
      const result = await this.#handler(delivery, this.#abort.signal)
      if (!delivery.isSettled) await delivery.ack(result ?? null)
    } catch (error) {
      // A lost lease is told to nobody: the message comes again.
      if (!delivery.isSettled) await this.#fail(delivery, error).catch(() => {})
    } finally {
      this.#running.delete(delivery)
      this.#hasRoom?.()
    }
  }

  async #fail(delivery: Delivery<T>, error: unknown): Promise<void> {
    const delayMs = this.#options.backoff?.(delivery.deliveries, error)
    await delivery.nack({ reason: messageOf(error), ...(delayMs === undefined ? {} : { delayMs }) })
  }

  /** Those that run keep their leases, each consumer's by one command. */
  #extend(): void {
    const byConsumer = new Map<Settlements, Delivery<T>[]>()
    for (const delivery of this.#running.keys()) {
      if (delivery.isSettled) continue
      const all = byConsumer.get(delivery.settlements)
      if (all === undefined) byConsumer.set(delivery.settlements, [delivery])
      else all.push(delivery)
    }
    for (const [settlements, all] of byConsumer) void extendAll(settlements, all, this.#options.leaseMs)
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
    this.concurrency = Number.POSITIVE_INFINITY
    await this.#loop.catch(() => {})
    await Promise.all(this.#running.values())
    clearInterval(this.#life)
    await this.#subscription.return()
    await this.#options.onClosed?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
