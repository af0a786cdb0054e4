/**
 * What a node is, whatever its role: term, vote, role, known leader, log and outboxes; and how it becomes something
 * else. The rooms around it (elections, following, leading, transfers, repair) read it and change it only through
 * its methods, so that each rule about terms and roles stands in one place.
 *
 * Invariants: the term only rises; at most one vote a term (§5.2); `leadership` exists exactly while leading,
 * `campaign` only as candidate or pre-candidate.
 */
import type { Campaign } from './campaign.ts'
import { membersOf } from './configuration.ts'
import type { Entry } from './entry.ts'
import { invariant } from './errors.ts'
import { isPartOf } from './kept-state.ts'
import { Leadership } from './leadership.ts'
import { RaftLog } from './log.ts'
import type { AppendReply, Message } from './message.ts'
import type { RaftOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import type { LogReader, SnapshotStore } from './ports.ts'
import type { LogPosition, PersistRequest, ReadGrant, Ready, RoleChange } from './ready.ts'
import type { Configuration, HardState, Member, NodeId, Role } from './types.ts'

/** Counters since the core was made. */
export interface RaftMetrics {
  /** Elections begun (a term was raised for them). */
  elections: number
  preElections: number
  leaderships: number
  /** Elections of this node that ended without a leader: votes were split, or too few came. */
  splitElections: number
  /** Times that the term was raised. */
  termChanges: number
  /** Messages of an earlier term. */
  staleMessages: number
  entriesAppended: number
  commandsAppended: number
  appendsSent: number
  /** Of those the ones that carry no entry: they tell of a commit, or ask for what was lost. */
  emptyAppendsSent: number
  /** Entries in append messages, those that were sent again and those to each follower counted each time. */
  entriesSent: number
  appendsRefused: number
  snapshotsOffered: number
  snapshotsInstalled: number
  compactions: number
  /** Times that this log had parted from its leader's: entries that conflicted were removed (§5.3). */
  logConflicts: number
  /** How many those were. */
  entriesOverwritten: number
  /** Where it had parted the last time; 0: never. */
  lastConflictIndex: number
  /** Damaged entries that were replaced by sound ones. */
  entriesRepaired: number
  /** Times that this leader stepped down because its disk did not answer. */
  persistStalls: number
}

const newMetrics = (): RaftMetrics => ({
  elections: 0,
  preElections: 0,
  leaderships: 0,
  splitElections: 0,
  termChanges: 0,
  staleMessages: 0,
  entriesAppended: 0,
  commandsAppended: 0,
  appendsSent: 0,
  emptyAppendsSent: 0,
  entriesSent: 0,
  appendsRefused: 0,
  snapshotsOffered: 0,
  snapshotsInstalled: 0,
  compactions: 0,
  logConflicts: 0,
  entriesOverwritten: 0,
  lastConflictIndex: 0,
  entriesRepaired: 0,
  persistStalls: 0,
})

/** What a node finds when it starts. */
export type FoundLog = LogReader & { readonly hardState: HardState }

export class Replica {
  readonly metrics = newMetrics()
  readonly options: RaftOptions
  readonly self: NodeId
  readonly log: RaftLog
  readonly outbox: Outbox
  readonly snapshots: SnapshotStore
  readonly startedMs: number
  /** The term found on the disk: 0 for a node that has never promised anything. */
  readonly foundTerm: number
  /** Whether the log goes on from the state that the application has kept. */
  readonly isStateKept: boolean
  /** Whose connection is known to be closed. */
  readonly gone = new Set<NodeId>()

  nowMs: number
  /** Set while this node campaigns or leads; see the invariants above. */
  campaign: Campaign | undefined
  leadership: Leadership | undefined
  /** When a leader was last heard of, whatever became of it: what stickiness counts from. */
  leaderHeardMs = Number.NEGATIVE_INFINITY
  /** Who that was, and which start of it. */
  leaderHeardId: NodeId | undefined
  leaderBoot = 0
  electionDueMs = 0
  /** Pre-elections since the leader was reported gone: spaces the retries. */
  goneRetries = 0

  // What the next Ready will say.
  hardStateChanged = false
  roleChanged = true
  reads: ReadGrant[] = []
  readsRefused: number[] = []
  unpersisted: Entry[] = []
  repairs: Entry[] = []
  truncateFrom: number | undefined
  reset: LogPosition | undefined
  compactTo: LogPosition | undefined
  /** A peer needs a later snapshot of this node's state than there is. */
  snapshotWanted = false
  /** Peers prove that entries up to here were flushed by this node, and its log ends before. */
  forgotten: number | undefined
  /** Whether the disk is refused space: everything handed to it waits, in token order. */
  isDiskFull = false
  /** When it had space again: what waited until then has not been waiting for a disk that hangs. */
  spaceSinceMs = Number.NEGATIVE_INFINITY
  /** One acknowledgement a drain: the highest speaks for the others. */
  ack: AppendReply | undefined

  #role: Role = 'follower'
  #term: number
  #vote: NodeId
  #voteIncarnation: number
  #leader: NodeId | undefined

  constructor(options: RaftOptions, found: FoundLog, snapshots: SnapshotStore, nowMs: number) {
    this.options = options
    this.self = options.identity.id
    this.snapshots = snapshots
    this.nowMs = nowMs
    this.startedMs = nowMs
    const { term, vote, voteIncarnation } = found.hardState
    this.foundTerm = term
    this.#term = term
    this.#vote = vote
    this.#voteIncarnation = voteIncarnation
    const { configuration, maxTailBytes, kept } = options
    this.isStateKept = kept !== undefined && isPartOf(kept, found, snapshots.latest)
    const from = kept !== undefined && this.isStateKept ? kept.index : 0
    const application = kept && { from, isAtRest: kept.isAtRest === true }
    this.log = new RaftLog(found, snapshots.latest, configuration, maxTailBytes, application)
    this.outbox = new Outbox(term)
  }

  get role(): Role {
    return this.#role
  }
  get term(): number {
    return this.#term
  }
  get vote(): NodeId {
    return this.#vote
  }
  get leader(): NodeId | undefined {
    return this.#leader
  }
  get hardState(): HardState {
    return { term: this.#term, vote: this.#vote, voteIncarnation: this.#voteIncarnation }
  }
  get configuration(): Configuration {
    return this.log.configurations.latest
  }
  /**
   * Whether this node votes, and may campaign. One that its latest configuration leaves out is still needed until that
   * is committed: its log may be the only one that can win (thesis §4.2.2). Its own vote counts by that
   * configuration, so not at all.
   */
  get isVoter(): boolean {
    const { configurations, committed } = this.log
    if (this.#votesIn(configurations.latest)) return true
    return configurations.latestIndex > committed && this.#votesIn(configurations.previous)
  }

  /** A namesake of another incarnation is somebody else. */
  #votesIn({ voters, outgoing }: Configuration): boolean {
    const { incarnation } = this.options.identity
    const isThis = (member: Member): boolean => member.id === this.self && member.incarnation === incarnation
    return voters.some(isThis) || outgoing.some(isThis)
  }

  get isDamaged(): boolean {
    return !this.log.damage.isEmpty
  }

  /** Other members of the configuration in effect. */
  get peerIds(): NodeId[] {
    return membersOf(this.configuration).flatMap(({ id }) => (id === this.self ? [] : [id]))
  }

  /** Whether the oldest write has been waiting for its flush for longer than this. */
  isStalled(ms: number): boolean {
    const { oldestMs } = this.outbox
    return oldestMs !== undefined && this.nowMs - Math.max(oldestMs, this.spaceSinceMs) > ms
  }

  /** The store is refused space, or has it again. */
  diskSpace(isFull: boolean): void {
    if (this.isDiskFull && !isFull) this.spaceSinceMs = this.nowMs
    this.isDiskFull = isFull
  }

  /** Whether this term's leader, this node, has committed an entry of it: only then does it know what is committed. */
  get hasCommittedInTerm(): boolean {
    return this.log.termAt(this.log.committed) === this.#term
  }

  // ---- terms and roles

  becomeFollower(term: number, leader: NodeId | undefined): void {
    if (term > this.#term) this.#enterTerm(term)
    this.#leaveLeadership()
    this.campaign = undefined
    this.#setRole('follower')
    this.setLeader(leader)
    this.resetElectionTimer()
  }

  becomePreCandidate(campaign: Campaign): void {
    this.metrics.preElections++
    this.#setRole('preCandidate')
    this.setLeader(undefined)
    this.campaign = campaign
    this.resetElectionTimer()
  }

  /** §5.2: a new term, and the own vote in it. */
  enterCandidacy(): void {
    this.metrics.elections++
    this.#enterTerm(this.#term + 1)
    this.voteFor(this.self, this.options.identity.incarnation)
    this.#setRole('candidate')
    this.setLeader(undefined)
    this.resetElectionTimer()
  }

  becomeLeader(): Leadership {
    invariant(this.#role === 'candidate', `a ${this.#role} cannot become leader`)
    this.metrics.leaderships++
    this.campaign = undefined
    this.#setRole('leader')
    this.setLeader(this.self)
    this.leadership = new Leadership(this.options, this.log, this.#lastTimeMs(), this.nowMs)
    return this.leadership
  }

  /** Whether the vote of this term is free for, or has gone to, that very incarnation. */
  mayVoteFor(id: NodeId, incarnation: number): boolean {
    return this.#vote === '' || (this.#vote === id && this.#voteIncarnation === incarnation)
  }

  voteFor(id: NodeId, incarnation: number): void {
    invariant(this.mayVoteFor(id, incarnation), `a second vote in term ${this.#term}: ${this.#vote}, ${id}`)
    if (this.#vote === id) return
    this.#vote = id
    this.#voteIncarnation = incarnation
    this.hardStateChanged = true
  }

  setLeader(leader: NodeId | undefined): void {
    if (leader !== undefined) this.goneRetries = 0
    if (this.#leader === leader) return
    this.#leader = leader
    this.roleChanged = true
  }

  #enterTerm(term: number): void {
    invariant(Number.isSafeInteger(term) && term > this.#term, `term ${this.#term} to ${term}`)
    this.metrics.termChanges++
    this.#term = term
    this.#vote = ''
    this.#voteIncarnation = 0
    this.ack = undefined // to a leader of an earlier term
    this.hardStateChanged = true
    this.roleChanged = true
  }

  #setRole(role: Role): void {
    if (this.#role === role) return
    this.#role = role
    this.roleChanged = true
  }

  #leaveLeadership(): void {
    const { leadership } = this
    if (leadership === undefined) return
    this.leadership = undefined
    for (const read of leadership.reads.clear()) {
      if (typeof read === 'number') this.readsRefused.push(read)
      else this.reply({ kind: 'readIndexReply', ...this.replyTo(read), id: read.id, index: 0 })
    }
  }

  /** Log time of the last entry, or of the snapshot that the log begins behind. */
  #lastTimeMs(): number {
    const { lastIndex, base } = this.log
    if (lastIndex > base.index) return this.log.entryAt(lastIndex).timeMs
    return this.snapshots.latest?.timeMs ?? 0
  }

  /**
   * Random, anew each time (§5.2), longer for a node of lower priority. Short while the leader is known to be gone: then
   * the wait is only a retry.
   */
  resetElectionTimer(): void {
    const { electionTimeoutMinMs: min, electionTimeoutMaxMs: max, goneRetryMs, random } = this.options
    const retryMs = goneRetryMs * 2 ** this.goneRetries
    const isRetry =
      this.gone.size > 0 && this.#leader === undefined && this.#role !== 'candidate' && retryMs < min
    if (isRetry) this.goneRetries++
    const waitMs = isRetry ? retryMs * (0.5 + random.next()) : min + random.next() * (max - min)
    this.electionDueMs = this.nowMs + waitMs + this.#patience * (isRetry ? retryMs : max)
  }

  /** From 0, the highest priority, to 1. */
  get #patience(): number {
    return 1 - this.options.electionPriority / 100
  }

  /** The leader is known to be gone: ask for votes soon, after a small random stagger. */
  campaignSoon(): void {
    const { random, goneStaggerMs, goneRetryMs } = this.options
    this.goneRetries = 0
    this.electionDueMs = this.nowMs + random.next() * goneStaggerMs + this.#patience * goneRetryMs
  }

  // ---- what a Ready says

  takePersist(): PersistRequest | undefined {
    const { outbox, ack, unpersisted: entries, repairs, truncateFrom, reset, compactTo } = this
    if (ack !== undefined) {
      outbox.sendAfterFlush(ack)
      this.ack = undefined
    }
    const hardState = this.hardStateChanged ? this.hardState : undefined
    const storesNothing =
      hardState === undefined &&
      truncateFrom === undefined &&
      entries.length === 0 &&
      reset === undefined &&
      compactTo === undefined &&
      repairs.length === 0
    if (storesNothing && !outbox.hasAfterFlush) return undefined
    this.unpersisted = []
    this.truncateFrom = undefined
    this.hardStateChanged = false
    if (repairs.length > 0) this.repairs = []
    this.reset = undefined
    this.compactTo = undefined
    const { token, messages } = outbox.open(entries.at(-1)?.index ?? 0, hardState?.term, this.nowMs)
    return { token, hardState, reset, truncateFrom, repairs, entries, compactTo, messages }
  }

  takeReads(): Pick<Ready, 'reads' | 'readsRefused'> {
    const { reads, readsRefused } = this
    this.reads = []
    this.readsRefused = []
    return { reads, readsRefused }
  }

  takeSnapshotWanted(): boolean {
    const wanted = this.snapshotWanted
    this.snapshotWanted = false
    return wanted
  }

  takeRoleChange(): RoleChange | undefined {
    if (!this.roleChanged) return undefined
    this.roleChanged = false
    return { role: this.#role, term: this.#term, leader: this.#leader }
  }

  // ---- speaking

  logEnd(): { lastIndex: number; lastTerm: number } {
    return { lastIndex: this.log.lastIndex, lastTerm: this.log.lastTerm }
  }

  /** The envelope of a request. */
  to(id: NodeId) {
    const { incarnation, boot } = this.options.identity
    return {
      from: this.self,
      fromIncarnation: incarnation,
      fromBoot: boot,
      to: id,
      toIncarnation: 0,
      toBoot: 0,
      term: this.#term,
    }
  }

  /** The envelope of an answer. */
  replyTo(message: Message) {
    return { ...this.to(message.from), toIncarnation: message.fromIncarnation, toBoot: message.fromBoot }
  }

  /** What promises nothing; it still must not tell of a term that a crash could take back. */
  reply(message: Message): void {
    if (this.hardStateChanged || this.outbox.flushedTerm !== this.#term) this.outbox.sendAfterFlush(message)
    else this.outbox.sendNow(message)
  }
}
