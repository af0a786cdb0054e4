/**
 * What a node knows only while it leads: its peers' progress, its reads, its lease, its uncommitted bytes, log time.
 * Made when an election is won, thrown away when the node steps down: nothing of it leaks into the next term.
 */
import { membersOf } from './configuration.ts'
import { Lease } from './lease.ts'
import type { RaftLog } from './log.ts'
import type { ReadIndexRequest } from './message.ts'
import type { RaftOptions } from './options.ts'
import { Progress } from './progress.ts'
import { hasQuorum, quorumIndex } from './quorum.ts'
import { ReadIndex } from './read-index.ts'
import type { NodeId } from './types.ts'

/** Handing leadership over (thesis §3.10). */
export interface Transfer {
  readonly to: NodeId
  readonly untilMs: number
  /** Whether the target was asked to campaign: from then on it may at any time in this term. */
  isAsked: boolean
}

/** A read of this node's own clients by its number, or a follower's request. */
export type LeaderRead = number | ReadIndexRequest

export class Leadership {
  readonly reads = new ReadIndex<LeaderRead>()
  readonly peers = new Map<NodeId, Progress>()
  readonly lease: Lease
  heartbeatDueMs: number
  /** When to look whether this leader still reaches its quorum and its disk: reads do not put that off. */
  checkDueMs: number
  /** Number of the last round of heartbeats. */
  round = 0
  /** Record bytes of this leader's own entries that are not committed. */
  uncommittedBytes = 0
  transfer: Transfer | undefined
  /** Index of the first entry this leader appends itself. */
  readonly firstIndex: number
  readonly #options: RaftOptions
  readonly #log: RaftLog
  readonly #sinceMs: number
  readonly #timeBaseMs: number

  /** @param lastTimeMs log time of the last entry */
  constructor(options: RaftOptions, log: RaftLog, lastTimeMs: number, nowMs: number) {
    this.#options = options
    this.#log = log
    this.#sinceMs = nowMs
    this.#timeBaseMs = lastTimeMs
    this.lease = new Lease(options)
    this.heartbeatDueMs = nowMs + options.heartbeatIntervalMs
    this.checkDueMs = this.heartbeatDueMs
    this.firstIndex = log.lastIndex + 1
    this.followConfiguration(nowMs, this.firstIndex)
  }

  /**
   * Begins to track who is new (a new incarnation is), forgets who is gone.
   * @param next the entry that is sent first: one that is there or about to be, so that an idle leader probes too
   */
  followConfiguration(nowMs: number, next: number): void {
    const { identity, maxInflightMessages, maxInflightBytes } = this.#options
    const members = membersOf(this.#log.configurations.latest).filter(({ id }) => id !== identity.id)
    for (const [id, { incarnation }] of this.peers) {
      if (!members.some((member) => member.id === id && member.incarnation === incarnation))
        this.peers.delete(id)
    }
    for (const { id, incarnation } of members) {
      if (this.peers.has(id)) continue
      this.peers.set(id, new Progress(incarnation, next, nowMs, maxInflightMessages, maxInflightBytes))
    }
  }

  /** The progress of whom a reply came from; undefined where it is not, or no longer, a member. */
  progressOf(id: NodeId, incarnation: number): Progress | undefined {
    const progress = this.peers.get(id)
    return progress?.incarnation === incarnation ? progress : undefined
  }

  /** Log time now: goes on from the last entry's by this leader's monotonic clock. */
  timeMs(nowMs: number): number {
    return this.#timeBaseMs + (nowMs - this.#sinceMs)
  }

  /** The highest index that a quorum has flushed; this node counts itself, while it is a voter, after its own flush. */
  quorumMatch(): number {
    return this.#quorumOf(this.#log.stable, (progress) => progress.match)
  }

  /** Up to where every peer has flushed the log; infinite where there is none. */
  get leastMatch(): number {
    let least = Number.POSITIVE_INFINITY
    for (const { match } of this.peers.values()) if (match < least) least = match
    return least
  }

  /** The latest round of heartbeats that a quorum has answered. */
  quorumRound(): number {
    return this.#quorumOf(this.round, (progress) => progress.round)
  }

  /** Whether a quorum was heard of within `withinMs` (thesis §6.2). */
  hearsQuorum(nowMs: number, withinMs: number): boolean {
    const self = this.#options.identity.id
    return hasQuorum(this.#log.configurations.latest, (id) => {
      if (id === self) return true
      const progress = this.peers.get(id)
      return progress !== undefined && nowMs - progress.heardMs < withinMs
    })
  }

  #quorumOf(own: number, of: (progress: Progress) => number): number {
    const self = this.#options.identity.id
    return quorumIndex(this.#log.configurations.latest, (id) => {
      if (id === self) return own
      const progress = this.peers.get(id)
      return progress === undefined ? 0 : of(progress)
    })
  }
}
