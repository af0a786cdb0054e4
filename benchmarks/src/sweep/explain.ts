/**
 * What limits a point. Pure: from its settings, its rates, how busy each actor was and where its commands spent their time.
 *
 * A closed loop with `window` commands outstanding reaches window ÷ latency (Little's law), so that something holds it back
 * in one of two ways. Either a resource is never idle, and commands wait for it:
 *
 *     client, leader, followers   the event loop of that actor
 *     processors                  all of the machine's, and no single actor
 *     flush                       the disk is never idle, or the log is full of entries that are being flushed
 *     round trips                 no in-flight message is ever free, or the log is full of entries that are on their way
 *
 * or nothing is, and a larger `window` would get more at the same latency. Then what the latency consists of is told.
 */
import { amount } from './axes.ts'
import type { StagesMs, SweepPoint } from './point.ts'

export const limitNames = {
  client: "client's CPU",
  leader: "leader's CPU",
  followers: "followers' CPU",
  processors: 'processors',
  flush: 'flush',
  'round-trips': 'round trips',
  window: 'window',
} as const

export type LimitKind = keyof typeof limitNames

export interface Limit {
  readonly kind: LimitKind
  /** How much of what limits is in use, 0 to 1. */
  readonly share: number
  /** One sentence with the figures that it rests on. */
  readonly why: string
}

/** What explaining needs of a point. */
export type Evidence = Pick<
  SweepPoint,
  | 'window'
  | 'maxInflightMessages'
  | 'lingerMs'
  | 'nodes'
  | 'delayMs'
  | 'flushMs'
  | 'opsPerSecond'
  | 'p50Ms'
  | 'rates'
  | 'utilisation'
  | 'stagesMs'
>

/** An actor that is busy for so much of the time has no more to give. */
const BUSY = 0.9
/** Of slots and of the disk: they are found busy by sampling at both ends, so that a little less is full, too. */
const FULL = 0.85
/** The disk is never idle when commands wait for the flush before theirs for at least so much of a flush. */
const QUEUED_FLUSH = 0.3
/** A wait of this share of what a commit takes anyway is one. */
const HELD_UP = 0.3
/** A stage of this share of the latency is where commands wait. */
const WAITS = 0.25
/** Entries of a leader that are not committed: no sweep makes the log smaller than the messages in flight. */
export const maxUncommittedEntries = (inflight: number): number => Math.max(64, inflight)

/** What limits a point. */
export function explain(evidence: Evidence): Limit {
  return busyActor(evidence) ?? fullDisk(evidence) ?? fullPipeline(evidence) ?? smallWindow(evidence)
}

function busyActor({ utilisation }: Evidence): Limit | undefined {
  if (utilisation === undefined) return undefined
  const { processors } = utilisation
  const allBusy = processors !== null && processors >= BUSY
  const crowd = allBusy ? `, and all processors are busy (${percent(processors)})` : ''
  const actors = (['client', 'leader', 'followers'] as const)
    .map((kind) => ({ kind, share: utilisation[kind] ?? 0 }))
    .sort((left, right) => right.share - left.share)
  const busiest = actors[0]
  if (busiest !== undefined && busiest.share >= BUSY) {
    const { kind, share } = busiest
    const whose = { client: "the client's", leader: "the leader's", followers: "a follower's" }[kind]
    return { kind, share, why: `${whose} event loop is busy for ${percent(share)} of the time${crowd}` }
  }
  if (!allBusy) return undefined
  return { kind: 'processors', share: processors, why: `all processors are busy (${percent(processors)})` }
}

/** Time on the disk and time on the way, as far as it is known: measured, or at least what was injected. */
interface CommitTime {
  readonly diskMs: number
  readonly networkMs: number
  readonly isMeasured: boolean
}

function commitTime({ stagesMs, delayMs, flushMs, nodes }: Evidence): CommitTime {
  const isMeasured = stagesMs !== undefined && sumOf(stagesMs) > 0
  if (!isMeasured) return { diskMs: flushMs, networkMs: nodes > 1 ? 2 * delayMs : 0, isMeasured }
  const { replicated = 0, acknowledged = 0, diskQueue = 0, flushed = 0 } = stagesMs
  return { diskMs: diskQueue + flushed, networkMs: replicated + acknowledged, isMeasured }
}

/** Commands wait for the flush before theirs, and the disk is what most of their time goes into. */
function fullDisk(evidence: Evidence): Limit | undefined {
  const { stagesMs, flushMs } = evidence
  if (stagesMs === undefined) return undefined
  const { diskQueue = 0, flushed = 0 } = stagesMs
  const share = (diskQueue + flushed) / sumOf(stagesMs)
  // What is injected is a latency: such flushes overlap, and look as if each waited for the one before.
  const queuedMs = Math.max(0, diskQueue - flushMs)
  if (flushed === 0 || queuedMs < QUEUED_FLUSH * flushed || share < 0.5) return undefined
  const why = `${percent(share)} of the time is the disk's, and for ${ms(queuedMs)} ms of it commands wait for the flush before theirs`
  return { kind: 'flush', share, why }
}

