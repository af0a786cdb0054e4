/**
 * When a member is suspected to be dead or cut off. A hint for operators, and for nobody else: the protocol has its own.
 *
 * A member is suspected
 * - as `silent` when its latest word is older than {@link SILENT_TIMEOUTS} of the longest election timeouts, whichever way
 *   it would have come: over its own link, or told by others;
 * - as `link closed`, sooner, when this node has no link to it and its latest word is older than
 *   {@link UNLINKED_HEARTBEATS} heartbeat intervals: nobody else hears it either;
 * - as `never heard of` when nothing of it came within the first of these times since this node began.
 */

export type Suspicion = 'silent' | 'link closed' | 'never heard of'

export interface SuspicionTimes {
  readonly electionTimeoutMaxMs: number
  readonly heartbeatIntervalMs: number
}

/** What there is to judge a member by. */
export interface Signs {
  /** Since its latest word; null where there is none. */
  readonly ageMs: number | null
  readonly isLinked: boolean
  /** For how long this node has been there to hear it. */
  readonly watchedMs: number
}

const SILENT_TIMEOUTS = 2
/** A word is said at least every second interval, and is told on as late. */
const UNLINKED_HEARTBEATS = 6

export function suspicionOf({ ageMs, isLinked, watchedMs }: Signs, times: SuspicionTimes): Suspicion | null {
  const silentMs = SILENT_TIMEOUTS * times.electionTimeoutMaxMs
  if (ageMs === null) return watchedMs > silentMs ? 'never heard of' : null
  if (!isLinked && ageMs > UNLINKED_HEARTBEATS * times.heartbeatIntervalMs) return 'link closed'
  return ageMs > silentMs ? 'silent' : null
}
