/**
 * Commands and queries of the `queue` machine, as fixed arrays, and what it answers.
 *
 *     producer ── send ──► queue ── lanes, one for each group ──► consumer: subscribe, then it holds up to `prefetch`
 *                                                                  ack, nack, term, extend ── by handle
 *
 * A delivery needs no command: as soon as a message is ready and a consumer has room, every replica assigns it, within the entry that
 * made it so. The consumer reads what it holds by the query `deliveries`. A handle is `[slot, position, delivery]`.
 */
import type { LaneEvent } from './lane-watch.ts'
import type { BackoffKind, QueueSettings } from './topology.ts'

export const Op = {
  create: 1,
  remove: 2,
  send: 3,
  subscribe: 4,
  prefetch: 5,
  leave: 6,
  ack: 7,
  nack: 8,
  term: 9,
  extend: 10,
  pause: 11,
  resume: 12,
  purge: 13,
  cancel: 14,
  redrive: 15,
  progress: 16,
  tick: 17,
  watch: 18,
  ackRuns: 19,
} as const

/** What may stand at the beginning of a refusal's reason. */
export type QueueRefusal =
  | 'BAD_COMMAND'
  | 'UNKNOWN_QUEUE'
  | 'UNKNOWN_GROUP'
  | 'UNKNOWN_CONSUMER'
  | 'QUEUE_FULL'
  | 'QUEUE_IN_USE'
  | 'TOO_MANY'

/** Why a handle did nothing. */
export const HandleFault = {
  /** The message is no more: acked, cancelled, expired or purged. */
  gone: 1,
  /** The consumer does not hold it: its lease ended, or it never had it. */
  notHeld: 2,
} as const
export type HandleFault = (typeof HandleFault)[keyof typeof HandleFault]

/** Offset of the handle in the command, and what is wrong with it. */
export type FaultyHandle = readonly [offset: number, fault: HandleFault]

/** What an ack, nack, term or extend is told by. */
export type Handle = readonly [slot: number, position: number, delivery: number]

/** What may follow a message's data. */
export interface MessageOptions {
  /** A second message of the same id within the window is a duplicate. */
  readonly id?: string
  /** Messages of one key are delivered in the order that they became ready in, one at a time. */
  readonly key?: string
  readonly delayMs?: number
  /** 0 to 9, 0 is the most urgent. @default 5 */
  readonly priority?: number
  /** Dropped if it is not delivered by then. */
  readonly ttlMs?: number
  /** @default the queue's */
  readonly attempts?: number
  /** @default the queue's */
  readonly backoff?: readonly [kind: BackoffKind, backoffMs: number, maxBackoffMs: number]
  readonly headers?: Readonly<Record<string, unknown>>
}

/** As it is encoded, kept and delivered. Absent parts are null, or cut off at the end. */
export type QueueMessage = readonly [data: unknown, ...options: unknown[]]

/** In the order of a `create` command. */
export const SETTINGS = [
  'groups',
  'maxMessages',
  'maxBytes',
  'attempts',
  'backoff',
  'backoffMs',
  'maxBackoffMs',
  'maxLosses',
  'rateMax',
  'ratePerMs',
] as const satisfies readonly (keyof QueueSettings)[]

/** Which lists `purge` and `peek` look at. */
export type Waiting = 'ready' | 'delayed' | 'dead'

/** All numbers in a row. By hand: `flat` takes four times as long. */
function flattened(handles: readonly Handle[]): number[] {
  const flat: number[] = []
  for (const [slot, position, delivery] of handles) flat.push(slot, position, delivery)
  return flat
}

/** Slot and delivery of the first, and how many follow each other by the numbers of their deliveries: for each run of them. */
function runsOf(handles: readonly Handle[]): number[] {
  const runs: number[] = []
  let next = 0
  for (const [slot, , delivery] of handles) {
    const last = runs.length - 1
    if (last > 0 && delivery === next) (runs[last] as number)++
    else runs.push(slot, delivery, 1)
    next = delivery + 1
  }
  return runs
}