/**
 * Whether commands wait before their way to the followers begins, by a good part of that way and the flush. A message that
 * is always in use holds up nobody while it takes all commands along.
 */
function isHeldUp(evidence: Evidence): boolean {
  const { stagesMs, delayMs, lingerMs, p50Ms } = evidence
  const { diskMs, networkMs, isMeasured } = commitTime(evidence)
  if (!isMeasured) return p50Ms !== null && p50Ms >= (1 + HELD_UP) * (diskMs + networkMs)
  const { waiting = 0, replicated = 0, acknowledged = 0 } = stagesMs as StagesMs
  // The way back is as long as the way there, and nothing waits for it.
  const wayMs = Math.max(delayMs, acknowledged)
  return waiting - lingerMs + replicated - wayMs >= HELD_UP * (2 * wayMs + diskMs)
}

/** The log, or what may be on its way to a follower, is full. What fills it decides what the limit is called. */
function fullPipeline(evidence: Evidence): Limit | undefined {
  const { rates, maxInflightMessages, stagesMs, lingerMs, delayMs } = evidence
  const { diskMs, networkMs, isMeasured } = commitTime(evidence)
  const commitSeconds = (diskMs + networkMs) / 1000
  const kind = diskMs > networkMs ? 'flush' : 'round-trips'
  const held = kind === 'flush' ? 'flushes' : 'round trips'
  const waits = isHeldUp(evidence)
  const messages = ((rates.appendsPerSecond ?? 0) * commitSeconds) / maxInflightMessages
  if (waits && messages >= FULL) {
    const why = `${maxInflightMessages} in-flight ${plural(maxInflightMessages, 'message')} to each follower ${maxInflightMessages === 1 ? 'is' : 'are'} in use for ${percent(Math.min(1, messages))} of the time, for ${held} of ${ms(diskMs + networkMs)} ms`
    return { kind, share: Math.min(1, messages), why }
  }
  const room = maxUncommittedEntries(maxInflightMessages)
  const entries = ((rates.entriesPerSecond ?? 0) * commitSeconds) / room
  if (waits && entries >= FULL) {
    const why = `the log has room for ${room} entries that are not committed, and ${percent(Math.min(1, entries))} of it is in use, for ${held} of ${ms(diskMs + networkMs)} ms`
    return { kind, share: Math.min(1, entries), why }
  }
  if (!isMeasured) return undefined
  const times = stagesMs as StagesMs
  const totalMs = sumOf(times)
  const waitingMs = Math.max(0, (times.waiting ?? 0) - lingerMs)
  if (waitingMs >= WAITS * totalMs) {
    const why = `commands wait ${ms(waitingMs)} of ${ms(totalMs)} ms for room in the log, which ${held} hold`
    return { kind, share: waitingMs / totalMs, why }
  }
  // What it takes longer than the way is waiting for a message to come back.
  const slotMs = (times.replicated ?? 0) - delayMs
  if (delayMs > 0 && slotMs >= Math.max(delayMs, WAITS * totalMs)) {
    const why = `entries reach the followers ${ms(slotMs)} ms later than the way of ${ms(delayMs)} ms takes: they wait for messages to come back`
    return { kind: 'round-trips', share: slotMs / totalMs, why }
  }
  return undefined
}

function smallWindow(evidence: Evidence): Limit {
  const { window, p50Ms, stagesMs } = evidence
  const { diskMs, networkMs, isMeasured } = commitTime(evidence)
  const totalMs = isMeasured ? sumOf(stagesMs as StagesMs) : (p50Ms ?? 0)
  const parts = [
    { name: 'flushes', timeMs: diskMs },
    { name: 'round trips', timeMs: networkMs },
    { name: 'everything else', timeMs: Math.max(0, totalMs - diskMs - networkMs) },
  ].sort((left, right) => right.timeMs - left.timeMs)
  const main = parts[0]
  const least = isMeasured ? '' : 'at least '
  const spent =
    main === undefined || totalMs === 0
      ? ''
      : `; of ${ms(totalMs)} ms ${main.name} ${main.name === 'everything else' ? 'takes' : 'take'} ${main.name === 'everything else' ? '' : least}${percent(Math.min(1, main.timeMs / totalMs))}`
  return {
    kind: 'window',
    share: 1,
    why: `nothing is busy all the time: more than ${amount(window)} outstanding would get more${spent}`,
  }
}

const sumOf = (stagesMs: StagesMs): number =>
  Object.values(stagesMs).reduce((sum, stageMs) => sum + stageMs, 0)
const percent = (share: number): string => `${Math.round(share * 100)} %`
const ms = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(1))
const plural = (count: number, word: string): string => (count === 1 ? word : `${word}s`)
