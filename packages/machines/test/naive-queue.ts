/**
 * The queue machine as simple as it can be: arrays, and a search for everything. What the real one is compared with.
 * It is told of commands by their arguments, and knows messages by their positions.
 */

import {
  type Entry,
  type NaiveConsumer,
  type NaiveHandle,
  NaiveLane,
  type NaiveOptions,
  type NaiveQueue,
  type NaiveSettings,
} from './naive-lane.ts'

const NEVER = Number.POSITIVE_INFINITY

export class NaiveQueues {
  readonly idWindowMs: number
  nowMs = 0
  /** The client whose commands these are. */
  session = 0
  lastPosition = 0
  #lastConsumer = 0
  #lanes = 0
  readonly queues = new Map<string, NaiveQueue>()
  entries: Entry[] = []
  readonly consumers: NaiveConsumer[] = []
  #ids: { queue: string; id: string; position: number; expiresMs: number }[] = []
  readonly outcomes = new Map<number, readonly ['completed' | 'dead', unknown]>()

  constructor(idWindowMs: number) {
    this.idWindowMs = idWindowMs
  }

  create(name: string, settings: NaiveSettings): void {
    const queue: NaiveQueue = { name, settings, isPaused: false, lanes: [] }
    queue.lanes = settings.groups.map((group) => new NaiveLane(queue, this.#lanes++, group))
    this.queues.set(name, queue)
  }

  // ---- time

  advance(timeMs: number): void {
    this.nowMs = Math.max(this.nowMs, timeMs)
    const lanes = new Set<NaiveLane>()
    for (;;) {
      const [due] = this.entries
        .filter(({ timerMs }) => timerMs <= this.nowMs)
        .sort(
          (left, right) =>
            left.timerMs - right.timerMs ||
            left.position - right.position ||
            left.lane.number - right.lane.number,
        )
      if (due === undefined) break
      due.timerMs = NEVER
      lanes.add(due.lane)
      if (due.state === 'active') this.#giveBack(due)
      else if (due.expiresMs <= this.nowMs) this.#finish(due)
      else {
        this.#takeOut(due)
        this.#enter(due)
      }
    }
    for (const lane of lanes) this.#deliver(lane)
    for (const consumer of this.consumers.slice())
      if (consumer.aliveUntilMs <= this.nowMs) this.#removeConsumer(consumer)
    for (const lane of this.#allLanes())
      if (lane.isAtRate && lane.rateEndMs <= this.nowMs) this.#deliver(lane)
  }

  #allLanes(): NaiveLane[] {
    return [...this.queues.values()].flatMap(({ lanes }) => lanes)
  }

  get dueMs(): number {
    const consumers = this.consumers.map(({ aliveUntilMs }) => aliveUntilMs)
    const atRate = this.#allLanes().filter(({ isAtRate }) => isAtRate)
    const rates = atRate.map(({ rateEndMs }) => rateEndMs)
    return Math.min(NEVER, ...this.entries.map(({ timerMs }) => timerMs), ...consumers, ...rates)
  }

  // ---- producers

  send(name: string, all: readonly NaiveOptions[]): number | number[] {
    const queue = this.queues.get(name)
    if (queue === undefined) throw new Error('UNKNOWN_QUEUE')
    const count = this.entries.filter(({ lane }) => lane.queue === queue).length
    if (count + all.length * queue.lanes.length > queue.settings.maxMessages) throw new Error('QUEUE_FULL')
    const positions = all.map((options) => this.#sendOne(queue, options))
    for (const lane of queue.lanes) this.#deliver(lane)
    return positions.every((position) => position > 0) ? (positions[0] as number) : positions
  }

  #sendOne(queue: NaiveQueue, options: NaiveOptions): number {
    const { id, delayMs = 0, ttlMs } = options
    const known = id === undefined ? undefined : this.remembered(queue.name, id)
    if (known !== undefined) return -known
    const position = ++this.lastPosition
    if (id !== undefined) {
      this.#ids = this.#ids.filter((each) => each.id !== id || each.queue !== queue.name)
      this.#ids.push({ queue: queue.name, id, position, expiresMs: this.nowMs + this.idWindowMs })
    }
    for (const lane of queue.lanes) {
      const entry: Entry = {
        position,
        lane,
        options,
        state: 'delayed',
        timerMs: NEVER,
        expiresMs: ttlMs === undefined ? NEVER : this.nowMs + ttlMs,
        consumer: 0,
        delivery: 0,
        deliveries: 0,
        failures: 0,
        losses: 0,
        reason: '',
        holdsKey: options.key !== undefined,
      }
      this.entries.push(entry)
      if (delayMs > 0) this.#delay(entry, this.nowMs + delayMs)
      else this.#enter(entry)
    }
    return position
  }

  /** The position of an id that is remembered. */
  remembered(queue: string, id: string): number | undefined {
    const known = this.#ids.find((each) => each.queue === queue && each.id === id)
    if (known === undefined) return undefined
    const isThere = this.entries.some(({ position }) => position === known.position)
    return isThere || known.expiresMs > this.nowMs ? known.position : undefined
  }

  // ---- lists

  #enter(entry: Entry): void {
    const { lane, options } = entry
    const { key } = options
    const active = key === undefined || !entry.holdsKey ? undefined : lane.activeOfKey.get(key)
    if (active !== undefined && active !== entry) {
      entry.state = 'lined'
      entry.timerMs = entry.expiresMs
      lane.lined.push(entry)
      return
    }
    if (key !== undefined && entry.holdsKey) lane.activeOfKey.set(key, entry)
    this.#makeReady(entry, 'back')
  }

  #makeReady(entry: Entry, end: 'back' | 'front'): void {
    entry.state = 'ready'
    entry.timerMs = entry.expiresMs
    if (end === 'back') entry.lane.ready.push(entry)
    else entry.lane.ready.unshift(entry)
  }

