/**
 * Sending: from data and options to a command, and from its result to receipts.
 *
 *     data ─► schema ─► message ─► one command ─► positions ─► receipts
 *                                     └─ QUEUE_FULL ─► waits for room, where it is told to
 */
import type { CallOptions } from '@troupe/cluster'
import { type Durability, invalidOption } from '@troupe/core'
import {
  type KeptResult,
  type MessageOptions,
  type QueueMessage,
  queueCommands,
  queueQueries,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import type { QueueCalls } from './queue-calls.ts'
import { invalidData, isRefused } from './queue-errors.ts'
import { type StandardSchema, validated } from './standard-schema.ts'

/** Of one message. */
export interface OutgoingOptions extends MessageOptions {
  /** Not before this time of day, by the clock of this process; it becomes a `delayMs`. */
  readonly at?: Date | number
}

/** A message with its options, for `sendMany`. */
export interface Outgoing<T> extends OutgoingOptions {
  readonly data: T
}

/** Of one call. */
export interface SendLimits {
  /**
   * What becomes of a send for which the queue has no room by its own bounds (`maxMessages`, `maxBytes`). `BUSY` is something else: this
   * client has too many commands without an answer, whatever the queue.
   * @default 'refuse': QUEUE_FULL
   */
  readonly whenFull?: 'refuse' | 'wait'
  /** Gives the call up: ABORTED where nothing was sent, else INDETERMINATE. */
  readonly signal?: AbortSignal
  /** For the command itself, not for the time that a full queue is waited for. @default the client's */
  readonly timeoutMs?: number
}

export interface SendOptions extends OutgoingOptions, SendLimits {}

/** A message that a quorum has. */
export interface Receipt {
  readonly position: number
  /** Whether an earlier one of the same id stands for it: then this is its position. */
  readonly duplicate: boolean
  /** How the nodes write before they acknowledge; undefined where they are of a release that does not tell. */
  readonly durability: Durability | undefined
  /**
   * What its handler returned. Waits.
   * @throws Error with the reason of its death; RaftError ABORTED by the signal
   */
  result(options?: { readonly signal?: AbortSignal }): Promise<unknown>
}

export interface ProducerOptions<T> {
  readonly schema: StandardSchema<T> | undefined
}

export class Producer<T> {
  readonly #calls: QueueCalls
  readonly #queue: string
  readonly #options: ProducerOptions<T>

  constructor(calls: QueueCalls, queue: string, options: ProducerOptions<T>) {
    this.#calls = calls
    this.#queue = queue
    this.#options = options
  }

  /** The way of single messages: nothing but two promises, the command and the receipt is made for it. */
  async sendOne(data: T, options: SendOptions): Promise<Receipt> {
    const { schema } = this.#options
    const message = messageOf(schema === undefined ? data : await validated(schema, data), options)
    const positions = await this.#propose([message], options)
    return this.#receipt(typeof positions === 'number' ? positions : (positions[0] as number))
  }

  async sendAll(all: readonly Outgoing<T>[], limits: SendLimits): Promise<Receipt[]> {
    const { schema } = this.#options
    const messages =
      schema === undefined
        ? all.map((each) => messageOf(each.data, each))
        : await Promise.all(all.map(async (each) => messageOf(await validated(schema, each.data), each)))
    const positions = await this.#propose(messages, limits)
    return messages.map((_, at) =>
      this.#receipt(typeof positions === 'number' ? positions + at : (positions[at] as number)),
    )
  }

  #propose(messages: readonly QueueMessage[], limits: SendLimits): Promise<number | number[]> {
    const command = queueCommands.send(this.#queue, messages)
    const { signal, timeoutMs, whenFull = 'refuse' } = limits
    const options =
      signal === undefined && timeoutMs === undefined
        ? undefined
        : { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
    if (whenFull === 'wait') return this.#proposeWithRoom(command, messages, options)
    return this.#calls.propose<number | number[]>(command, options)
  }

  async #proposeWithRoom(
    command: unknown,
    messages: readonly QueueMessage[],
    options: CallOptions | undefined,
  ): Promise<number | number[]> {
    for (;;) {
      try {
        return await this.#calls.propose<number | number[]>(command, options)
      } catch (error) {
        if (!isRefused(error, 'QUEUE_FULL')) throw error
      }
      const bytes = messages.reduce((sum, message) => sum + codec.encode(message).byteLength, 0)
      await this.#calls.awaited(queueQueries.awaitRoom(this.#queue, messages.length, bytes), options?.signal)
    }
  }

  /** @param position negative for a duplicate */
  #receipt(position: number): Receipt {
    return new SentReceipt(Math.abs(position), position < 0, this.#calls.client.durability, this)
  }

  async result(position: number, signal?: AbortSignal): Promise<unknown> {
    const query = queueQueries.awaitResult(position)
    const options = signal === undefined ? {} : { signal }
    for (;;) {
      // Whoever is asked first may be behind, and tell of a death from before a redrive.
      await this.#calls.awaited<KeptResult>(query, signal)
      const kept = await this.#calls.query<KeptResult | undefined>(query, options)
      if (kept === undefined) continue
      const [outcome, value] = kept
      if (outcome === 'completed') return value
      throw new Error(value)
    }
  }
}

class SentReceipt implements Receipt {
  readonly position: number
  readonly duplicate: boolean
  readonly durability: Durability | undefined
  readonly #producer: Pick<Producer<never>, 'result'>

  constructor(
    position: number,
    duplicate: boolean,
    durability: Durability | undefined,
    producer: Pick<Producer<never>, 'result'>,
  ) {
    this.position = position
    this.duplicate = duplicate
    this.durability = durability
    this.#producer = producer
  }

  result({ signal }: { readonly signal?: AbortSignal } = {}): Promise<unknown> {
    return this.#producer.result(this.position, signal)
  }
}

/** @throws QueueError INVALID_DATA; RaftError INVALID_OPTIONS */
function messageOf(data: unknown, options: OutgoingOptions): QueueMessage {
  // Encoded it would be nothing at all.
  if (typeof data === 'function' || typeof data === 'symbol') throw invalidData(`it is a ${typeof data}`)
  const { at, delayMs } = options
  if (at === undefined) return queueCommands.message(data, options)
  const timeMs = Number(at)
  if (delayMs !== undefined || !Number.isFinite(timeMs))
    throw invalidOption('at', at, 'a Date or milliseconds since 1970, and no delayMs beside it')
  return queueCommands.message(data, { ...options, delayMs: Math.max(0, Math.ceil(timeMs - Date.now())) })
}
