/**
 * Leading: proposals become entries, entries go to the peers, answers move the commit index (Raft §5.3, §5.4.2, §8).
 */
import { EntryKind, encodeEntry } from './entry.ts'
import { invariant } from './errors.ts'
import type { Leadership } from './leadership.ts'
import type { AppendReply, HeartbeatReply, ReadIndexRequest } from './message.ts'
import type { Progress } from './progress.ts'
import type { Replica } from './replica.ts'
import type { NodeId } from './types.ts'

/** What leading hands to the rooms beside it. */
export interface LeadingEvents {
  /** `id` needs what the log no longer has. */
  offerSnapshot(id: NodeId): void
  /** The commit index has risen. */
  committed(leadership: Leadership): void
  /** `id` has acknowledged more than before. */
  caughtUp(leadership: Leadership, id: NodeId): void
}

export class Leading {
  readonly #replica: Replica
  readonly #events: LeadingEvents

  constructor(replica: Replica, events: LeadingEvents) {
    this.#replica = replica
    this.#events = events
  }

  /** Appends one entry of this leader's term. Returns its index. */
  append(
    leadership: Leadership,
    kind: EntryKind,
    parts: readonly Uint8Array[],
    commandCount: number,
  ): number {
    const replica = this.#replica
    const { log, options, term } = replica
    const index = log.lastIndex + 1
    const timeMs = leadership.timeMs(replica.nowMs)
    const configurationIndex = kind === EntryKind.configuration ? index : log.configurations.latestIndex
    const header = { index, term, kind, timeMs, commandCount, configurationIndex }
    const entry = encodeEntry(header, parts, options.checksum, log.lastEntry)
    log.append(entry)
    replica.unpersisted.push(entry)
    leadership.uncommittedBytes += entry.record.byteLength
    replica.metrics.entriesAppended++
    return index
  }

  // ---- replication

  /** To every peer what it lacks, as far as its window allows. */
  sendAppends(leadership: Leadership): void {
    for (const [id, progress] of leadership.peers) this.#sendAppendsTo(id, progress)
  }

