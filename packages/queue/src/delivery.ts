import {
  type Delivery as Delivered,
  type Handle,
  HandleFault,
  type QueueMessage,
  queueCommands,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import { handleError } from './queue-errors.ts'
import type { Settlements } from './settlements.ts'

export interface NackOptions {
  /** How long it waits. @default the backoff of the message, or of the queue */
  readonly delayMs?: number
  /** Kept with a message that dies of it. @default '' */
  readonly reason?: string
}

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
    const [slot, position, delivery, deliveries, , message] = delivered
    const [data, id, key, , , , , , headers] = codec.decode(message) as QueueMessage
    this.data = data as T
    this.id = (id as string | null) ?? undefined
    this.key = (key as string | null) ?? undefined
    this.headers = (headers as Record<string, unknown> | null) ?? {}
    this.position = position
    this.deliveries = deliveries
    this.#consumer = consumer
    this.#handle = [slot, position, delivery]
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
