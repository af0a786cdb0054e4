/**
 * Joins what client, leader and followers wrote down into the stages of each command. Pure.
 *
 * A frame is found by its session and first command, an entry by its index and the term of the turn that appended it. What
 * cannot be told for certain is left out and counted: what one of the rings has forgotten, what was sent again, and what
 * was under way while the leader changed.
 */
import {
  AnsweredColumn,
  type ClientTrace,
  FlushColumn,
  type NodeTrace,
  ProposedColumn,
  SentColumn,
  TakenColumn,
  type TraceRows,
  TurnColumn,
} from '@troupe/cluster'
import { type NodeTimes, type StageSample, type StageTimes, stageNames } from './stage.ts'

/** What was collected. */
export interface Traces {
  readonly client: ClientTrace
  readonly nodes: ReadonlyMap<string, NodeTrace>
  /** Those whose flushes count. */
  readonly voters: readonly string[]
}

export interface Joined {
  readonly samples: readonly StageSample[]
  /** Frames that were sent, and answered, and are in no sample. */
  readonly leftOut: number
}

/** Clocks of two threads agree to about a microsecond; by more than this times contradict each other. */
const TOLERANCE_MS = 1

type Row = (column: number) => number
type Keyed = ReadonlyMap<string, Row>

const rowCount = ({ width, values }: TraceRows): number => values.length / width
const rowAt =
  ({ width, values }: TraceRows, row: number): Row =>
  (column) =>
    values[row * width + column] as number

function keyed(rows: TraceRows): Map<string, Row> {
  const byKey = new Map<string, Row>()
  for (let at = 0; at < rowCount(rows); at++) {
    const row = rowAt(rows, at)
    // Session and first command come first in all of them. The last copy counts.
    byKey.set(`${row(0)}/${row(1)}`, row)
  }
  return byKey
}

