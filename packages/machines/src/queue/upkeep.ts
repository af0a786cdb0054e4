/** Time that passes, and what operators do. */
import { reject } from '../machine.ts'
import { viewed } from '../viewed-bytes.ts'
import { armEndedLeases } from './leases.ts'
import { Field, MessageState } from './messages.ts'
import type { Waiting } from './queue-commands.ts'
import { headOf, type QueueState } from './queue-state.ts'
import { forgetIds, holdKeyAgain } from './sending.ts'
import { giveBack, removeConsumer } from './settling.ts'
import { Consumer, type Lane, type Queue, type QueueSettings } from './topology.ts'

/** Deadlines that one step of time keeps, so that none takes long; the others fall due with the next. */
export const MAX_DUE_AT_ONCE = 4096
const IDS_FORGOTTEN_AT_ONCE = 1024

/** The first deadline, in log time; Infinity where there is none. */
export const dueMsOf = ({ timers, nextLeaseMs, nextConsumerMs, nextRateMs }: QueueState): number =>
  Math.min(timers.nextMs, nextLeaseMs, nextConsumerMs, nextRateMs)

/** What falls due until `timeMs`. */
export function advance(state: QueueState, timeMs: number): void {
  state.nowMs = Math.max(state.nowMs, Math.floor(timeMs))
  const { timers, nowMs } = state
  if (state.nextLeaseMs <= nowMs) armEndedLeases(state, MAX_DUE_AT_ONCE)
  if (timers.nextMs <= nowMs) {
    const lanes = new Set<Lane>()
    for (let count = 0; count < MAX_DUE_AT_ONCE && timers.nextMs <= nowMs; count++) {
      const slot = timers.shift()
      lanes.add(state.laneOf(slot))
      fallDue(state, slot)
    }
    for (const lane of lanes) state.deliver(lane)
  }
  if (state.nextConsumerMs <= nowMs) removeSilentConsumers(state)
  if (state.nextRateMs <= nowMs) beginWindows(state)
  forgetIds(state, IDS_FORGOTTEN_AT_ONCE)
  state.results.advance(nowMs)
}

function fallDue(state: QueueState, slot: number): void {
  const { messages } = state
  const lane = state.laneOf(slot)
  if (messages.stateOf(slot) === MessageState.active) return giveBack(state, lane, slot)
  if (state.isExpired(slot)) return state.expire(lane, slot)
  state.takeOut(lane, slot)
  state.enter(lane, slot)
}

/** Lanes that were at their rate deliver again; those that are not done with their window say so anew. */
function beginWindows(state: QueueState): void {
  state.nextRateMs = Number.POSITIVE_INFINITY
  for (const lane of state.topology.lanes)
    if (lane !== undefined && lane.queue.settings.rateMax > 0) state.deliver(lane)
}

function removeSilentConsumers(state: QueueState): void {
  const { consumers } = state.topology
  let nextMs = Number.POSITIVE_INFINITY
  for (const consumer of consumers.values()) {
    if (consumer.aliveUntilMs <= state.nowMs) removeConsumer(state, consumer)
    else nextMs = Math.min(nextMs, consumer.aliveUntilMs)
  }
  state.nextConsumerMs = nextMs
}

// ---- queues and consumers

export function createQueue(state: QueueState, name: string, settings: QueueSettings): void {
  const { topology } = state
  const known = topology.queues.get(name)
  const gone = known?.lanes.filter(({ group }) => !settings.groups.includes(group)) ?? []
  for (const lane of gone) requireUnused(state, lane)
  const present = known?.lanes.map(({ group }) => group) ?? []
  const added = settings.groups.filter((group) => !present.includes(group))
  const laneCount = topology.lanes.filter((lane) => lane !== undefined).length
  if (laneCount + added.length - gone.length > state.limits.maxLanes)
    throw reject(`TOO_MANY groups of queues, of at most ${state.limits.maxLanes}`)
  for (const lane of gone) topology.removeLane(lane)
  const queue = known ?? topology.addQueue(name, settings)
  queue.settings = settings
  for (const group of added) topology.addLane(queue, group)
  // It may have had a lower rate.
  for (const lane of queue.lanes) state.deliver(lane)
}