/** Makes commands and queries of the `queue` machine. */
export const queueCommands = {
  message(data: unknown, options: MessageOptions = {}): QueueMessage {
    const { id, key, delayMs, priority, ttlMs, attempts, backoff, headers } = options
    const any = id ?? key ?? delayMs ?? priority ?? ttlMs ?? attempts ?? backoff ?? headers
    if (any === undefined || any === null) return [data]
    const parts = [data, id, key, delayMs, priority, ttlMs, attempts, backoff, headers]
    let used = 1
    for (let part = 1; part < parts.length; part++)
      if (parts[part] === undefined || parts[part] === null) parts[part] = null
      else used = part + 1
    parts.length = used
    return parts as [unknown, ...unknown[]]
  },
  /**
   * Makes a queue, or gives it other settings: what is not given stays as it is, and is the default of a new queue. A group that
   * is no longer named must be empty.
   */
  create: (queue: string, settings: Partial<QueueSettings> = {}): unknown => [
    Op.create,
    queue,
    ...SETTINGS.map((setting) => settings[setting] ?? null),
  ],
  /** Removes a queue that has no messages and no consumers. Result: whether it was there. */
  remove: (queue: string): unknown => [Op.remove, queue],
  /**
   * All or nothing. Result: the position of the first message where all are new, as the others follow it; otherwise one for
   * each message, negated where it is the position of an earlier message with the same id.
   */
  send: (queue: string, messages: readonly QueueMessage[]): unknown => [Op.send, queue, messages],
  /** Result: the consumer's number. It is gone when it gives no sign of life for `leaseMs`. */
  subscribe: (queue: string, group: string, prefetch: number, leaseMs: number): unknown => [
    Op.subscribe,
    queue,
    group,
    prefetch,
    leaseMs,
  ],
  /** With 0 it gets nothing more, and keeps what it holds. */
  prefetch: (consumer: number, prefetch: number): unknown => [Op.prefetch, consumer, prefetch],
  /** The consumer is gone: gives its messages back. Result: whether it was there. */
  leave: (consumer: number): unknown => [Op.leave, consumer],
  /** Result: undefined, or the {@link FaultyHandle}s. `results`: one for each handle, kept for those who wait for it. */
  ack: (consumer: number, handles: readonly Handle[], results?: readonly unknown[]): unknown =>
    results === undefined
      ? [Op.ack, consumer, flattened(handles)]
      : [Op.ack, consumer, flattened(handles), results],
  /**
   * The same as runs, for one that acks in the order in which it was delivered: three numbers for all of them. Result: undefined, or the
   * offsets of those that were not acked: where the first of a run is not held, all of it. `ack` tells what each of them is.
   * `results`: one for each handle, null for null of each; kept for those who wait for it.
   */
  ackRuns: (consumer: number, handles: readonly Handle[], results?: readonly unknown[] | null): unknown =>
    results === undefined
      ? [Op.ackRuns, consumer, runsOf(handles)]
      : [Op.ackRuns, consumer, runsOf(handles), results],
  /** A failure. `delayMs`: null for the backoff. Result: as of `ack`. */
  nack: (consumer: number, handles: readonly Handle[], delayMs: number | null, reason: string): unknown => [
    Op.nack,
    consumer,
    flattened(handles),
    delayMs,
    reason,
  ],
  /** Dead at once. Result: as of `ack`. */
  term: (consumer: number, handles: readonly Handle[], reason: string): unknown => [
    Op.term,
    consumer,
    flattened(handles),
    reason,
  ],
  /** Leases begin anew. Without handles: a sign of life. Result: as of `ack`. */
  extend: (consumer: number, handles: readonly Handle[], leaseMs: number): unknown => [
    Op.extend,
    consumer,
    flattened(handles),
    leaseMs,
  ],
  pause: (queue: string): unknown => [Op.pause, queue],
  resume: (queue: string): unknown => [Op.resume, queue],
  /** Removes up to `limit` messages of a list. Result: how many; with fewer than `limit` that was all. */
  purge: (queue: string, group: string, waiting: Waiting, limit: number): unknown => [
    Op.purge,
    queue,
    group,
    waiting,
    limit,
  ],
  /** Removes a message that nobody holds, by its id. Result: whether there was one. */
  cancel: (queue: string, id: string): unknown => [Op.cancel, queue, id],
  /** Makes up to `limit` dead messages ready again, the oldest first. Result: how many. */
  redrive: (queue: string, group: string, limit: number): unknown => [Op.redrive, queue, group, limit],
  /** Says how far a held message is. Result: undefined, or a {@link HandleFault}. */
  progress: (consumer: number, handle: Handle, progress: unknown): unknown => [
    Op.progress,
    consumer,
    handle,
    progress,
  ],
  /** Whoever asks for the events of a group says so beforehand, and again before `forMs` have passed. Result: undefined. */
  watch: (queue: string, group: string, forMs: number): unknown => [Op.watch, queue, group, forMs],
  /** Does nothing but let time pass. */
  tick: (): unknown => [Op.tick],
}

