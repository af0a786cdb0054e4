/**
 * What a node writes down of heartbeats, and what that comes to. All processes of a machine read one clock: a heartbeat's
 * delay is the time from where its leader hands it to the transport to where the follower's mailbox gets it.
 *
 *     leader   sent(to, term, round) ──────► arrived(from, term, round)   follower
 *              answered(from, round) ◄────── its reply
 */
import type { Message, NodeId } from '@troupe/core'

/** One way of a heartbeat, or the way back of its answer. */
export interface HeartbeatMark {
  /** The other end. */
  readonly peer: NodeId
  readonly term: number
  readonly round: number
  readonly atMs: number
}

/** Of one node. */
export interface HeartbeatMarks {
  readonly sent: readonly HeartbeatMark[]
  readonly arrived: readonly HeartbeatMark[]
  readonly answered: readonly HeartbeatMark[]
}

/** Marks that are kept of each kind: the latest are of no use without the first. */
const MAX_MARKS = 1_000_000

/** A node's own, from the first on until they are taken. */
export class HeartbeatLog {
  readonly #nowMs: () => number
  #sent: HeartbeatMark[] = []
  #arrived: HeartbeatMark[] = []
  #answered: HeartbeatMark[] = []

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  sending(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.kind === 'heartbeat') this.#note(this.#sent, message.to, message)
    }
  }

  received(message: Message): void {
    if (message.kind === 'heartbeat') this.#note(this.#arrived, message.from, message)
    if (message.kind === 'heartbeatReply') this.#note(this.#answered, message.from, message)
  }

  /** What there is since it was last asked. */
  take(): HeartbeatMarks {
    const marks = { sent: this.#sent, arrived: this.#arrived, answered: this.#answered }
    this.#sent = []
    this.#arrived = []
    this.#answered = []
    return marks
  }

  #note(marks: HeartbeatMark[], peer: NodeId, { term, round }: { term: number; round: number }): void {
    if (marks.length < MAX_MARKS) marks.push({ peer, term, round, atMs: this.#nowMs() })
  }
}

/** Heartbeats between all nodes in some time. */
export interface HeartbeatTimes {
  /** From the leader's transport to the follower's mailbox. */
  readonly delaysMs: readonly number[]
  /** From the leader's transport to the answer in its own mailbox. */
  readonly roundTripsMs: readonly number[]
  /** Sent, and never arrived. */
  readonly lost: number
}

/** Joins what all nodes wrote down. @param graceMs what was sent so shortly before the last mark may be under way */
export function joinHeartbeats(nodes: ReadonlyMap<NodeId, HeartbeatMarks>, graceMs: number): HeartbeatTimes {
  const key = (from: NodeId, to: NodeId, { term, round }: HeartbeatMark): string =>
    `${from} ${to} ${term} ${round}`
  const arrivals = new Map<string, number>()
  const answers = new Map<string, number>()
  let lastMs = 0
  for (const [id, { sent, arrived, answered }] of nodes) {
    for (const mark of arrived) arrivals.set(key(mark.peer, id, mark), mark.atMs)
    for (const mark of answered) answers.set(key(id, mark.peer, mark), mark.atMs)
    lastMs = Math.max(lastMs, sent.at(-1)?.atMs ?? 0)
  }
  const delaysMs: number[] = []
  const roundTripsMs: number[] = []
  let lost = 0
  for (const [id, { sent }] of nodes) {
    for (const mark of sent) {
      const arrivedMs = arrivals.get(key(id, mark.peer, mark))
      const answeredMs = answers.get(key(id, mark.peer, mark))
      if (arrivedMs !== undefined) delaysMs.push(arrivedMs - mark.atMs)
      else if (mark.atMs < lastMs - graceMs) lost++
      if (answeredMs !== undefined) roundTripsMs.push(answeredMs - mark.atMs)
    }
  }
  return { delaysMs, roundTripsMs, lost }
}
