/**
 * Queues, their lanes and their consumers: what there is little of. A *lane* is a queue as one group of consumers sees it.
 */
import { LaneWatch } from './lane-watch.ts'
import { emptyList, type SlotList } from './messages.ts'

/** 0 is the most urgent. */
export const PRIORITIES = 10
export const DEFAULT_PRIORITY = 5

/** How long a message waits after a failure. */
export type BackoffKind = 'fixed' | 'exponential'
export const BACKOFF_KINDS: readonly BackoffKind[] = ['fixed', 'exponential']

export interface QueueSettings {
  /** Groups that each see every message. The group '' is that of consumers which name none. */
  readonly groups: readonly string[]
  /** Messages that may wait, be leased or be dead, counted in each group. Beyond, sends are refused. */
  readonly maxMessages: number
  /** Bytes of those messages. */
  readonly maxBytes: number
  /** Failures after which a message is dead, where it does not say so itself. 1 to 255. */
  readonly attempts: number
  readonly backoff: BackoffKind
  readonly backoffMs: number
  /** Most that an exponential backoff grows to. */
  readonly maxBackoffMs: number
  /** Leases that may end, or consumers that may go, before a message is dead. 1 to 255. */
  readonly maxLosses: number
  /** Messages that are delivered within each window of `ratePerMs`, at most, in each group. 0: no limit. */
  readonly rateMax: number
  readonly ratePerMs: number
}

export const defaultQueueSettings: QueueSettings = {
  groups: [''],
  maxMessages: 100_000_000,
  maxBytes: 32 * 2 ** 30,
  attempts: 5,
  backoff: 'exponential',
  backoffMs: 1_000,
  maxBackoffMs: 300_000,
  maxLosses: 10,
  rateMax: 0,
  ratePerMs: 1_000,
}

export class Queue {
  readonly name: string
  readonly number: number
  settings: QueueSettings
  isPaused = false
  lanes: Lane[] = []
  /** Of all lanes; shared bytes count once. */
  messageCount = 0
  byteCount = 0
  sent = 0
  duplicates = 0

  constructor(name: string, number: number, settings: QueueSettings) {
    this.name = name
    this.number = number
    this.settings = settings
  }
}

/** What became of the messages of a lane, since it was made. */
export interface LaneCounters {
  delivered: number
  redelivered: number
  acked: number
  failed: number
  lost: number
  died: number
  expired: number
  removed: number
}

export class Lane {
  readonly queue: Queue
  readonly number: number
  readonly group: string
  readonly ready: readonly SlotList[] = Array.from({ length: PRIORITIES }, emptyList)
  /** A bit for each priority that has ready messages. */
  readyMask = 0
  readonly delayed = emptyList()
  readonly dead = emptyList()
  linedCount = 0
  activeCount = 0
  /** Consumers that may hold more. */
  readonly idle = new Turns()
  readonly counters: LaneCounters = {
    delivered: 0,
    redelivered: 0,
    acked: 0,
    failed: 0,
    lost: 0,
    died: 0,
    expired: 0,
    removed: 0,
  }

  /** The window that deliveries are counted in. */
  rateEndMs = 0
  rateCount = 0
  readonly watch = new LaneWatch()

  constructor(queue: Queue, number: number, group: string) {
    this.queue = queue
    this.number = number
    this.group = group
  }

  get readyCount(): number {
    return this.ready.reduce((sum, { count }) => sum + count, 0)
  }
}

export class Consumer {
  readonly id: number
  readonly lane: Lane
  prefetch: number
  readonly leaseMs: number
  /** What it has, in the order of the deliveries. */
  readonly held = emptyList()
  /** Number of its last delivery. */
  delivery = 0
  /** Without a sign of life until then it is gone. */
  aliveUntilMs: number
  /** The client's session that its last command came in; 0 where there is none. */
  session = 0
  /** Its place among those of its lane. Only {@link Turns} changes it. */
  readonly turn: Turn = { isTaken: false, next: undefined, previous: undefined }

  constructor(id: number, lane: Lane, prefetch: number, leaseMs: number, aliveUntilMs: number) {
    this.id = id
    this.lane = lane
    this.prefetch = prefetch
    this.leaseMs = leaseMs
    this.aliveUntilMs = aliveUntilMs
  }

  get hasRoom(): boolean {
    return this.held.count < this.prefetch
  }
}

interface Turn {
  isTaken: boolean
  next: Consumer | undefined
  previous: Consumer | undefined
}

/**
 * Consumers in the order of their turns. A list through them: who has had one goes to the end with each message, for which a `Set` makes
 * objects, and a table anew with every few.
 */
export class Turns implements Iterable<Consumer> {
  #first: Consumer | undefined
  #last: Consumer | undefined

  get first(): Consumer | undefined {
    return this.#first
  }

  /** At the end, where it is not among them. */
  add(consumer: Consumer): void {
    const { turn } = consumer
    if (turn.isTaken) return
    turn.isTaken = true
    turn.previous = this.#last
    if (this.#last === undefined) this.#first = consumer
    else this.#last.turn.next = consumer
    this.#last = consumer
  }

  delete(consumer: Consumer): void {
    const { turn } = consumer
    if (!turn.isTaken) return
    const { next, previous } = turn
    if (next === undefined) this.#last = previous
    else next.turn.previous = previous
    if (previous === undefined) this.#first = next
    else previous.turn.next = next
    turn.isTaken = false
    turn.next = undefined
    turn.previous = undefined
  }

  *[Symbol.iterator](): Generator<Consumer, undefined, undefined> {
    for (let each = this.#first; each !== undefined; each = each.turn.next) yield each
    return undefined
  }
}

export class Topology {
  readonly queues = new Map<string, Queue>()
  /** By number; those that are gone leave a gap, which the next fills. */
  readonly lanes: (Lane | undefined)[] = []
  readonly consumers = new Map<number, Consumer>()
  lastQueue = 0
  lastConsumer = 0

  addQueue(name: string, settings: QueueSettings): Queue {
    const queue = new Queue(name, ++this.lastQueue, settings)
    this.queues.set(name, queue)
    return queue
  }

  addLane(queue: Queue, group: string): Lane {
    const gap = this.lanes.indexOf(undefined)
    const lane = new Lane(queue, gap < 0 ? this.lanes.length : gap, group)
    this.lanes[lane.number] = lane
    queue.lanes.push(lane)
    return lane
  }

  removeLane(lane: Lane): void {
    this.lanes[lane.number] = undefined
    lane.queue.lanes = lane.queue.lanes.filter((each) => each !== lane)
  }

  lane(number: number): Lane {
    return this.lanes[number] as Lane
  }
}
