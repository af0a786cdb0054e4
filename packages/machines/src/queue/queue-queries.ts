/** What the queue machine answers; nothing here changes it. */
import { reject } from '../machine.ts'
import { stringBody } from '../msgpack-cursor.ts'
import { type DeliveryBatch, DeliveryBatchWriter } from './delivery-batch.ts'
import { eventCountOf } from './lane-watch.ts'
import { Field, MessageState } from './messages.ts'
import type {
  FoundMessage,
  GroupStats,
  KeptResult,
  LaneEvents,
  PeekedMessage,
  QueueStats,
  Waiting,
} from './queue-commands.ts'
import type { QueueState } from './queue-state.ts'
import { findId } from './sending.ts'
import type { Lane, Queue } from './topology.ts'

const STATE_NAMES = ['free', 'ready', 'delayed', 'lined', 'active', 'dead', 'spent'] as const

/** Of one answer: one message more may be in it. */
const MOST_BATCH_BYTES = 1 << 20

/** Undefined where there is none. */
export function deliveriesOf(
  state: QueueState,
  id: unknown,
  after: unknown,
  limit: number,
): DeliveryBatch | undefined {
  const { messages } = state
  const consumer = state.topology.consumers.get(id as number)
  if (consumer === undefined) throw reject(`UNKNOWN_CONSUMER ${String(id)}`)
  let first = 0
  // From the last one back: what was read before is not walked over.
  for (let slot = consumer.held.tail; slot !== 0; slot = messages.get(slot, Field.previous)) {
    if (messages.get(slot, Field.delivery) <= (after as number)) break
    first = slot
  }
  if (first === 0) return undefined
  const [count, bytes] = extentOf(state, first, limit)
  const writer = new DeliveryBatchWriter(count, bytes)
  for (let slot = first, left = count; left > 0; left--, slot = messages.get(slot, Field.next))
    writer.add(
      slot,
      messages.wide(slot, Field.position),
      messages.get(slot, Field.delivery),
      messages.deliveriesOf(slot),
      messages.wide(slot, Field.sentMs),
      state.bytesOf(slot),
    )
  return writer.batch
}

/** How many of a list go into one answer, from `first` on, and the bytes of their messages. */
function extentOf(state: QueueState, first: number, limit: number): readonly [count: number, bytes: number] {
  const { messages } = state
  let count = 0
  let bytes = 0
  for (let slot = first; slot !== 0 && count < limit; slot = messages.get(slot, Field.next)) {
    count++
    bytes += messages.get(state.ownerOf(slot), Field.bytes)
    if (bytes >= MOST_BATCH_BYTES) break
  }
  return [count, bytes]
}

export function statsOf(state: QueueState, queue: Queue): QueueStats {
  return {
    nowMs: state.nowMs,
    isPaused: queue.isPaused,
    messages: queue.messageCount,
    bytes: queue.byteCount,
    sent: queue.sent,
    duplicates: queue.duplicates,
    groups: queue.lanes.map((lane) => groupStatsOf(state, lane)),
  }
}

function groupStatsOf({ messages, topology }: QueueState, lane: Lane): GroupStats {
  const heads = lane.ready.map(({ head }) => head).filter((head) => head !== 0)
  const sent = heads.map((head) => messages.wide(head, Field.sentMs))
  return {
    group: lane.group,
    ready: lane.readyCount,
    delayed: lane.delayed.count,
    lined: lane.linedCount,
    active: lane.activeCount,
    dead: lane.dead.count,
    consumers: [...topology.consumers.values()].filter((consumer) => consumer.lane === lane).length,
    oldestMs: sent.length === 0 ? undefined : Math.min(...sent),
    ...lane.counters,
  }
}

/** Whether a send of so many messages would be taken. @throws what {@link reject} makes where it never would */
export function hasRoom(state: QueueState, queue: Queue, messages: number, bytes: number): boolean {
  const { maxMessages, maxBytes } = queue.settings
  if (messages * queue.lanes.length > maxMessages || bytes > maxBytes)
    throw reject(`QUEUE_FULL ${queue.name} never has room for ${messages} messages of ${bytes} bytes`)
  const areTaken = queue.messageCount + messages * queue.lanes.length <= maxMessages
  return areTaken && queue.byteCount + bytes <= maxBytes && state.payloads.hasRoomFor(bytes)
}

/** Undefined where there is none yet. */
export function eventsOf(
  { watch, counters }: Lane,
  after: number | null,
  limit: number,
): LaneEvents | undefined {
  const count = eventCountOf(counters)
  if (after === null) return { first: count + 1, events: [] }
  if (after >= count) return undefined
  const found = watch.read(after, limit)
  // Nothing was written down: what there was is missed.
  return found.events.length > 0 ? found : { first: count + 1, events: [] }
}

export function peek(state: QueueState, lane: Lane, waiting: Waiting, limit: number): PeekedMessage[] {
  const { messages } = state
  const found: PeekedMessage[] = []
  const lists = waiting === 'ready' ? lane.ready : [lane[waiting]]
  for (const { head } of lists)
    for (let slot = head; slot !== 0 && found.length < limit; slot = messages.get(slot, Field.next))
      found.push(peekedOf(state, slot))
  return found
}

function peekedOf(state: QueueState, slot: number): PeekedMessage {
  const { messages } = state
  return {
    position: messages.wide(slot, Field.position),
    message: new Uint8Array(state.bytesOf(slot)),
    deliveries: messages.deliveriesOf(slot),
    failures: messages.failuresOf(slot),
    sentMs: messages.wide(slot, Field.sentMs),
    reason: messages.stateOf(slot) === MessageState.dead ? state.reasonOf(slot) : undefined,
  }
}

export function find(state: QueueState, queue: Queue, id: unknown): FoundMessage | undefined {
  const { messages, topology, codec } = state
  if (typeof id !== 'string') throw reject('BAD_COMMAND an id is a string')
  const encoded = codec.encode(id)
  const found = findId(state, queue, encoded, stringBody(encoded, 0))
  if (found === undefined) return undefined
  const { position, slot } = found
  const slots = slot === 0 ? [] : state.siblingsOf(slot)
  const progress = state.progress.get(position)
  const groups = slots.map((each) => ({
    group: topology.lane(messages.laneOf(each)).group,
    state: STATE_NAMES[messages.stateOf(each)] as string,
    deliveries: messages.deliveriesOf(each),
  }))
  return { position, groups, progress: progress && codec.decode(new Uint8Array(progress)) }
}

export function resultsOf(state: QueueState, positions: readonly unknown[]): (KeptResult | undefined)[] {
  return positions.map((position) => {
    const entry = state.results.find(position as number, state.nowMs)
    return entry && ([entry.outcome, state.codec.decode(new Uint8Array(entry.value))] as KeptResult)
  })
}
