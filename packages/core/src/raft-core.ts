/**
 * The Raft state machine of one node: pure, synchronous, deterministic.
 *
 *     step(message) ─┐
 *     propose(parts) ├─► state ─► ready() ─► persist │ messages │ committed │ reads   (contract: ready.ts)
 *     persisted(tok) │
 *     tick(now)      ┘
 *
 * Invariants: at most one vote a term, on the disk before it is told (§5.2); an entry is committed only when a
 * quorum has flushed it and it is of the leader's own term (§5.4.2); a leader only appends (§5.3);
 * term, commit index and a peer's match never go back.
 *
 * Section numbers are those of the extended Raft paper; "thesis" is Ongaro's dissertation.
 */
import { Campaign } from './campaign.ts'
import { type Entry, EntryKind, encodeEntry } from './entry.ts'
import { invariant } from './errors.ts'
import { Leadership } from './leadership.ts'
import { RaftLog } from './log.ts'
import type {
  AppendReply,
  AppendRequest,
  Heartbeat,
  HeartbeatReply,
  Message,
  PreVoteReply,
  PreVoteRequest,
  VoteReply,
  VoteRequest,
} from './message.ts'
import type { RaftOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import type { LogReader } from './ports.ts'
import type { Progress } from './progress.ts'
import { isVoter } from './quorum.ts'
import type { PersistRequest, ReadGrant, Ready, RoleChange } from './ready.ts'
import type { HardState, NodeId, Role } from './types.ts'

/** Counters since the core was made. */
export interface RaftMetrics {
  /** Elections begun (a term was raised for them). */
  elections: number
  preElections: number
  leaderships: number
  entriesAppended: number
  commandsAppended: number
  appendsSent: number
  appendsRefused: number
}

/** Why a proposal would be refused now. */
export type ProposalRefusal = 'NOT_LEADER' | 'BUSY'

const NO_PARTS: readonly Uint8Array[] = []

export class RaftCore {
  readonly metrics: RaftMetrics = {
    elections: 0,
    preElections: 0,
    leaderships: 0,
    entriesAppended: 0,
    commandsAppended: 0,
    appendsSent: 0,
    appendsRefused: 0,
  }

  readonly #options: RaftOptions
  readonly #self: NodeId
  readonly #log: RaftLog
  readonly #outbox: Outbox
  /** Incarnations by the configuration: messages of anyone else count for nothing. */
  readonly #members: ReadonlyMap<NodeId, number>
  readonly #gone = new Set<NodeId>()

  #nowMs: number
  #role: Role = 'follower'
  #term: number
  #vote: NodeId
  #leader: NodeId | undefined
  #leaderHeardMs = Number.NEGATIVE_INFINITY
  #electionDueMs = 0
  /** Pre-elections since the leader was reported gone: spaces the retries. */
  #goneRetries = 0
  #campaign: Campaign | undefined
  /** A pre-vote that was refused only because the leader was thought alive. */
  #heldPreVote: PreVoteRequest | undefined
  #leadership: Leadership | undefined

  #hardStateChanged = false
  #roleChanged = true
  #truncateFrom: number | undefined
  #unpersisted: Entry[] = []
  #ack: AppendReply | undefined
  #reads: ReadGrant[] = []
  #readsRefused: number[] = []

  /**
   * @param options resolved knobs, identity, configuration, random source and checksum
   * @param store what was found on the disk: hard state, and the log to read from
   * @param nowMs monotonic milliseconds
   */
  constructor(options: RaftOptions, store: LogReader & { readonly hardState: HardState }, nowMs: number) {
    this.#options = options
    this.#self = options.identity.id
    this.#nowMs = nowMs
    this.#log = new RaftLog(store, options.maxTailBytes)
    this.#term = store.hardState.term
    this.#vote = store.hardState.vote
    this.#outbox = new Outbox(this.#term)
    this.#members = new Map(options.configuration.voters.map((voter) => [voter.id, voter.incarnation]))
    this.#resetElectionTimer()
  }

  // ---- what can be seen from outside

  get id(): NodeId {
    return this.#self
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
  get commitIndex(): number {
    return this.#log.committed
  }
  get lastIndex(): number {
    return this.#log.lastIndex
  }
  /** Last index that is flushed here. */
  get stableIndex(): number {
    return this.#log.stable
  }
  /** Match index of each peer; empty on a node that does not lead. */
  get matchIndexes(): ReadonlyMap<NodeId, number> {
    const peers = this.#leadership?.peers ?? new Map<NodeId, Progress>()
    return new Map([...peers].map(([id, progress]) => [id, progress.match]))
  }
  /** When `tick` must be called at the latest, in milliseconds of the clock given to it. */
  get deadlineMs(): number {
    return this.#leadership?.heartbeatDueMs ?? this.#electionDueMs
  }
  /** Whether a Ready would hand out entries or messages without any further event. */
  get hasCommitted(): boolean {
    return this.#log.hasCommitted
  }

  // ---- events

  /** Sets the time that the following events happen at. Never goes back. */
  advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
  }

  /** Lets what is due at `nowMs` happen. Called after the messages of a drain were stepped. */
  tick(nowMs: number): void {
    this.advance(nowMs)
    if (this.#leadership !== undefined) this.#tickLeader(this.#leadership)
    else if (this.#nowMs >= this.#electionDueMs) this.campaign()
  }

  /** Asks for votes now, as if the election timeout had passed. Nothing on a leader or a non-voter. */
  campaign(): void {
    if (this.#role === 'leader') return
    if (!isVoter(this.#options.configuration, this.#self)) return this.#resetElectionTimer()
    if (this.#options.preVote) this.#becomePreCandidate()
    else this.#becomeCandidate()
  }

  step(message: Message): void {
    if (!this.#isForMe(message)) return
    if (message.term > this.#term) this.#stepLaterTerm(message)
    else if (message.term < this.#term) return this.#stepEarlierTerm(message)
    this.#heardFrom(message.from)
    switch (message.kind) {
      case 'preVoteRequest':
        return this.#handlePreVoteRequest(message)
      case 'preVoteReply':
        return this.#handlePreVoteReply(message)
      case 'voteRequest':
        return this.#handleVoteRequest(message)
      case 'voteReply':
        return this.#handleVoteReply(message)
      case 'appendRequest':
        return this.#handleAppendRequest(message)
      case 'appendReply':
        return this.#handleAppendReply(message)
      case 'heartbeat':
        return this.#handleHeartbeat(message)
      case 'heartbeatReply':
        return this.#handleHeartbeatReply(message)
    }
  }

  /** Why {@link propose} must not be called now; undefined where it may. */
  get proposalRefusal(): ProposalRefusal | undefined {
    if (this.#leadership === undefined) return 'NOT_LEADER'
    return this.#leadership.uncommittedBytes >= this.#options.maxUncommittedBytes ? 'BUSY' : undefined
  }

  /**
   * Whether another entry should be made now. When as many as `maxUncommittedEntries` are under way, what is
   * proposed meanwhile makes a better batch by waiting for one of them.
   */
  get hasRoom(): boolean {
    return this.#log.lastIndex - this.#log.committed < this.#options.maxUncommittedEntries
  }

  /** Appends one entry with the concatenation of `parts` as payload. Returns its index. Leaders only. */
  propose(parts: readonly Uint8Array[], commandCount: number): number {
    const leadership = this.#leadership
    invariant(leadership !== undefined, 'propose on a node that does not lead')
    this.metrics.commandsAppended += commandCount
    return this.#appendOwn(leadership, EntryKind.commands, parts, commandCount)
  }

  /** Asks for a linearizable read; comes back in `Ready.reads` or `Ready.readsRefused` under `id`. */
  readIndex(id: number): void {
    if (this.#leadership === undefined) this.#readsRefused.push(id)
    else this.#leadership.reads.add(id)
  }

  /** The store has flushed everything up to `token`. */
  persisted(token: number): void {
    const stable = this.#outbox.complete(token)
    if (stable > 0) this.#log.stableTo(stable)
    const campaign = this.#campaign
    if (this.#role === 'candidate' && campaign !== undefined && campaign.selfVoteToken <= token) {
      campaign.record(this.#self, true)
      this.#concludeCampaign(campaign)
    }
    if (this.#leadership !== undefined) this.#maybeCommit(this.#leadership)
  }

  /** A connection to `id` is there (again): what was on its way is lost, where it stands is unknown. */
  peerUp(id: NodeId): void {
    this.#gone.delete(id)
    this.#leadership?.peers.get(id)?.becomeProbe()
  }

  /**
   * The connection to `id` closed. Only a hint, a living node can lose its connections: if it was the leader,
   * ask for pre-votes soon, after a small random stagger. A wrong hint is refused by those who hear the leader.
   */
  peerGone(id: NodeId): void {
    this.#gone.add(id)
    this.#leadership?.peers.get(id)?.becomeProbe()
    if (this.#leader !== id) return
    this.#setLeader(undefined)
    this.#goneRetries = 0
    this.#leaderHeardMs = Number.NEGATIVE_INFINITY
    this.#electionDueMs = this.#nowMs + this.#options.random.next() * this.#options.goneStaggerMs
    // Somebody saw the leader go before this node did, and was refused: now it is right.
    if (this.#heldPreVote !== undefined) this.#handlePreVoteRequest(this.#heldPreVote)
  }

  // ---- ready

  /** Everything that follows from the events since the last call. See ready.ts for what to do with it. */
  ready(): Ready {
    const leadership = this.#leadership
    if (leadership !== undefined) {
      this.#beginReadRound(leadership)
      for (const [id, progress] of leadership.peers) this.#sendAppends(id, progress)
    }
    const ready: Ready = {
      persist: this.#takePersist(),
      messages: this.#outbox.takeNow(),
      committed: this.#log.takeCommitted(this.#options.maxApplyBytes),
      reads: this.#reads,
      readsRefused: this.#readsRefused,
      role: this.#takeRoleChange(),
    }
    this.#reads = []
    this.#readsRefused = []
    return ready
  }

  #takePersist(): PersistRequest | undefined {
    if (this.#ack !== undefined) {
      this.#outbox.sendAfterFlush(this.#ack)
      this.#ack = undefined
    }
    const entries = this.#unpersisted
    const truncateFrom = this.#truncateFrom
    const hardState = this.#hardStateChanged ? { term: this.#term, vote: this.#vote } : undefined
    const nothingToStore = hardState === undefined && truncateFrom === undefined && entries.length === 0
    if (nothingToStore && !this.#outbox.hasAfterFlush) return undefined
    this.#unpersisted = []
    this.#truncateFrom = undefined
    this.#hardStateChanged = false
    const { token, messages } = this.#outbox.open(entries.at(-1)?.index ?? 0, hardState?.term)
    return { token, hardState, truncateFrom, entries, messages }
  }

  #takeRoleChange(): RoleChange | undefined {
    if (!this.#roleChanged) return undefined
    this.#roleChanged = false
    return { role: this.#role, term: this.#term, leader: this.#leader }
  }

  // ---- roles

  #becomeFollower(term: number, leader: NodeId | undefined): void {
    if (term > this.#term) this.#setTerm(term, '')
    if (this.#leadership !== undefined) this.#readsRefused.push(...this.#leadership.reads.clear())
    this.#leadership = undefined
    this.#campaign = undefined
    this.#setRole('follower')
    this.#setLeader(leader)
    this.#resetElectionTimer()
  }

  /** Thesis §9.6: find out whether an election could be won, without disturbing anyone's term. */
  #becomePreCandidate(): void {
    this.metrics.preElections++
    this.#setRole('preCandidate')
    this.#setLeader(undefined)
    const campaign = new Campaign(this.#options.configuration, this.#term + 1, 0)
    this.#campaign = campaign
    campaign.record(this.#self, true)
    this.#resetElectionTimer()
    if (campaign.isWon) return this.#becomeCandidate()
    for (const id of this.#peerIds()) {
      this.#outbox.sendNow({
        kind: 'preVoteRequest',
        ...this.#to(id),
        term: campaign.term,
        ...this.#logEnd(),
      })
    }
  }

  /**
   * §5.2. The requests leave only after term, own vote and all earlier entries are flushed, and the own vote counts
   * only then: a candidate that told of entries it could still lose might be elected by stale grants.
   */
  #becomeCandidate(): void {
    this.metrics.elections++
    this.#setTerm(this.#term + 1, this.#self)
    this.#setRole('candidate')
    this.#setLeader(undefined)
    this.#campaign = new Campaign(this.#options.configuration, this.#term, this.#outbox.nextToken)
    this.#resetElectionTimer()
    for (const id of this.#peerIds()) {
      this.#outbox.sendAfterFlush({ kind: 'voteRequest', ...this.#to(id), ...this.#logEnd() })
    }
  }

  #becomeLeader(): void {
    invariant(this.#role === 'candidate', `a ${this.#role} cannot become leader`)
    this.metrics.leaderships++
    this.#campaign = undefined
    this.#setRole('leader')
    this.#setLeader(this.#self)
    const leadership = new Leadership(this.#options, this.#log, this.#nowMs)
    this.#leadership = leadership
    // §8: an entry of its own term, so that what earlier terms left can be committed.
    this.#appendOwn(leadership, EntryKind.noop, NO_PARTS, 0)
  }

  #concludeCampaign(campaign: Campaign): void {
    if (campaign.isWon) {
      if (this.#role === 'candidate') this.#becomeLeader()
      else this.#becomeCandidate()
    } else if (this.#role === 'candidate' && campaign.isLost(this.#gone)) {
      this.#becomeFollower(this.#term, undefined)
    }
  }

  #setTerm(term: number, vote: NodeId): void {
    invariant(Number.isSafeInteger(term) && term > this.#term, `term ${this.#term} to ${term}`)
    this.#term = term
    this.#vote = vote
    this.#ack = undefined // to a leader of an earlier term
    this.#heldPreVote = undefined
    this.#hardStateChanged = true
    this.#roleChanged = true
  }

  #setRole(role: Role): void {
    if (this.#role === role) return
    this.#role = role
    this.#roleChanged = true
  }

  #setLeader(leader: NodeId | undefined): void {
    if (leader !== undefined) this.#goneRetries = 0
    if (this.#leader === leader) return
    this.#leader = leader
    this.#roleChanged = true
  }

  /** Random, anew each time (§5.2). Short while the leader is known to be gone: then the wait is only a retry. */
  #resetElectionTimer(): void {
    const { electionTimeoutMinMs: min, electionTimeoutMaxMs: max, goneRetryMs, random } = this.#options
    const retryMs = goneRetryMs * 2 ** this.#goneRetries
    const isRetry =
      this.#gone.size > 0 && this.#leader === undefined && this.#role !== 'candidate' && retryMs < min
    if (isRetry) this.#goneRetries++
    const waitMs = isRetry ? retryMs * (0.5 + random.next()) : min + random.next() * (max - min)
    this.#electionDueMs = this.#nowMs + waitMs
  }

  // ---- terms

  #isForMe(message: Message): boolean {
    const { identity } = this.#options
    if (message.to !== identity.id) return false
    if (this.#members.get(message.from) !== message.fromIncarnation) return false
    // A reply that was meant for an earlier life of this node speaks of a state that is no more.
    if (message.toIncarnation === 0) return true
    return message.toIncarnation === identity.incarnation && message.toBoot === identity.boot
  }

  #stepLaterTerm(message: Message): void {
    // Pre-votes carry the term that would be campaigned in: nobody is in it yet.
    if (message.kind === 'preVoteRequest') return
    if (message.kind === 'preVoteReply' && message.granted) return
    const isLeaders = message.kind === 'appendRequest' || message.kind === 'heartbeat'
    const wasLeader = this.#role === 'leader'
    const dueMs = this.#electionDueMs
    this.#becomeFollower(message.term, isLeaders ? message.from : undefined)
    // Figure 2: only a granted vote or the leader's word puts the own election off. Otherwise a node that cannot
    // win but asks often would keep those that can from ever asking.
    if (!isLeaders && !wasLeader) this.#electionDueMs = dueMs
  }

  /** §5.1: a request with a stale term is refused; the answer tells its sender the current one. */
  #stepEarlierTerm(message: Message): void {
    switch (message.kind) {
      case 'preVoteRequest':
        return this.#reply({ kind: 'preVoteReply', ...this.#replyTo(message), granted: false })
      case 'voteRequest':
        return this.#reply({ kind: 'voteReply', ...this.#replyTo(message), granted: false })
      case 'appendRequest':
      case 'heartbeat':
        return this.#reply({ kind: 'heartbeatReply', ...this.#replyTo(message), readRound: 0 })
      default:
        return
    }
  }

  #heardFrom(id: NodeId): void {
    this.#gone.delete(id)
    const progress = this.#leadership?.peers.get(id)
    if (progress !== undefined) progress.heardMs = this.#nowMs
  }

  // ---- elections

  #handlePreVoteRequest(message: PreVoteRequest): void {
    const isSound = message.term > this.#term && this.#log.isUpToDate(message.lastIndex, message.lastTerm)
    const leads = this.#followsLivingLeader()
    const granted = isSound && !leads && !this.#outranks(message)
    this.#heldPreVote = isSound && leads ? message : undefined
    // Two that ask at the same time would split the vote: the other goes first.
    if (granted && this.#role === 'preCandidate') this.#becomeFollower(this.#term, undefined)
    // Whoever asks first goes first: step back a little, so that two do not split the vote.
    if (granted) this.#electionDueMs = Math.max(this.#electionDueMs, this.#nowMs + this.#options.goneRetryMs)
    const term = granted ? message.term : this.#term
    this.#reply({ kind: 'preVoteReply', ...this.#replyTo(message), term, granted })
  }

  /** Of two that ask for the same term with equal logs the one with the smaller name goes first. */
  #outranks(message: PreVoteRequest): boolean {
    if (this.#role !== 'preCandidate' || this.#campaign?.term !== message.term) return false
    const { lastIndex, lastTerm } = this.#logEnd()
    return lastIndex === message.lastIndex && lastTerm === message.lastTerm && this.#self < message.from
  }

  /** Thesis §4.2.3: whoever has heard from a leader within an election timeout helps nobody to depose it. */
  #followsLivingLeader(): boolean {
    if (this.#role === 'leader') return true
    if (this.#leader === undefined) return false
    return this.#nowMs - this.#leaderHeardMs < this.#options.electionTimeoutMinMs
  }

  #handlePreVoteReply(message: PreVoteReply): void {
    const campaign = this.#campaign
    if (this.#role !== 'preCandidate' || campaign === undefined) return
    if (message.granted && message.term !== campaign.term) return
    campaign.record(message.from, message.granted)
    this.#concludeCampaign(campaign)
  }

  #handleVoteRequest(message: VoteRequest): void {
    const free = this.#vote === '' || this.#vote === message.from
    const granted =
      free && this.#leader === undefined && this.#log.isUpToDate(message.lastIndex, message.lastTerm)
    if (granted && this.#vote === '') {
      this.#vote = message.from
      this.#hardStateChanged = true
    }
    if (granted) {
      this.#goneRetries = 0
      this.#electionDueMs =
        this.#nowMs + this.#options.electionTimeoutMinMs * (1 + this.#options.random.next())
    }
    this.#promise({ kind: 'voteReply', ...this.#replyTo(message), granted })
  }

  #handleVoteReply(message: VoteReply): void {
    const campaign = this.#campaign
    if (this.#role !== 'candidate' || campaign === undefined) return
    campaign.record(message.from, message.granted)
    this.#concludeCampaign(campaign)
  }

  // ---- following

  #followLeader(message: AppendRequest | Heartbeat): void {
    invariant(this.#role !== 'leader', `two leaders in term ${this.#term}: ${this.#self} and ${message.from}`)
    if (this.#role !== 'follower' || this.#leader !== message.from) {
      this.#becomeFollower(this.#term, message.from)
    } else {
      this.#resetElectionTimer()
    }
    this.#leaderHeardMs = this.#nowMs
  }

  #handleHeartbeat(message: Heartbeat): void {
    this.#followLeader(message)
    this.#log.commitTo(Math.min(message.commit, this.#log.lastIndex))
    this.#reply({ kind: 'heartbeatReply', ...this.#replyTo(message), readRound: message.readRound })
  }

  #handleAppendRequest(message: AppendRequest): void {
    this.#followLeader(message)
    const { prevIndex, entries } = message
    // What is committed here is the leader's too: no need to look at it again.
    if (prevIndex < this.#log.committed) return this.#acknowledge(message, this.#log.committed)
    if (!this.#log.matches(prevIndex, message.prevTerm)) return this.#refuseAppend(message)
    this.#appendFromLeader(entries)
    const last = prevIndex + entries.length
    this.#log.commitTo(Math.min(message.commit, last))
    this.#acknowledge(message, last)
  }

  /** §5.3: an entry that conflicts, same index and other term, goes, with all that follow it. */
  #appendFromLeader(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.#log.lastIndex) {
        if (this.#log.matches(entry.index, entry.term)) continue
        this.#truncate(entry.index)
      }
      this.#log.append(entry)
      this.#unpersisted.push(entry)
    }
  }

  #truncate(index: number): void {
    this.#log.truncateFrom(index)
    this.#outbox.truncated(index)
    const first = this.#unpersisted[0]
    if (first !== undefined && first.index < index) {
      // Only entries that the store was not given yet.
      this.#unpersisted.length = index - first.index
      return
    }
    this.#unpersisted = []
    this.#truncateFrom = Math.min(this.#truncateFrom ?? index, index)
  }

  /** One acknowledgement a drain: the highest speaks for the others. Leaves after the flush. */
  #acknowledge(message: AppendRequest, matchIndex: number): void {
    const before = this.#ack
    if (before !== undefined && before.term === this.#term && before.matchIndex >= matchIndex) return
    this.#ack = {
      kind: 'appendReply',
      ...this.#replyTo(message),
      accepted: true,
      matchIndex,
      rejected: 0,
      hintIndex: 0,
      hintTerm: 0,
    }
  }

  #refuseAppend(message: AppendRequest): void {
    const hintIndex = this.#log.lastIndexWithTermAtMost(message.prevIndex, message.prevTerm)
    this.#reply({
      kind: 'appendReply',
      ...this.#replyTo(message),
      accepted: false,
      matchIndex: 0,
      rejected: message.prevIndex,
      hintIndex,
      hintTerm: this.#log.termAt(hintIndex) ?? 0,
    })
  }

  // ---- leading

  #appendOwn(
    leadership: Leadership,
    kind: EntryKind,
    parts: readonly Uint8Array[],
    commandCount: number,
  ): number {
    const index = this.#log.lastIndex + 1
    const timeMs = leadership.timeMs(this.#nowMs)
    const header = { index, term: this.#term, kind, timeMs, commandCount }
    const entry = encodeEntry(header, parts, this.#options.checksum)
    this.#log.append(entry)
    this.#unpersisted.push(entry)
    leadership.uncommittedBytes += entry.record.byteLength
    this.metrics.entriesAppended++
    return index
  }

  #sendAppends(id: NodeId, progress: Progress): void {
    while (progress.canSend && progress.next <= this.#log.lastIndex) {
      const entries = this.#log.read(progress.next, this.#log.lastIndex, this.#options.maxAppendBytes)
      const last = entries.at(-1)
      invariant(last !== undefined, `no entry at ${progress.next} for ${id}`)
      let bytes = 0
      for (const entry of entries) bytes += entry.record.byteLength
      this.#sendAppend(id, progress.next - 1, entries)
      progress.sent(last.index, bytes)
    }
  }

  #sendAppend(id: NodeId, prevIndex: number, entries: readonly Entry[]): void {
    const prevTerm = this.#log.termAt(prevIndex)
    invariant(prevTerm !== undefined, `the log no longer has ${prevIndex}, which ${id} needs`)
    this.metrics.appendsSent++
    const commit = this.#log.committed
    this.#outbox.sendNow({ kind: 'appendRequest', ...this.#to(id), prevIndex, prevTerm, commit, entries })
  }

  #handleAppendReply(message: AppendReply): void {
    const leadership = this.#leadership
    const progress = leadership?.peers.get(message.from)
    if (leadership === undefined || progress === undefined) return
    if (message.accepted) {
      invariant(
        message.matchIndex <= this.#log.lastIndex,
        `${message.from} acknowledged ${message.matchIndex}`,
      )
      if (progress.accepted(message.matchIndex)) this.#maybeCommit(leadership)
      return
    }
    this.metrics.appendsRefused++
    // The follower's term at its hint may itself be ahead of what this log has there: skip that run too.
    const hint = this.#log.lastIndexWithTermAtMost(message.hintIndex, message.hintTerm)
    progress.refused(message.rejected, hint)
  }

  /** §5.3, §5.4.2: a quorum has flushed it, and it is of this term; earlier entries are committed with it. */
  #maybeCommit(leadership: Leadership): void {
    const index = leadership.quorumMatch()
    const before = this.#log.committed
    if (index <= before || this.#log.termAt(index) !== this.#term) return
    this.#log.commitTo(index)
    const from = Math.max(before + 1, leadership.firstIndex)
    for (const entry of this.#log.read(from, index, Number.POSITIVE_INFINITY)) {
      leadership.uncommittedBytes -= entry.record.byteLength
    }
  }

  #tickLeader(leadership: Leadership): void {
    if (this.#nowMs < leadership.heartbeatDueMs) return
    const { checkQuorum, electionTimeoutMaxMs } = this.#options
    if (checkQuorum && !leadership.hearsQuorum(this.#nowMs, electionTimeoutMaxMs)) {
      return this.#becomeFollower(this.#term, undefined)
    }
    this.#broadcastHeartbeat(leadership)
  }

  #broadcastHeartbeat(leadership: Leadership): void {
    leadership.heartbeatDueMs = this.#nowMs + this.#options.heartbeatIntervalMs
    const readRound = leadership.reads.round
    for (const [id, progress] of leadership.peers) {
      const commit = Math.min(progress.match, this.#log.committed)
      this.#outbox.sendNow({ kind: 'heartbeat', ...this.#to(id), commit, readRound })
    }
  }

  #handleHeartbeatReply(message: HeartbeatReply): void {
    const leadership = this.#leadership
    const progress = leadership?.peers.get(message.from)
    if (leadership === undefined || progress === undefined) return
    if (message.readRound > progress.readRound) {
      progress.readRound = message.readRound
      leadership.reads.confirm(leadership.quorumReadRound(), this.#reads)
    }
    if (progress.state === 'probe') progress.probing = false
    // Was the last append lost? An empty one behind it is refused if so.
    else if (progress.inflightMessages > 0) this.#sendAppend(message.from, progress.next - 1, [])
  }

  /** Thesis §6.4: not before an entry of this term is committed, and confirmed by heartbeats sent from now on. */
  #beginReadRound(leadership: Leadership): void {
    if (!leadership.reads.hasWaiting) return
    if (this.#log.termAt(this.#log.committed) !== this.#term) return
    leadership.reads.begin(this.#log.committed)
    this.#broadcastHeartbeat(leadership)
    leadership.reads.confirm(leadership.quorumReadRound(), this.#reads)
  }

  // ---- messages

  *#peerIds(): Iterable<NodeId> {
    for (const { id } of this.#options.configuration.voters) if (id !== this.#self) yield id
  }

  #logEnd(): { lastIndex: number; lastTerm: number } {
    return { lastIndex: this.#log.lastIndex, lastTerm: this.#log.lastTerm }
  }

  #to(id: NodeId) {
    const { incarnation, boot } = this.#options.identity
    return {
      from: this.#self,
      fromIncarnation: incarnation,
      fromBoot: boot,
      to: id,
      toIncarnation: 0,
      toBoot: 0,
      term: this.#term,
    }
  }

  #replyTo(message: Message) {
    return { ...this.#to(message.from), toIncarnation: message.fromIncarnation, toBoot: message.fromBoot }
  }

  /** A reply that promises nothing; it still must not tell of a term that a crash could take back. */
  #reply(message: Message): void {
    if (this.#hardStateChanged || this.#outbox.flushedTerm !== this.#term)
      this.#outbox.sendAfterFlush(message)
    else this.#outbox.sendNow(message)
  }

  /** A reply that promises something about the disk. */
  #promise(message: Message): void {
    this.#outbox.sendAfterFlush(message)
  }
}
