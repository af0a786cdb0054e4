/**
 * What a node knows only while it leads: its peers' progress, its reads, its uncommitted bytes, log time.
 * Made when an election is won, thrown away when the node steps down: nothing of it leaks into the next term.
 */
import type { RaftLog } from './log.ts'
import type { RaftOptions } from './options.ts'
import { Progress } from './progress.ts'
import { hasQuorum, quorumIndex } from './quorum.ts'
import { ReadIndex } from './read-index.ts'
import type { NodeId } from './types.ts'

export class Leadership {
  readonly reads = new ReadIndex()
  readonly peers = new Map<NodeId, Progress>()
  heartbeatDueMs: number
  /** Record bytes of this leader's own entries that are not committed. */
  uncommittedBytes = 0
  /** Index of the first entry this leader appends itself. */
  readonly firstIndex: number
  readonly #options: RaftOptions
  readonly #log: RaftLog
  readonly #sinceMs: number
  readonly #timeBaseMs: number

  constructor(options: RaftOptions, log: RaftLog, nowMs: number) {
    this.#options = options
    this.#log = log
    this.#sinceMs = nowMs
    this.#timeBaseMs = log.lastTimeMs
    this.heartbeatDueMs = nowMs + options.heartbeatIntervalMs
    const next = log.lastIndex + 1
    this.firstIndex = next
    for (const { id } of options.configuration.voters) {
      if (id === options.identity.id) continue
      this.peers.set(id, new Progress(next, nowMs, options.maxInflightMessages, options.maxInflightBytes))
    }
  }

  /** Log time now: goes on from the last entry's by this leader's monotonic clock. */
  timeMs(nowMs: number): number {
    return this.#timeBaseMs + (nowMs - this.#sinceMs)
  }

  /** The highest index that a quorum has flushed; this node counts itself only after its own flush. */
  quorumMatch(): number {
    return this.#quorumOf(this.#log.stable, (progress) => progress.match)
  }

  /** The latest read round that a quorum has answered. */
  quorumReadRound(): number {
    return this.#quorumOf(this.reads.round, (progress) => progress.readRound)
  }

  /** Whether a quorum was heard of within `withinMs` (thesis §6.2). */
  hearsQuorum(nowMs: number, withinMs: number): boolean {
    const self = this.#options.identity.id
    return hasQuorum(this.#options.configuration, (id) => {
      if (id === self) return true
      const progress = this.peers.get(id)
      return progress !== undefined && nowMs - progress.heardMs < withinMs
    })
  }

  #quorumOf(own: number, of: (progress: Progress) => number): number {
    const self = this.#options.identity.id
    return quorumIndex(this.#options.configuration, (id) => {
      if (id === self) return own
      const progress = this.peers.get(id)
      return progress === undefined ? 0 : of(progress)
    })
  }
}
