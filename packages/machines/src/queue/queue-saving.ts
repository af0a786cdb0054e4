/**
 * The queue's state as frames: what there is little of, then words as they are, then the bytes of messages that are alive, in runs.
 *
 *     head     scalars, queues, lanes, consumers, the segments' directory, the lengths of all words
 *     words    number of the structure, a page of it; in order
 *     results  a few of them
 *     run      segment, offset, records
 *
 * Words are saved as they lie, and loaded so: a loaded state is the same to the word, hands out the same slots and addresses from
 * then on, and is loaded as fast as it is read. They are little-endian, as all machines are that Node.js runs on.
 */
import { damagedState, FrameReader, sizedFrame } from '../chunk-frames.ts'
import type { Codec } from '../machine.ts'
import type { KeptResultEntry } from './kept-results.ts'
import { nextLeaseMsOf } from './leases.ts'
import type { SlotList } from './messages.ts'
import type { PagedWords, WordsView } from './paged-words.ts'
import type { HeldPayloads, PayloadDirectory, PayloadLoader, PayloadRun } from './payloads.ts'
import { QueueState } from './queue-state.ts'
import { Consumer, Lane, type LaneCounters, Queue, type QueueSettings, type Topology } from './topology.ts'

const FORMAT = 3
const FrameKind = { head: 0, words: 1, results: 2, run: 3 } as const
const RESULTS_AT_ONCE = 256

type PackedList = readonly [head: number, tail: number, count: number]
type PackedLane = readonly [
  number: number,
  group: string,
  ready: readonly PackedList[],
  delayed: PackedList,
  dead: PackedList,
  lined: number,
  active: number,
  idle: readonly number[],
  counters: LaneCounters,
  rate: readonly [endMs: number, count: number],
  watchedUntilMs: number,
]
type PackedQueue = readonly [
  name: string,
  number: number,
  settings: QueueSettings,
  isPaused: boolean,
  counts: readonly [messages: number, bytes: number, sent: number, duplicates: number],
  lanes: readonly PackedLane[],
]
type PackedConsumer = readonly [
  id: number,
  lane: number,
  prefetch: number,
  leaseMs: number,
  held: PackedList,
  delivery: number,
  aliveUntilMs: number,
  session: number,
]
type Head = readonly [
  format: number,
  scalars: readonly number[],
  laneCount: number,
  queues: readonly PackedQueue[],
  consumers: readonly PackedConsumer[],
  progress: readonly (readonly [position: number, value: Uint8Array])[],
  payloads: PayloadDirectory,
  lengths: readonly number[],
]

/** All words, in the order that they are saved in. */
const wordsOf = ({ messages, timers, keys, ids }: QueueState): readonly PagedWords[] => [
  messages.words,
  timers.words,
  keys.records,
  keys.buckets,
  ids.records,
  ids.buckets,
]

// ---- out

/** About how many bytes a save has; without results and the head, which are small. */
export const savedBytesOf = (state: QueueState): number =>
  wordsOf(state).reduce((sum, { length }) => sum + length * 4, state.payloads.aliveBytes)

/** The present state, not to be changed meanwhile. */
export function save(state: QueueState): Iterable<Uint8Array> {
  const views = wordsOf(state).map((words) => words.view())
  return framesOf(state.codec, headOf(state), views, state.results.all, state.payloads.hold(false))
}

/** The state as it is now, while commands go on. */
export function beginSave(state: QueueState): Iterator<Uint8Array> {
  const all = wordsOf(state)
  const views = all.map((words) => words.beginView())
  const held = state.payloads.hold(true)
  const frames = framesOf(state.codec, headOf(state), views, state.results.all, held)
  return new QueueSave(frames, () => {
    held.close()
    for (const words of all) words.endView()
  })
}

/** The present state without the bytes in sealed segments, which stay where they are. */
export function rest(state: QueueState): Iterator<Uint8Array> {
  const views = wordsOf(state).map((words) => words.view())
  return framesOf(state.codec, headOf(state), views, state.results.all, state.payloads.holdOpen())
}

/** Lets go what the view holds, whether it is drained or given up. */
class QueueSave implements Iterator<Uint8Array, undefined> {
  readonly #frames: Iterator<Uint8Array, undefined>
  readonly #end: () => void
  #isOver = false

  constructor(frames: Iterator<Uint8Array, undefined>, end: () => void) {
    this.#frames = frames
    this.#end = end
  }