  #delay(entry: Entry, dueMs: number): void {
    entry.state = 'delayed'
    entry.timerMs = Math.min(dueMs, entry.expiresMs)
    entry.lane.delayed.push(entry)
  }

  #takeOut(entry: Entry): void {
    const { lane } = entry
    const without = (list: Entry[]): Entry[] => list.filter((each) => each !== entry)
    lane.ready = without(lane.ready)
    lane.delayed = without(lane.delayed)
    lane.lined = without(lane.lined)
    lane.dead = without(lane.dead)
    if (entry.state !== 'active') return
    for (const consumer of this.consumers) {
      if (!consumer.held.includes(entry)) continue
      consumer.held = without(consumer.held)
      this.#offer(consumer)
    }
  }

  #finish(entry: Entry): void {
    this.#takeOut(entry)
    this.entries = this.entries.filter((each) => each !== entry)
    this.#releaseKey(entry)
  }

  #releaseKey(entry: Entry): void {
    const { lane, options } = entry
    const { key } = options
    if (key === undefined || !entry.holdsKey) return
    entry.holdsKey = false
    if (lane.activeOfKey.get(key) !== entry) return
    lane.activeOfKey.delete(key)
    const next = lane.lined.find((each) => each.options.key === key)
    if (next === undefined) return
    lane.activeOfKey.set(key, next)
    this.#takeOut(next)
    this.#makeReady(next, 'back')
  }

  #deliver(lane: NaiveLane): void {
    const priorityOf = ({ options }: Entry): number => options.priority ?? 5
    lane.isAtRate = false
    while (!lane.queue.isPaused && lane.ready.length > 0 && lane.idle.length > 0) {
      const most = Math.min(...lane.ready.map(priorityOf))
      const entry = lane.ready.find((each) => priorityOf(each) === most) as Entry
      if (entry.expiresMs <= this.nowMs) {
        this.#finish(entry)
        continue
      }
      if (!this.#countsToRate(lane)) return
      const consumer = lane.idle.shift() as NaiveConsumer
      this.#takeOut(entry)
      entry.state = 'active'
      entry.consumer = consumer.id
      entry.delivery = ++consumer.delivery
      entry.deliveries++
      entry.timerMs = this.nowMs + consumer.leaseMs
      consumer.held.push(entry)
      this.#offer(consumer)
    }
  }

  #countsToRate(lane: NaiveLane): boolean {
    const { rateMax = 0, ratePerMs = 0 } = lane.queue.settings
    if (rateMax === 0) return true
    if (this.nowMs >= lane.rateEndMs) {
      lane.rateEndMs = this.nowMs + ratePerMs
      lane.rateCount = 0
    }
    lane.isAtRate = lane.rateCount >= rateMax
    if (!lane.isAtRate) lane.rateCount++
    return !lane.isAtRate
  }

  #offer(consumer: NaiveConsumer): void {
    const { lane } = consumer
    const hasRoom = consumer.held.length < consumer.prefetch
    if (!hasRoom) lane.idle = lane.idle.filter((each) => each !== consumer)
    else if (!lane.idle.includes(consumer)) lane.idle.push(consumer)
  }

  // ---- consumers

  subscribe(name: string, group: string, prefetch: number, leaseMs: number): number {
    const lane = this.queues.get(name)?.lanes.find((each) => each.group === group)
    if (lane === undefined) throw new Error('UNKNOWN_GROUP')
    const id = ++this.#lastConsumer
    const aliveUntilMs = this.nowMs + leaseMs
    const { session } = this
    const consumer: NaiveConsumer = {
      id,
      lane,
      prefetch,
      leaseMs,
      held: [],
      delivery: 0,
      aliveUntilMs,
      session,
    }
    this.consumers.push(consumer)
    this.#offer(consumer)
    this.#deliver(lane)
    return id
  }

  consumer(id: number): NaiveConsumer {
    const consumer = this.consumers.find((each) => each.id === id)
    if (consumer === undefined) throw new Error('UNKNOWN_CONSUMER')
    return consumer
  }

  #living(id: number): NaiveConsumer {
    const consumer = this.consumer(id)
    consumer.aliveUntilMs = this.nowMs + consumer.leaseMs
    consumer.session = this.session
    return consumer
  }

  prefetch(id: number, prefetch: number): void {
    const consumer = this.#living(id)
    consumer.prefetch = prefetch
    this.#offer(consumer)
    this.#deliver(consumer.lane)
  }

  leave(id: number): boolean {
    const consumer = this.consumers.find((each) => each.id === id)
    if (consumer !== undefined) this.#removeConsumer(consumer)
    return consumer !== undefined
  }

  connectionClosed(session: number): void {
    for (const consumer of this.consumers.slice())
      if (consumer.session === session) this.#removeConsumer(consumer)
  }

  #removeConsumer(consumer: NaiveConsumer): void {
    consumer.prefetch = 0
    for (const entry of consumer.held.slice().reverse()) this.#giveBack(entry)
    this.consumers.splice(this.consumers.indexOf(consumer), 1)
    consumer.lane.idle = consumer.lane.idle.filter((each) => each !== consumer)
    this.#deliver(consumer.lane)
  }

  #giveBack(entry: Entry): void {
    entry.losses++
    this.#takeOut(entry)
    entry.timerMs = NEVER
    if (entry.losses >= entry.lane.queue.settings.maxLosses) this.#bury(entry, 'its consumers were lost')
    else if (entry.expiresMs <= this.nowMs) this.#finish(entry)
    else this.#makeReady(entry, 'front')
  }

  #bury(entry: Entry, reason: string): void {
    entry.timerMs = NEVER
    this.#releaseKey(entry)
    entry.state = 'dead'
    entry.reason = reason
    entry.lane.dead.push(entry)
    this.outcomes.set(entry.position, ['dead', reason])
  }

  // ---- settling

  #each(
    consumer: NaiveConsumer,
    handles: readonly NaiveHandle[],
    settle: (entry: Entry, offset: number) => void,
  ): [number, number][] | undefined {
    const faulty: [number, number][] = []
    for (const [offset, { lane, position, delivery }] of handles.entries()) {
      const entry = this.entries.find((each) => each.position === position && each.lane.number === lane)
      if (entry === undefined || lane !== consumer.lane.number) faulty.push([offset, 1])
      else if (entry.state !== 'active' || entry.consumer !== consumer.id || entry.delivery !== delivery)
        faulty.push([offset, 2])
      else settle(entry, offset)
    }
    return faulty.length === 0 ? undefined : faulty
  }

  ack(id: number, handles: readonly NaiveHandle[], results?: readonly unknown[]): unknown {
    const consumer = this.#living(id)
    const faulty = this.#each(consumer, handles, (entry, offset) => {
      if (results !== undefined) this.outcomes.set(entry.position, ['completed', results[offset]])
      this.#finish(entry)
    })
    this.#deliver(consumer.lane)
    return faulty
  }

  nack(id: number, handles: readonly NaiveHandle[], delayMs: number | null, reason: string): unknown {
    const consumer = this.#living(id)
    const faulty = this.#each(consumer, handles, (entry) => this.#nack(entry, delayMs, reason))
    this.#deliver(consumer.lane)
    return faulty
  }

  #nack(entry: Entry, delayMs: number | null, reason: string): void {
    const { settings } = entry.lane.queue
    const { attempts = settings.attempts } = entry.options
    const [kind, baseMs, mostMs] = entry.options.backoff ?? [
      'exponential',
      settings.backoffMs,
      settings.maxBackoffMs,
    ]
    entry.failures++
    this.#takeOut(entry)
    entry.timerMs = NEVER
    if (entry.failures >= attempts) return this.#bury(entry, reason)
    if (entry.expiresMs <= this.nowMs) return this.#finish(entry)
    const backoffMs = kind === 'fixed' ? baseMs : Math.min(mostMs, baseMs * 2 ** (entry.failures - 1))
    const waitMs = delayMs ?? backoffMs
    if (waitMs > 0) this.#delay(entry, this.nowMs + waitMs)
    else this.#makeReady(entry, 'back')
  }

  term(id: number, handles: readonly NaiveHandle[], reason: string): unknown {
    const consumer = this.#living(id)
    const faulty = this.#each(consumer, handles, (entry) => {
      this.#takeOut(entry)
      this.#bury(entry, reason)
    })
    this.#deliver(consumer.lane)
    return faulty
  }

  extend(id: number, handles: readonly NaiveHandle[], leaseMs: number): unknown {
    const consumer = this.#living(id)
    const untilMs = this.nowMs + leaseMs
    if (handles.length > 0) consumer.aliveUntilMs = Math.max(consumer.aliveUntilMs, untilMs)
    return this.#each(consumer, handles, (entry) => {
      entry.timerMs = untilMs
    })
  }

  // ---- operators

  lane(name: string, group: string): NaiveLane {
    const lane = this.queues.get(name)?.lanes.find((each) => each.group === group)
    if (lane === undefined) throw new Error('UNKNOWN_GROUP')
    return lane
  }

  setPaused(name: string, isPaused: boolean): void {
    const queue = this.queues.get(name) as NaiveQueue
    queue.isPaused = isPaused
    for (const lane of queue.lanes) this.#deliver(lane)
  }

  purge(name: string, group: string, waiting: 'ready' | 'delayed' | 'dead', limit: number): number {
    const lane = this.lane(name, group)
    let count = 0
    for (; count < limit; count++) {
      const [first] = this.peek(lane, waiting)
      if (first === undefined) break
      this.#finish(first)
    }
    this.#deliver(lane)
    return count
  }

  /** As `peek` shows them: the most urgent first. */
  peek(lane: NaiveLane, waiting: 'ready' | 'delayed' | 'dead'): Entry[] {
    if (waiting !== 'ready') return lane[waiting]
    return lane.ready
      .map((entry, at) => ({ entry, at }))
      .sort(
        (left, right) =>
          (left.entry.options.priority ?? 5) - (right.entry.options.priority ?? 5) || left.at - right.at,
      )
      .map(({ entry }) => entry)
  }

  cancel(name: string, id: string): boolean {
    const position = this.remembered(name, id)
    const waiting = this.entries.filter((each) => each.position === position && each.state !== 'active')
    for (const entry of waiting) {
      this.#finish(entry)
      this.#deliver(entry.lane)
    }
    return waiting.length > 0
  }

  redrive(name: string, group: string, limit: number): number {
    const lane = this.lane(name, group)
    let count = 0
    for (; count < limit && lane.dead.length > 0; count++) {
      const entry = lane.dead[0] as Entry
      this.#takeOut(entry)
      this.outcomes.delete(entry.position)
      entry.deliveries = 0
      entry.failures = 0
      entry.losses = 0
      entry.reason = ''
      entry.expiresMs = NEVER
      entry.holdsKey = entry.options.key !== undefined
      this.#enter(entry)
    }
    this.#deliver(lane)
    return count
  }
}