export function removeQueue(state: QueueState, queue: Queue): void {
  for (const lane of queue.lanes) requireUnused(state, lane)
  for (const lane of queue.lanes) state.topology.removeLane(lane)
  state.topology.queues.delete(queue.name)
}

function requireUnused({ topology }: QueueState, lane: Lane): void {
  const { delayed, dead, linedCount, activeCount, readyCount } = lane
  const count = delayed.count + dead.count + linedCount + activeCount + readyCount
  const hasConsumers = [...topology.consumers.values()].some((consumer) => consumer.lane === lane)
  if (count > 0 || hasConsumers)
    throw reject(`QUEUE_IN_USE group '${lane.group}' of ${lane.queue.name} has messages or consumers`)
}

export function subscribe(state: QueueState, lane: Lane, prefetch: number, leaseMs: number): number {
  const { topology, limits } = state
  if (topology.consumers.size >= limits.maxConsumers)
    throw reject(`TOO_MANY consumers, of at most ${limits.maxConsumers}`)
  const id = ++topology.lastConsumer
  const consumer = new Consumer(id, lane, prefetch, leaseMs, 0)
  topology.consumers.set(id, consumer)
  showLife(state, consumer)
  state.offer(consumer)
  state.deliver(lane)
  return id
}

/** Each command of a consumer is a sign of life. */
export function showLife(state: QueueState, consumer: Consumer): void {
  consumer.aliveUntilMs = state.nowMs + consumer.leaseMs
  consumer.session = state.session
  // May stand too early for one that has shown life since: then nobody is found to be gone.
  state.nextConsumerMs = Math.min(state.nextConsumerMs, consumer.aliveUntilMs)
}

/** The client of these consumers has lost its connection to the leader. If it lives, it subscribes again. */
export function removeConsumersOf(state: QueueState, session: number): void {
  for (const consumer of state.topology.consumers.values())
    if (consumer.session === session) removeConsumer(state, consumer)
}

export function watchLane(state: QueueState, { watch }: Lane, forMs: number): void {
  if (watch.untilMs <= state.nowMs) watch.clear()
  watch.untilMs = state.nowMs + forMs
}

export function setPaused(state: QueueState, queue: Queue, isPaused: boolean): void {
  queue.isPaused = isPaused
  for (const lane of queue.lanes) state.deliver(lane)
}

// ---- waiting messages

/** Taking a message out of a list may put another of its key into one. */
export function purge(state: QueueState, lane: Lane, waiting: Waiting, limit: number): number {
  let count = 0
  for (; count < limit; count++) {
    const slot = waiting === 'ready' ? headOfReady(lane) : lane[waiting].head
    if (slot === 0) break
    lane.counters.removed++
    state.finish(lane, slot)
  }
  state.deliver(lane)
  return count
}

const headOfReady = (lane: Lane): number => (lane.readyMask === 0 ? 0 : headOf(lane))

export function cancel(state: QueueState, slot: number): boolean {
  const all = state.siblingsOf(slot)
  const { messages } = state
  const waiting = all.filter((each) => messages.stateOf(each) !== MessageState.active)
  // By their lanes, which outlive the slots.
  for (const each of waiting) {
    const lane = state.laneOf(each)
    lane.counters.removed++
    state.finish(lane, each)
    state.deliver(lane)
  }
  return waiting.length > 0
}

export function redrive(state: QueueState, lane: Lane, limit: number): number {
  const { messages } = state
  let count = 0
  for (; count < limit && lane.dead.head !== 0; count++) {
    const slot = lane.dead.head
    state.takeOut(lane, slot)
    state.forgetReason(slot)
    state.results.forget(messages.wide(slot, Field.position))
    messages.set(slot, Field.counts, 0)
    messages.setWide(slot, Field.expiresMs, 0)
    holdKeyAgain(state, lane.number, slot, viewed(state.bytesOf(slot)))
    state.enter(lane, slot)
  }
  state.deliver(lane)
  return count
}