  #sendAppendsTo(id: NodeId, progress: Progress): void {
    const { log, options } = this.#replica
    while (progress.canSend && progress.next <= log.lastIndex) {
      if (progress.next <= log.base.index) {
        progress.becomeSnapshot()
        this.#events.offerSnapshot(id)
        return
      }
      const entries = log.read(progress.next, log.lastIndex, options.maxAppendBytes)
      const last = entries.at(-1)
      invariant(last !== undefined, `no entry at ${progress.next} for ${id}`)
      let bytes = 0
      for (const entry of entries) bytes += entry.record.byteLength
      this.#sendAppend(id, progress, progress.next - 1, entries)
      progress.sent(last.index, bytes)
    }
    // The commit index does not wait for room in the window: what it commits is there already.
    const known = Math.min(progress.match, log.committed)
    if (progress.isFull && known > progress.sentCommit) this.#sendAppend(id, progress, progress.match, [])
  }

  #sendAppend(
    id: NodeId,
    progress: Progress,
    prevIndex: number,
    entries: ReturnType<Replica['log']['read']>,
  ): void {
    const { log, outbox, metrics } = this.#replica
    const prevTerm = log.termAt(prevIndex)
    // A peer's match can lie behind what this log begins with; what is to be sent never does.
    if (prevTerm === undefined && entries.length === 0) return
    invariant(prevTerm !== undefined, `the log no longer has ${prevIndex}, which ${id} needs`)
    metrics.appendsSent++
    metrics.entriesSent += entries.length
    if (entries.length === 0) metrics.emptyAppendsSent++
    const commit = log.committed
    progress.sentCommit = commit
    const envelope = this.#replica.to(id)
    outbox.sendNow({ kind: 'appendRequest', ...envelope, prevIndex, prevTerm, commit, entries })
  }

  handleAppendReply(message: AppendReply): void {
    const { leadership, log, metrics } = this.#replica
    const progress = leadership?.progressOf(message.from, message.fromIncarnation)
    if (leadership === undefined || progress === undefined) return
    if (message.accepted) {
      const { matchIndex, from } = message
      invariant(matchIndex <= log.lastIndex, `${from} acknowledged ${matchIndex} of ${log.lastIndex}`)
      if (!progress.accepted(matchIndex)) return
      this.maybeCommit(leadership)
      if (this.#replica.leadership === leadership) this.#events.caughtUp(leadership, from)
      return
    }
    metrics.appendsRefused++
    // The follower's term at its hint may itself be ahead of what this log has there: skip that run too.
    const hint = log.lastIndexWithTermAtMost(message.hintIndex, message.hintTerm)
    progress.refused(message.rejected, hint)
  }

  /** §5.3, §5.4.2: a quorum has flushed it, and it is of this term; earlier entries are committed with it. */
  maybeCommit(leadership: Leadership): void {
    const { log, term } = this.#replica
    const index = leadership.quorumMatch()
    const before = log.committed
    if (index <= before || log.termAt(index) !== term) return
    log.commitTo(index)
    const from = Math.max(before + 1, leadership.firstIndex)
    for (const entry of log.read(from, index, Number.POSITIVE_INFINITY)) {
      leadership.uncommittedBytes -= entry.record.byteLength
    }
    this.#events.committed(leadership)
  }

  // ---- heartbeats

  tick(leadership: Leadership): void {
    if (!this.#isFit(leadership)) return this.#replica.becomeFollower(this.#replica.term, undefined)
    if (this.#replica.nowMs >= leadership.heartbeatDueMs) this.#broadcastHeartbeat(leadership)
  }

  /** Whether this leader still reaches a quorum, and its disk: looked at once a heartbeat interval. */
  #isFit(leadership: Leadership): boolean {
    const replica = this.#replica
    if (replica.nowMs < leadership.checkDueMs) return true
    leadership.checkDueMs = replica.nowMs + replica.options.heartbeatIntervalMs
    const { checkQuorum, electionTimeoutMaxMs, maxPersistStallMs } = replica.options
    // Thesis §6.2: one that reaches no quorum only keeps clients from finding the one that does.
    if (checkQuorum && !leadership.hearsQuorum(replica.nowMs, electionTimeoutMaxMs)) {
      return false
    }
    // A full disk is told of, and is not the end of it: reads go on, and so do commits by the others' disks.
    if (replica.isDiskFull) return true
    // Heartbeats do not wait for the disk: without this a leader whose disk hangs would be followed forever.
    if (!replica.isStalled(maxPersistStallMs)) return true
    replica.metrics.persistStalls++
    return false
  }

  #broadcastHeartbeat(leadership: Leadership): void {
    const { nowMs, options, log, outbox } = this.#replica
    leadership.heartbeatDueMs = nowMs + options.heartbeatIntervalMs
    const round = ++leadership.round
    leadership.lease.sent(round, nowMs)
    for (const [id, progress] of leadership.peers) {
      const commit = Math.min(progress.match, log.committed)
      // A namesake must not take for its own what the member has acknowledged.
      const envelope = { ...this.#replica.to(id), toIncarnation: progress.incarnation }
      outbox.sendNow({ kind: 'heartbeat', ...envelope, commit, round })
      if (progress.state === 'snapshot') this.#events.offerSnapshot(id)
    }
    // A voter alone is its own quorum, also for reads that waited for one that was removed meanwhile.
    this.#confirmRounds(leadership)
  }

  handleHeartbeatReply(message: HeartbeatReply): void {
    const { leadership } = this.#replica
    const progress = leadership?.progressOf(message.from, message.fromIncarnation)
    if (leadership === undefined || progress === undefined) return
    invariant(message.round <= leadership.round, `${message.from} answers round ${message.round}`)
    if (message.round > progress.round) {
      progress.round = message.round
      this.#confirmRounds(leadership)
    }
    if (progress.state === 'probe') progress.probing = false
    else if (progress.inflightMessages > 0) this.#askForLost(message.from, progress)
  }

  /** Was the last append lost? An empty one behind it is refused if so. */
  #askForLost(id: NodeId, progress: Progress): void {
    // What was sent is compacted by now: if it was lost, a snapshot must take its place.
    if (progress.next <= this.#replica.log.base.index) progress.becomeProbe()
    else this.#sendAppend(id, progress, progress.next - 1, [])
  }

  // ---- reads

  /** Thesis §6.4: not before an entry of this term is committed, and confirmed by heartbeats sent from now on. */
  beginReadRound(leadership: Leadership): void {
    if (!leadership.reads.hasWaiting || !this.#replica.hasCommittedInTerm) return
    leadership.reads.begin(leadership.round + 1, this.#replica.log.committed)
    this.#broadcastHeartbeat(leadership)
  }

  #confirmRounds(leadership: Leadership): void {
    const replica = this.#replica
    const round = leadership.quorumRound()
    leadership.lease.confirmed(round)
    leadership.reads.confirm(round, (read, index) => {
      if (typeof read === 'number') replica.reads.push({ id: read, index })
      else replica.reply({ kind: 'readIndexReply', ...replica.replyTo(read), id: read.id, index })
    })
  }

  /** A follower's reads. */
  handleReadIndexRequest(message: ReadIndexRequest): void {
    const replica = this.#replica
    if (replica.leadership !== undefined) replica.leadership.reads.add(message)
    else replica.reply({ kind: 'readIndexReply', ...replica.replyTo(message), id: message.id, index: 0 })
  }
}
