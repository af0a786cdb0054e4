/** Following a leader: its heartbeats and its appends (Raft §5.3). */
import type { Entry } from './entry.ts'
import { invariant } from './errors.ts'
import type { AppendRequest, Heartbeat, Message, SnapshotOffer } from './message.ts'
import type { Replica } from './replica.ts'

export class Following {
  readonly #replica: Replica

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** The leader of this term has spoken. */
  followLeader(message: Message): void {
    const replica = this.#replica
    const { role, leader, term, self } = replica
    invariant(role !== 'leader', `two leaders in term ${term}: ${self} and ${message.from}`)
    if (role !== 'follower' || leader !== message.from) replica.becomeFollower(term, message.from)
    else replica.resetElectionTimer()
    replica.leaderHeardMs = replica.nowMs
    replica.leaderHeardId = message.from
    replica.leaderBoot = message.fromBoot
  }

  handleHeartbeat(message: Heartbeat): void {
    const replica = this.#replica
    this.followLeader(message)
    if (!replica.isDamaged) this.#commitTo(message.commit)
    replica.reply({ kind: 'heartbeatReply', ...replica.replyTo(message), round: message.round })
  }

  /**
   * A heartbeat commits no more than this very incarnation has acknowledged in this term, so has flushed, and that a
   * leader never has to take back (§5.3). Where the log ends before, its disk was rolled back by somebody.
   */
  #commitTo(commit: number): void {
    const { log, forgotten = 0 } = this.#replica
    if (commit <= log.lastIndex) log.commitTo(commit)
    else this.#replica.forgotten = Math.max(forgotten, commit)
  }

  handleAppendRequest(message: AppendRequest): void {
    const { log, isDamaged } = this.#replica
    this.followLeader(message)
    // It could neither check nor acknowledge: first it is repaired (repair.ts).
    if (isDamaged) return
    const { prevIndex, entries } = message
    // What is committed here is the leader's too: no need to look at it again.
    if (prevIndex < log.committed) return this.acknowledge(message, log.committed)
    if (!log.matches(prevIndex, message.prevTerm)) return this.#refuse(message)
    this.#append(entries)
    const last = prevIndex + entries.length
    log.commitTo(Math.min(message.commit, last))
    this.acknowledge(message, last)
  }

  /** §5.3: an entry that conflicts, same index and other term, goes, with all that follow it. */
  #append(entries: readonly Entry[]): void {
    const { log, unpersisted } = this.#replica
    let added = unpersisted
    for (const entry of entries) {
      if (entry.index <= log.lastIndex) {
        if (log.matches(entry.index, entry.term)) continue
        this.#parted(entry.index)
        this.truncate(entry.index)
        added = this.#replica.unpersisted
      }
      log.append(entry)
      added.push(entry)
    }
  }

  /** For operators: a log that parts again and again says that leaders change with much that is not committed. */
  #parted(index: number): void {
    const { log, metrics } = this.#replica
    metrics.logConflicts++
    metrics.entriesOverwritten += log.lastIndex - index + 1
    metrics.lastConflictIndex = index
  }

  /** Removes the entries from `index` on, from memory and, with the next persist, from the disk. */
  truncate(index: number): void {
    const replica = this.#replica
    replica.log.truncateFrom(index)
    replica.outbox.truncated(index)
    const first = replica.unpersisted[0]
    if (first !== undefined && first.index < index) {
      // Only entries that the store was not given yet.
      replica.unpersisted.length = index - first.index
      return
    }
    replica.unpersisted = []
    replica.truncateFrom = Math.min(replica.truncateFrom ?? index, index)
  }

  /** Everything up to `matchIndex` is the leader's. Told after the flush. */
  acknowledge(message: AppendRequest | SnapshotOffer, matchIndex: number): void {
    const replica = this.#replica
    const before = replica.ack
    if (before !== undefined && before.term === replica.term && before.matchIndex >= matchIndex) return
    replica.ack = {
      kind: 'appendReply',
      ...replica.replyTo(message),
      accepted: true,
      matchIndex,
      rejected: 0,
      hintIndex: 0,
      hintTerm: 0,
    }
  }

  #refuse(message: AppendRequest): void {
    const replica = this.#replica
    const hintIndex = replica.log.lastIndexWithTermAtMost(message.prevIndex, message.prevTerm)
    replica.reply({
      kind: 'appendReply',
      ...replica.replyTo(message),
      accepted: false,
      matchIndex: 0,
      rejected: message.prevIndex,
      hintIndex,
      hintTerm: replica.log.termAt(hintIndex) ?? 0,
    })
  }
}
