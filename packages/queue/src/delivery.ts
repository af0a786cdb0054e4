import { type Delivery as Delivered, type Handle, HandleFault, queueCommands } from '@troupe/machines'
import { handleError } from './queue-errors.ts'
import type { Settlements } from './settlements.ts'

export interface NackOptions {
  /** How long it waits. @default the backoff of the message, or of the queue */
  readonly delayMs?: number
  /** Kept with a message that dies of it. @default '' */
  readonly reason?: string
}

const NO_HEADERS: Readonly<Record<string, unknown>> = Object.freeze({})

/** A message in the hands of a consumer, until it is settled or its lease ends. */
export class Delivery<T> {
  readonly data: T
  readonly id: string | undefined
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, unknown>>
  /** Where it stands among all messages of the cluster. */
  readonly position: number
  /** How many times it was delivered, this time included. */
  readonly deliveries: number
  readonly #consumer: number
  readonly #handle: Handle
  readonly #settlements: Settlements
  #isSettled = false
  #lost: AbortController | undefined
  #isLost = false

  constructor(consumer: number, delivered: Delivered, settlements: Settlements) {
    // By their places: taken apart as lists they cost more than all the rest.
    const message = delivered[5]
    this.data = message[0] as T
    this.id = (message[1] as string | null | undefined) ?? undefined
    this.key = (message[2] as string | null | undefined) ?? undefined
    this.headers = (message[8] as Record<string, unknown> | null | undefined) ?? NO_HEADERS
    this.position = delivered[1]
    this.deliveries = delivered[3]
    this.#consumer = consumer
    this.#handle = [delivered[0], delivered[1], delivered[2]]
    this.#settlements = settlements
  }

  /** What the machine knows it by. */
  get handle(): Handle {
    return this.#handle
  }

  /** Whether ack, nack or term was called. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  /**
   * Aborted when the lease is known to have ended although nobody settled it: the message is, or will be, somebody else's. Made when it
   * is first asked for.
   */
  get signal(): AbortSignal {
    this.#lost ??= new AbortController()
    if (this.#isLost) this.#lost.abort(handleError(HandleFault.notHeld))
    return this.#lost.signal
  }

  /** Whose consumer it is. */
  get settlements(): Settlements {
    return this.#settlements
  }

  /** The lease has ended. */
  lose(): void {
    this.#isLost = true
    this.#lost?.abort(handleError(HandleFault.notHeld))
  }

  /**
   * Done: it is never delivered again once this has resolved. Acks of one turn go together.
   * @param result for whoever waits for the receipt's `result()`
   * @throws QueueError ALREADY_SETTLED, LEASE_ENDED; RaftError
   */
  ack(result?: unknown): Promise<void> {
    this.#isSettled = true
    return this.#settlements.ack(this.#handle, result)
  }

  /** A failure: delivered again later, or dead after its last attempt. @throws as `ack` */
  nack({ delayMs, reason = '' }: NackOptions = {}): Promise<void> {
    this.#isSettled = true
    return this.#settlements.one(queueCommands.nack(this.#consumer, [this.#handle], delayMs ?? null, reason))
  }

  /** Dead at once, with the reason. @throws as `ack` */
  term(reason: string): Promise<void> {
    this.#isSettled = true
    return this.#settlements.one(queueCommands.term(this.#consumer, [this.#handle], reason))
  }

  /**
   * Says how far it is, for whoever asks by `queue.get(id)`: up to 4 KiB, the latest counts. A sign of life too.
   * @throws as `ack`; QueueError BAD_COMMAND where it is too large
   */
  progress(value: unknown): Promise<void> {
    return this.#settlements.progress(this.#handle, value)
  }

  /** Its lease begins anew. @throws as `ack` */
  extend(leaseMs: number): Promise<void> {
    return this.#settlements.one(queueCommands.extend(this.#consumer, [this.#handle], leaseMs))
  }
}
