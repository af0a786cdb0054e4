/** What becomes of messages that consumers hold: acked, failed, given back. */
import { arrayBody } from '../msgpack-cursor.ts'
import { viewed } from '../viewed-bytes.ts'
import { MessageReader } from './message-reader.ts'
import { Field, MessageState } from './messages.ts'
import { type FaultyHandle, HandleFault } from './queue-commands.ts'
import type { QueueState } from './queue-state.ts'
import type { BackoffKind, Consumer, Lane } from './topology.ts'

const HANDLE_NUMBERS = 3
const RUN_NUMBERS = 3

/** Runs `settle` for each message of the handles that the consumer holds; tells of the others. */
export function forEachHeld(
  state: QueueState,
  consumer: Consumer,
  handles: readonly unknown[],
  settle: (slot: number, offset: number) => void,
): FaultyHandle[] | undefined {
  let faulty: FaultyHandle[] | undefined
  for (let at = 0; at < handles.length; at += HANDLE_NUMBERS) {
    const slot = handles[at] as number
    const offset = at / HANDLE_NUMBERS
    const fault = faultOf(state, consumer, slot, handles[at + 1], handles[at + 2])
    if (fault === undefined) settle(slot, offset)
    else {
      faulty ??= []
      faulty.push([offset, fault])
    }
  }
  return faulty
}

export function faultOf(
  queue: QueueState,
  consumer: Consumer,
  slot: number,
  position: unknown,
  delivery: unknown,
): HandleFault | undefined {
  const { messages } = queue
  if (!messages.isUsed(slot) || messages.wide(slot, Field.position) !== position) return HandleFault.gone
  const state = messages.stateOf(slot)
  if (state === MessageState.spent || messages.laneOf(slot) !== consumer.lane.number) return HandleFault.gone
  return isHeldBy(queue, consumer, slot, delivery) ? undefined : HandleFault.notHeld
}

/** @param result to be kept for whoever waits for it; undefined for none */
export function ackOne(state: QueueState, lane: Lane, slot: number, result: unknown): void {
  if (result !== undefined) state.keepResult(slot, result)
  lane.counters.acked++
  state.note(lane, slot, 'completed', result)
  state.finish(lane, slot)
}

/**
 * Acks runs of what the consumer holds, which is in the order of the deliveries: so the next one of a run is the next one held, or is
 * missing. Returns the offsets of those that are; all of a run whose first one is.
 * @param results one for each, null for null of each
 */
export function ackRuns(
  state: QueueState,
  consumer: Consumer,
  runs: readonly number[],
  results: readonly unknown[] | null | undefined,
): number[] | undefined {
  const { messages } = state
  let missed: number[] | undefined
  let offset = 0
  for (let at = 0; at < runs.length; at += RUN_NUMBERS) {
    const [first, count] = [runs[at + 1] as number, runs[at + 2] as number]
    let slot = isHeldBy(state, consumer, runs[at] as number, first) ? (runs[at] as number) : 0
    for (let delivery = first; delivery < first + count; delivery++, offset++) {
      if (slot === 0 || messages.get(slot, Field.delivery) !== delivery) {
        missed ??= []
        missed.push(offset)
        continue
      }
      const next = messages.get(slot, Field.next)
      // Of a result that is not there null is kept: somebody may wait.
      ackOne(state, consumer.lane, slot, results && (results[offset] ?? null))
      slot = next
    }
  }
  return missed
}

function isHeldBy({ messages }: QueueState, consumer: Consumer, slot: number, delivery: unknown): boolean {
  return (
    messages.isUsed(slot) &&
    messages.stateOf(slot) === MessageState.active &&
    messages.get(slot, Field.consumer) === consumer.id &&
    messages.get(slot, Field.delivery) === delivery
  )
}

/** A failure: again later, or dead. @param delayMs null for the backoff */
export function nackOne(
  state: QueueState,
  lane: Lane,
  slot: number,
  delayMs: number | null,
  reason: string,
): void {
  const { messages } = state
  messages.count1(slot, 'failure')
  lane.counters.failed++
  state.note(lane, slot, 'failed', reason)
  const failures = messages.failuresOf(slot)
  const retry = retryOf(state, lane, slot)
  state.takeOut(lane, slot)
  if (failures >= retry.attempts) return state.bury(lane, slot, reason)
  if (state.isExpired(slot)) return expireHeld(state, lane, slot)
  const waitMs = delayMs ?? backoffOf(retry, failures)
  if (waitMs > 0) state.delay(lane, slot, state.nowMs + waitMs)
  else state.makeReady(lane, slot, 'back')
}

export function termOne(state: QueueState, lane: Lane, slot: number, reason: string): void {
  state.takeOut(lane, slot)
  state.bury(lane, slot, reason)
}

/** Its lease has ended, or its consumer is gone: to the front, for it was its turn. */
export function giveBack(state: QueueState, lane: Lane, slot: number): void {
  const { messages } = state
  messages.count1(slot, 'loss')
  lane.counters.lost++
  state.takeOut(lane, slot)
  if (messages.lossesOf(slot) >= lane.queue.settings.maxLosses)
    return state.bury(lane, slot, 'its consumers were lost')
  if (state.isExpired(slot)) return expireHeld(state, lane, slot)
  state.makeReady(lane, slot, 'front')
}

/** The message is in no list any more; `finish` wants one. */
function expireHeld(state: QueueState, lane: Lane, slot: number): void {
  state.makeReady(lane, slot, 'back')
  state.expire(lane, slot)
}

/** Gives all back that it holds, so that the first of them comes first. */
export function removeConsumer(state: QueueState, consumer: Consumer): void {
  const { lane, held } = consumer
  consumer.prefetch = 0
  while (held.tail !== 0) giveBack(state, lane, held.tail)
  lane.idle.delete(consumer)
  state.topology.consumers.delete(consumer.id)
  state.deliver(lane)
}

// ---- retries

interface Retry {
  readonly attempts: number
  readonly backoff: BackoffKind
  readonly backoffMs: number
  readonly maxBackoffMs: number
}

const reader = new MessageReader()

/** What the message says about it, and the queue where the message says nothing. */
function retryOf(state: QueueState, lane: Lane, slot: number): Retry {
  const { settings } = lane.queue
  const bytes = viewed(state.bytesOf(slot))
  reader.read(bytes, 0)
  if (reader.rest === 0) return settings
  // An array of the parts from the attempts on: a view of them would have no head.
  const parts = new Uint8Array(1 + bytes.bytes.byteLength - reader.rest)
  parts[0] = 0x90 | reader.restParts
  parts.set(bytes.bytes.subarray(reader.rest), arrayBody(parts, 0))
  const [attempts, backoff] = state.codec.decode(parts) as [
    number | null,
    [BackoffKind, number, number] | null,
  ]
  const [kind, backoffMs, maxBackoffMs] = backoff ?? [
    settings.backoff,
    settings.backoffMs,
    settings.maxBackoffMs,
  ]
  return { attempts: attempts ?? settings.attempts, backoff: kind, backoffMs, maxBackoffMs }
}

function backoffOf({ backoff, backoffMs, maxBackoffMs }: Retry, failures: number): number {
  return backoff === 'fixed' ? backoffMs : Math.min(maxBackoffMs, backoffMs * 2 ** (failures - 1))
}
