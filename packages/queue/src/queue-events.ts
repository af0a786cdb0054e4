/**
 * What becomes of messages, as it happens: `completed`, `failed`, `dead`, wherever their consumers are.
 *
 *     watch (again and again, so that replicas write it down) ─► awaitEvents, any replica ─► events, in order
 *
 * A view for people and for caches, not a ledger: each event is told at most once, from the moment on that somebody watches. One who falls
 * behind by thousands, or whose replica has just been loaded from a snapshot, is told how many he has `missed`. What must not be missed is
 * what a handler does before it acks.
 */
import { type LaneEvents, queueCommands, queueQueries } from '@troupe/machines'
import type { QueueCalls } from './queue-calls.ts'

interface MessageEvent {
  readonly group: string
  readonly position: number
  readonly id: string | undefined
  readonly deliveries: number
}

export interface CompletedEvent extends MessageEvent {
  readonly kind: 'completed'
  readonly result: unknown
}

/** `failed`: one attempt, there may be others. `dead`: there are none, it is a dead letter. */
export interface FailedEvent extends MessageEvent {
  readonly kind: 'failed' | 'dead'
  readonly reason: string
}

export interface MissedEvent {
  readonly kind: 'missed'
  readonly group: string
  readonly count: number
}

export type QueueEvent = CompletedEvent | FailedEvent | MissedEvent

/** What `queue.on` knows. */
export interface QueueEventMap {
  completed: [event: CompletedEvent]
  failed: [event: FailedEvent]
  dead: [event: FailedEvent]
  missed: [event: MissedEvent]
  /** There will be no more events. */
  error: [error: unknown]
}

const WATCH_MS = 60_000
const MOST_AT_ONCE = 256

/** Ends when the signal is aborted. @throws QueueError UNKNOWN_QUEUE, UNKNOWN_GROUP; RaftError */
export async function* eventsOf(
  calls: QueueCalls,
  queue: string,
  group: string,
  signal: AbortSignal,
): AsyncGenerator<QueueEvent, undefined, undefined> {
  const watch = (): Promise<unknown> => calls.propose(queueCommands.watch(queue, group, WATCH_MS))
  await watch()
  const again = setInterval(() => void watch().catch(() => {}), WATCH_MS / 3)
  try {
    // Of the leader: a replica that is behind would count from earlier.
    const now = await calls.query<LaneEvents>(queueQueries.awaitEvents(queue, group, null, 1))
    let after = now.first - 1
    for (;;) {
      const query = queueQueries.awaitEvents(queue, group, after, MOST_AT_ONCE)
      const { first, events } = await calls.awaited<LaneEvents>(query, signal)
      if (first > after + 1) yield { kind: 'missed', group, count: first - after - 1 }
      for (const event of events) yield eventOf(group, event)
      after = first + events.length - 1
    }
  } catch (error) {
    if (!signal.aborted) throw error
    return undefined
  } finally {
    clearInterval(again)
  }
}

function eventOf(
  group: string,
  [kind, position, id, deliveries, value]: LaneEvents['events'][0],
): QueueEvent {
  const about = { group, position, id: id ?? undefined, deliveries }
  return kind === 'completed'
    ? { kind, ...about, result: value ?? undefined }
    : { kind, ...about, reason: value as string }
}