export const queueQueries = {
  /**
   * What the consumer holds with a number above `after`, in order: up to `limit`, and about 1 MiB of them. Answer: a
   * `DeliveryBatch`, to be read by `deliveriesIn`; undefined where there is none.
   */
  deliveries: (consumer: number, after: number, limit: number): unknown => [
    'deliveries',
    consumer,
    after,
    limit,
  ],
  /** The same, but waits until there is one; undefined where that takes too long. */
  awaitDeliveries: (consumer: number, after: number, limit: number): unknown => [
    'await',
    consumer,
    after,
    limit,
  ],
  /** Answer: {@link QueueStats}. */
  stats: (queue: string): unknown => ['stats', queue],
  /** Answer: {@link PeekedMessage}s from the head of a list. */
  peek: (queue: string, group: string, waiting: Waiting, limit: number): unknown => [
    'peek',
    queue,
    group,
    waiting,
    limit,
  ],
  /** Answer: a {@link FoundMessage}, or undefined. */
  get: (queue: string, id: string): unknown => ['get', queue, id],
  /** Answer: for each position a {@link KeptResult}, or undefined. */
  results: (positions: readonly number[]): unknown => ['results', positions],
  /** Waits for what becomes of a message. Answer: a {@link KeptResult}, or undefined where that takes too long. */
  awaitResult: (position: number): unknown => ['awaitResult', position],
  /** Waits until so many messages would be taken. Answer: true, or undefined where that takes too long. */
  awaitRoom: (queue: string, messages: number, bytes: number): unknown => [
    'awaitRoom',
    queue,
    messages,
    bytes,
  ],
  /**
   * What became of a group's messages, in order, behind the event of number `after`; null: from now on. Waits. Answer:
   * {@link LaneEvents}, or undefined where that takes too long.
   */
  awaitEvents: (queue: string, group: string, after: number | null, limit: number): unknown => [
    'awaitEvents',
    queue,
    group,
    after,
    limit,
  ],
  /** Answer: names. */
  queues: (): unknown => ['queues'],
}

/** A message in the hands of a consumer. */
export type Delivery = readonly [
  slot: number,
  position: number,
  delivery: number,
  deliveries: number,
  sentMs: number,
  message: QueueMessage,
]

export type { LaneEvent }

/** `first`: the number of the first of them. Where it is not the one asked for, those between are not known any more. */
export interface LaneEvents {
  readonly first: number
  readonly events: readonly LaneEvent[]
}

export interface GroupStats {
  readonly group: string
  readonly ready: number
  readonly delayed: number
  /** Behind another message of their key. */
  readonly lined: number
  readonly active: number
  readonly dead: number
  readonly consumers: number
  /** Of the ready message that was sent first, by the heads of the lists; undefined where there is none. */
  readonly oldestMs: number | undefined
  readonly delivered: number
  /** Deliveries but the first of each message. */
  readonly redelivered: number
  readonly acked: number
  readonly failed: number
  readonly lost: number
  readonly died: number
  readonly expired: number
  readonly removed: number
}

export interface QueueStats {
  /** Log time of the last entry: what `oldestMs` is told by. */
  readonly nowMs: number
  readonly isPaused: boolean
  readonly messages: number
  readonly bytes: number
  readonly sent: number
  readonly duplicates: number
  readonly groups: readonly GroupStats[]
}

export interface PeekedMessage {
  readonly position: number
  readonly message: Uint8Array
  readonly deliveries: number
  readonly failures: number
  readonly sentMs: number
  /** Of a dead one. */
  readonly reason: string | undefined
}

export interface FoundMessage {
  readonly position: number
  /** One for each group that has it still; none where it is done. */
  readonly groups: readonly { readonly group: string; readonly state: string; readonly deliveries: number }[]
  readonly progress: unknown
}

/** What became of a message: the result of its ack, or why it died. */
export type KeptResult =
  | readonly [outcome: 'completed', result: unknown]
  | readonly [outcome: 'dead', reason: string]