/** The first position in `[0, count)` where `isSo`, which stays true from there on; `count` where there is none. */
function firstWhere(count: number, isSo: (at: number) => boolean): number {
  let from = 0
  let to = count
  while (from < to) {
    const middle = (from + to) >> 1
    if (isSo(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** One node's trace, to be asked for entries. */
class NodeTimeline {
  readonly id: string
  readonly proposed: Keyed
  readonly taken: Keyed
  readonly #turns: TraceRows
  readonly #flushes: TraceRows
  /** The log's end at each turn, lowered where it was truncated later: what was there for good. */
  readonly #lastIndexes: Float64Array

  constructor(id: string, { turns, flushes, taken, proposed }: NodeTrace) {
    this.id = id
    this.proposed = keyed(proposed)
    this.taken = keyed(taken)
    this.#turns = turns
    this.#flushes = flushes
    this.#lastIndexes = new Float64Array(rowCount(turns))
    let lowest = Number.POSITIVE_INFINITY
    for (let at = this.#lastIndexes.length - 1; at >= 0; at--) {
      lowest = Math.min(lowest, rowAt(turns, at)(TurnColumn.lastIndex))
      this.#lastIndexes[at] = lowest
    }
  }

  /** The turn that appended the entry. */
  appended(index: number): Row | undefined {
    return this.#turn(
      firstWhere(this.#lastIndexes.length, (at) => (this.#lastIndexes[at] as number) >= index),
    )
  }

  /** The first turn that was that far by `column`, commit or applied. */
  reached(column: number, index: number): Row | undefined {
    return this.#turn(firstWhere(rowCount(this.#turns), (at) => rowAt(this.#turns, at)(column) >= index))
  }

  /** The first row may have been that far long before. */
  #turn(at: number): Row | undefined {
    return at === 0 || at >= rowCount(this.#turns) ? undefined : rowAt(this.#turns, at)
  }

  /** When its disk began with what the request `token` carries, and when that was flushed. */
  flush(token: number, handedMs: number): { readonly beganMs: number; readonly endedMs: number } | undefined {
    const count = rowCount(this.#flushes)
    const at = firstWhere(count, (flush) => rowAt(this.#flushes, flush)(FlushColumn.token) >= token)
    if (at === 0 || at === count) return undefined
    const before = rowAt(this.#flushes, at - 1)(FlushColumn.atMs)
    return { beganMs: Math.max(before, handedMs), endedMs: rowAt(this.#flushes, at)(FlushColumn.atMs) }
  }
}

interface Flushed {
  readonly id: string
  readonly handedMs: number
  readonly beganMs: number
  readonly endedMs: number
}

/** What each voter did with an entry of `term`, by the time it was done. */
function flushesOf(timelines: readonly NodeTimeline[], index: number, term: number): Flushed[] {
  const flushed: Flushed[] = []
  for (const timeline of timelines) {
    const turn = timeline.appended(index)
    if (turn?.(TurnColumn.term) !== term) continue
    const handedMs = turn(TurnColumn.handedMs)
    const flush = timeline.flush(turn(TurnColumn.token), handedMs)
    if (flush !== undefined) flushed.push({ id: timeline.id, handedMs, ...flush })
  }
  return flushed.sort((left, right) => left.endedMs - right.endedMs)
}

/** The stages between instants, in order; undefined where these contradict each other. */
function timesBetween(instants: readonly number[]): StageTimes | undefined {
  const last = instants.at(-1) as number
  const times: Record<string, number> = {}
  let reached = instants[0] as number
  for (const [position, stage] of stageNames.entries()) {
    const end = instants[position + 1] as number
    if (Number.isNaN(end) || end < reached - TOLERANCE_MS || end > last + TOLERANCE_MS) return undefined
    const next = Math.min(last, Math.max(reached, end))
    times[stage] = next - reached
    reached = next
  }
  return times as Record<keyof StageTimes, number>
}

function nodeTimes(flushed: readonly Flushed[], leader: Flushed): NodeTimes[] {
  return flushed.map(({ id, handedMs, beganMs, endedMs }) => ({
    id,
    isLeader: id === leader.id,
    handedAfterMs: Math.max(0, handedMs - leader.handedMs),
    diskQueueMs: beganMs - handedMs,
    flushMs: endedMs - beganMs,
  }))
}

interface Frame {
  readonly sent: Row
  readonly answered: Row
  readonly taken: Row
  readonly index: number
}

function sampleOf(
  { sent, answered, taken, index }: Frame,
  leader: NodeTimeline,
  voters: readonly NodeTimeline[],
  quorum: number,
): StageSample | undefined {
  const made = leader.appended(index)
  const committing = leader.reached(TurnColumn.commit, index)
  const applying = leader.reached(TurnColumn.applied, index)
  if (made === undefined || committing === undefined || applying === undefined) return undefined
  const flushed = flushesOf(voters, index, made(TurnColumn.term))
  const last = flushed[quorum - 1]
  const own = flushed.find(({ id }) => id === leader.id)
  if (last === undefined || own === undefined) return undefined
  const takenMs = taken(TakenColumn.atMs)
  const queuedMs = sent(SentColumn.queuedMs)
  const answeredMs = answered(AnsweredColumn.atMs)
  const times = timesBetween([
    queuedMs,
    sent(SentColumn.sentMs),
    takenMs,
    Math.max(takenMs, made(TurnColumn.beganMs)),
    // Written down after the peers were sent it, and a thread may lose its processor in between: one was quicker.
    Math.min(made(TurnColumn.handedMs), last.handedMs),
    last.handedMs,
    last.beganMs,
    last.endedMs,
    committing(TurnColumn.beganMs),
    applying(TurnColumn.handedMs),
    applying(TurnColumn.appliedMs),
    // The same: the client may have had its answer by then.
    Math.min(answeredMs, applying(TurnColumn.endedMs)),
    answeredMs,
  ])
  if (times === undefined) return undefined
  return {
    commandCount: sent(SentColumn.commandCount),
    index,
    totalMs: answeredMs - queuedMs,
    times,
    completedBy: last.id,
    nodes: nodeTimes(flushed, own),
  }
}

/** The stages of each frame that all who handled it remember. */
export function joinStages({ client, nodes, voters }: Traces): Joined {
  const timelines = [...nodes].map(([id, trace]) => new NodeTimeline(id, trace))
  const voting = timelines.filter(({ id }) => voters.includes(id))
  const quorum = (voters.length >> 1) + 1
  const answers = keyed(client.answered)
  const samples: StageSample[] = []
  let leftOut = 0
  for (const [key, sent] of keyed(client.sent)) {
    const answered = answers.get(key)
    if (answered === undefined) continue
    const leader = timelines.find(({ proposed }) => proposed.has(key))
    const index = leader?.proposed.get(key)?.(ProposedColumn.index) ?? 0
    const taken = leader?.taken.get(key)
    const sample =
      leader !== undefined && taken !== undefined && index > 0
        ? sampleOf({ sent, answered, taken, index }, leader, voting, quorum)
        : undefined
    if (sample === undefined) leftOut++
    else samples.push(sample)
  }
  return { samples, leftOut }
}