  next(): IteratorResult<Uint8Array, undefined> {
    if (this.#isOver) return { done: true, value: undefined }
    const next = this.#frames.next()
    return next.done === true ? this.return() : next
  }

  return(): IteratorResult<Uint8Array, undefined> {
    if (!this.#isOver) this.#end()
    this.#isOver = true
    return { done: true, value: undefined }
  }
}

function* framesOf(
  codec: Codec,
  head: Head,
  views: readonly WordsView[],
  results: readonly KeptResultEntry[],
  held: HeldPayloads,
): Generator<Uint8Array, undefined, undefined> {
  yield sizedFrame(Uint8Array.of(FrameKind.head), codec.encode(head))
  for (const [number, view] of views.entries())
    for (const page of view.pages()) yield sizedFrame(Uint8Array.of(FrameKind.words, number), page)
  for (let at = 0; at < results.length; at += RESULTS_AT_ONCE) {
    const some = results.slice(at, at + RESULTS_AT_ONCE)
    const packed = some.map((each) => [each.position, each.expiresMs, each.outcome, each.value])
    yield sizedFrame(Uint8Array.of(FrameKind.results), codec.encode(packed))
  }
  for (const run of held.runs(views[0] as WordsView)) yield runFrame(run)
  held.close()
  return undefined
}

function runFrame({ segment, offset, bytes }: PayloadRun): Uint8Array {
  const place = new Uint8Array(9)
  place[0] = FrameKind.run
  const view = new DataView(place.buffer)
  view.setUint32(1, segment, true)
  view.setUint32(5, offset, true)
  return sizedFrame(place, bytes)
}

const packList = ({ head, tail, count }: SlotList): PackedList => [head, tail, count]

function packLane(lane: Lane): PackedLane {
  return [
    lane.number,
    lane.group,
    lane.ready.map(packList),
    packList(lane.delayed),
    packList(lane.dead),
    lane.linedCount,
    lane.activeCount,
    [...lane.idle].map(({ id }) => id),
    { ...lane.counters },
    [lane.rateEndMs, lane.rateCount],
    lane.watch.untilMs,
  ]
}

function packQueue({ name, number, settings, isPaused, ...queue }: Queue): PackedQueue {
  const { messageCount, byteCount, sent, duplicates, lanes } = queue
  return [name, number, settings, isPaused, [messageCount, byteCount, sent, duplicates], lanes.map(packLane)]
}

function packConsumer({
  id,
  lane,
  prefetch,
  leaseMs,
  held,
  delivery,
  aliveUntilMs,
  session,
}: Consumer): PackedConsumer {
  return [id, lane.number, prefetch, leaseMs, packList(held), delivery, aliveUntilMs, session]
}

function headOf(state: QueueState): Head {
  const { topology, messages, keys, ids, idWindow } = state
  const scalars = [
    state.nowMs,
    state.lastPosition,
    topology.lastQueue,
    topology.lastConsumer,
    messages.count,
    messages.freed,
    keys.count,
    keys.freed,
    ids.count,
    ids.freed,
    idWindow.head,
    idWindow.tail,
    state.nextRateMs,
  ]
  return [
    FORMAT,
    scalars,
    topology.lanes.length,
    [...topology.queues.values()].map(packQueue),
    [...topology.consumers.values()].map(packConsumer),
    [...state.progress],
    state.payloads.directory,
    wordsOf(state).map(({ length }) => length),
  ]
}

// ---- in

/** Builds a state beside the present one: in a space beside its own, or in place, with the segments of its own space. */
export class QueueLoader {
  readonly #state: QueueState
  readonly #isInPlace: boolean
  readonly #frames = new FrameReader((frame) => this.#frame(frame))
  #lengths: readonly number[] | undefined
  #payloads: PayloadLoader | undefined

  constructor({ limits, codec, space }: QueueState, isInPlace: boolean) {
    this.#isInPlace = isInPlace
    this.#state = new QueueState(limits, codec, isInPlace ? space : space.beside())
    for (const words of wordsOf(this.#state)) words.clear()
  }

  chunk(bytes: Uint8Array): void {
    this.#frames.chunk(bytes)
  }

  /** @throws RaftError STORAGE_DAMAGED */
  end(): QueueState {
    this.#frames.end()
    const lengths = wordsOf(this.#state).map(({ length }) => length)
    if (this.#lengths === undefined || lengths.some((length, at) => length !== this.#lengths?.[at]))
      throw damagedState('it is not whole')
    this.#payloads?.end()
    this.#state.nextLeaseMs = nextLeaseMsOf(this.#state)
    return this.#state
  }

  #frame(frame: Uint8Array): void {
    const state = this.#state
    const body = frame.subarray(1)
    switch (frame[0]) {
      case FrameKind.head:
        return this.#head(state.codec.decode(new Uint8Array(body)) as Head)
      case FrameKind.words: {
        const words = wordsOf(state)[frame[1] as number]
        if (words === undefined) throw damagedState(`words of structure ${frame[1]}`)
        return words.restorePage(frame.subarray(2))
      }
      case FrameKind.results:
        for (const [position, expiresMs, outcome, value] of state.codec.decode(body) as PackedResult[])
          state.results.restore({ position, expiresMs, outcome, value: new Uint8Array(value) })
        return
      case FrameKind.run: {
        const view = new DataView(frame.buffer, frame.byteOffset)
        const [segment, offset] = [view.getUint32(1, true), view.getUint32(5, true)]
        return this.#payloads?.run({ segment, offset, bytes: frame.subarray(9) })
      }
      default:
        throw damagedState(`a frame of kind ${frame[0]}`)
    }
  }

  #head([format, scalars, laneCount, queues, consumers, progress, payloads, lengths]: Head): void {
    if (format !== FORMAT) throw damagedState(`format ${format}, this version reads ${FORMAT}`)
    const state = this.#state
    restoreScalars(state, scalars)
    state.topology.lanes.length = laneCount
    for (let lane = 0; lane < laneCount; lane++) state.topology.lanes[lane] = undefined
    for (const queue of queues) restoreQueue(state.topology, queue)
    for (const consumer of consumers) restoreConsumer(state.topology, consumer)
    for (const [, , , , , lanes] of queues) restoreIdle(state.topology, lanes)
    for (const { aliveUntilMs } of state.topology.consumers.values())
      state.nextConsumerMs = Math.min(state.nextConsumerMs, aliveUntilMs)
    for (const [position, value] of progress) state.progress.set(position, new Uint8Array(value))
    this.#lengths = lengths
    this.#payloads = state.payloads.beginRestore(payloads, this.#isInPlace)
  }
}

type PackedResult = readonly [
  position: number,
  expiresMs: number,
  outcome: KeptResultEntry['outcome'],
  value: Uint8Array,
]

function restoreScalars(state: QueueState, scalars: readonly number[]): void {
  const next = scalars[Symbol.iterator]()
  const one = (): number => next.next().value as number
  state.nowMs = one()
  state.lastPosition = one()
  state.topology.lastQueue = one()
  state.topology.lastConsumer = one()
  state.messages.restore(one(), one())
  state.keys.restore(one(), one())
  state.ids.restore(one(), one())
  state.idWindow.head = one()
  state.idWindow.tail = one()
  state.nextRateMs = one()
}

function restoreQueue(topology: Topology, packed: PackedQueue): void {
  const [name, number, settings, isPaused, [messages, bytes, sent, duplicates], lanes] = packed
  const queue = new Queue(name, number, settings)
  topology.queues.set(name, queue)
  queue.isPaused = isPaused
  queue.messageCount = messages
  queue.byteCount = bytes
  queue.sent = sent
  queue.duplicates = duplicates
  for (const lane of lanes) restoreLane(topology, queue, lane)
}

function restoreLane(topology: Topology, queue: Queue, packed: PackedLane): void {
  const [number, group, ready, delayed, dead, lined, active, , counters, rate, watchedUntilMs] = packed
  const lane = new Lane(queue, number, group)
  topology.lanes[number] = lane
  queue.lanes.push(lane)
  for (const [priority, list] of ready.entries()) {
    restoreList(lane.ready[priority] as SlotList, list)
    if (list[2] > 0) lane.readyMask |= 1 << priority
  }
  restoreList(lane.delayed, delayed)
  restoreList(lane.dead, dead)
  lane.linedCount = lined
  lane.activeCount = active
  Object.assign(lane.counters, counters)
  ;[lane.rateEndMs, lane.rateCount] = rate
  lane.watch.untilMs = watchedUntilMs
}

function restoreList(list: SlotList, [head, tail, count]: PackedList): void {
  list.head = head
  list.tail = tail
  list.count = count
}

function restoreConsumer(topology: Topology, packed: PackedConsumer): void {
  const [id, lane, prefetch, leaseMs, held, delivery, aliveUntilMs, session] = packed
  const consumer = new Consumer(id, topology.lane(lane), prefetch, leaseMs, aliveUntilMs)
  restoreList(consumer.held, held)
  consumer.delivery = delivery
  consumer.session = session
  topology.consumers.set(id, consumer)
}

/** In the order of their turns. */
function restoreIdle({ lanes, consumers }: Topology, packed: readonly PackedLane[]): void {
  for (const [number, , , , , , , idle] of packed)
    for (const id of idle) lanes[number]?.idle.add(consumers.get(id) as Consumer)
}
