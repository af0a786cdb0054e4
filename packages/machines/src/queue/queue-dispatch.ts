/** Commands but `send`, decoded: each checks its arguments, and then does all that it says. */
import { stringBody } from '../msgpack-cursor.ts'
import {
  badCommand,
  consumerOf,
  handlesOf,
  integerOf,
  laneOf,
  limitOf,
  nameOf,
  queueOf,
  reasonOf,
  runsOf,
  settingsOf,
  timeOf,
  waitingOf,
} from './queue-arguments.ts'
import { type FaultyHandle, Op } from './queue-commands.ts'
import type { QueueState } from './queue-state.ts'
import { findId } from './sending.ts'
import { ackOne, ackRuns, faultOf, forEachHeld, nackOne, removeConsumer, termOne } from './settling.ts'
import type { Consumer } from './topology.ts'
import {
  cancel,
  createQueue,
  purge,
  redrive,
  removeQueue,
  setPaused,
  showLife,
  subscribe,
  watchLane,
} from './upkeep.ts'

type Parts = readonly unknown[]
type Run = (state: QueueState, parts: Parts) => unknown

const MAX_PROGRESS_BYTES = 4096
const MAX_WATCH_MS = 600_000

/** Runs a decoded command. @throws what {@link reject} makes, and then has done nothing */
export function runCommand(state: QueueState, command: unknown): unknown {
  if (!Array.isArray(command)) throw badCommand('a queue command is an array: [operation, ...]')
  const [op, ...parts] = command as unknown[]
  const run = runs.get(op)
  if (run === undefined) throw badCommand('unknown queue operation')
  return run(state, parts)
}

/** The consumer that the command is of, which is alive then. */
function living(state: QueueState, id: unknown): Consumer {
  const consumer = consumerOf(state, id)
  showLife(state, consumer)
  return consumer
}

function ack(state: QueueState, [id, handles, results]: Parts): FaultyHandle[] | undefined {
  const flat = handlesOf(handles)
  if (results !== undefined && !(Array.isArray(results) && results.length * 3 === flat.length))
    throw badCommand('results: one for each handle')
  const consumer = living(state, id)
  const { lane } = consumer
  const faulty = forEachHeld(state, consumer, flat, (slot, offset) => {
    ackOne(state, lane, slot, results === undefined ? undefined : ((results as Parts)[offset] ?? null))
  })
  state.deliver(lane)
  return faulty
}

function ackByRuns(state: QueueState, [id, value, results]: Parts): number[] | undefined {
  const runs = runsOf(value, results)
  const consumer = living(state, id)
  const missed = ackRuns(state, consumer, runs, results as Parts | null | undefined)
  state.deliver(consumer.lane)
  return missed
}

function nack(state: QueueState, [id, handles, delayMs, reason]: Parts): FaultyHandle[] | undefined {
  const flat = handlesOf(handles)
  const waitMs = delayMs === null ? null : timeOf(delayMs, 0, 'delayMs')
  const why = reasonOf(reason)
  const consumer = living(state, id)
  const { lane } = consumer
  const faulty = forEachHeld(state, consumer, flat, (slot) => nackOne(state, lane, slot, waitMs, why))
  state.deliver(lane)
  return faulty
}

function term(state: QueueState, [id, handles, reason]: Parts): FaultyHandle[] | undefined {
  const flat = handlesOf(handles)
  const why = reasonOf(reason)
  const consumer = living(state, id)
  const { lane } = consumer
  const faulty = forEachHeld(state, consumer, flat, (slot) => termOne(state, lane, slot, why))
  state.deliver(lane)
  return faulty
}

function extend(state: QueueState, [id, handles, leaseMs]: Parts): FaultyHandle[] | undefined {
  const flat = handlesOf(handles)
  const untilMs = state.nowMs + timeOf(leaseMs, 1, 'leaseMs')
  const consumer = living(state, id)
  if (flat.length > 0) consumer.aliveUntilMs = Math.max(consumer.aliveUntilMs, untilMs)
  return forEachHeld(state, consumer, flat, (slot) => state.timers.set(slot, untilMs))
}

function progress(state: QueueState, [id, handle, value]: Parts): unknown {
  const [slot, position, delivery] = handlesOf(handle)
  const encoded = state.codec.encode(value)
  if (encoded.byteLength > MAX_PROGRESS_BYTES)
    throw badCommand(`progress: at most ${MAX_PROGRESS_BYTES} bytes`)
  const consumer = living(state, id)
  const fault = faultOf(state, consumer, slot as number, position, delivery)
  if (fault === undefined) state.progress.set(position as number, encoded)
  return fault
}

function prefetch(state: QueueState, [id, count]: Parts): undefined {
  const most = integerOf(count, 0, state.limits.maxPrefetch, 'prefetch')
  const consumer = living(state, id)
  consumer.prefetch = most
  state.offer(consumer)
  state.deliver(consumer.lane)
  return undefined
}

function leave(state: QueueState, [id]: Parts): boolean {
  const consumer = state.topology.consumers.get(id as number)
  if (consumer !== undefined) removeConsumer(state, consumer)
  return consumer !== undefined
}

function cancelById(state: QueueState, [name, id]: Parts): boolean {
  const queue = queueOf(state, name)
  if (typeof id !== 'string') throw badCommand('id: a string')
  const encoded = state.codec.encode(id)
  const found = findId(state, queue, encoded, stringBody(encoded, 0))
  return found !== undefined && found.slot !== 0 && cancel(state, found.slot)
}

const runs: ReadonlyMap<unknown, Run> = new Map<unknown, Run>([
  [
    Op.create,
    (state, [name, ...settings]) => {
      const known = state.topology.queues.get(nameOf(name))?.settings
      return createQueue(state, name as string, settingsOf(settings, known))
    },
  ],
  [
    Op.remove,
    (state, [name]) => {
      const queue = state.topology.queues.get(name as string)
      if (queue !== undefined) removeQueue(state, queue)
      return queue !== undefined
    },
  ],
  [
    Op.subscribe,
    (state, [name, group, count, leaseMs]) => {
      const lane = laneOf(state, name, group)
      const most = integerOf(count, 0, state.limits.maxPrefetch, 'prefetch')
      return subscribe(state, lane, most, timeOf(leaseMs, 1, 'leaseMs'))
    },
  ],
  [Op.prefetch, prefetch],
  [Op.leave, leave],
  [Op.ack, ack],
  [Op.ackRuns, ackByRuns],
  [Op.nack, nack],
  [Op.term, term],
  [Op.extend, extend],
  [Op.progress, progress],
  [Op.pause, (state, [name]) => setPaused(state, queueOf(state, name), true)],
  [Op.resume, (state, [name]) => setPaused(state, queueOf(state, name), false)],
  [
    Op.purge,
    (state, [name, group, waiting, limit]) =>
      purge(state, laneOf(state, name, group), waitingOf(waiting), limitOf(limit)),
  ],
  [Op.redrive, (state, [name, group, limit]) => redrive(state, laneOf(state, name, group), limitOf(limit))],
  [Op.cancel, cancelById],
  [
    Op.watch,
    (state, [name, group, forMs]) =>
      watchLane(state, laneOf(state, name, group), integerOf(forMs, 1, MAX_WATCH_MS, 'forMs')),
  ],
  [Op.tick, () => undefined],
])
