/**
 * The Raft state machine of one node: pure, synchronous, deterministic.
 *
 *     step(message) ─┐              ┌ elections      who leads
 *     propose(parts) ├─► replica ◄──┼ following      what the leader says
 *     persisted(tok) │              ├ leading        what the leader does; membership, handover
 *     tick(now)      ┘              ├ snapshot-transfer, repair, forwarding
 *                       │
 *                       └─► ready() ─► persist │ messages │ install │ committed │ reads   (contract: ready.ts)
 *
 * Invariants: at most one vote a term, on the disk before it is told (§5.2); an entry is committed only when a
 * quorum has flushed it and it is of the leader's own term (§5.4.2); a leader only appends (§5.3);
 * term, commit index and a peer's match never go back.
 *
 * Section numbers are those of the extended Raft paper; "thesis" is Ongaro's dissertation.
 */
import type { RaftHandle } from './application.ts'
import type { RefusedChange } from './configuration.ts'
import { Elections } from './elections.ts'
import { type Entry, EntryKind } from './entry.ts'
import { invariant } from './errors.ts'
import type { MemberChange } from './event.ts'
import { Following } from './following.ts'
import { Forwarding } from './forwarding.ts'
import { Handover } from './handover.ts'
import type { Leadership } from './leadership.ts'
import { Leading } from './leading.ts'
import { Membership } from './membership.ts'
import type { Message, Proposal } from './message.ts'
import { isFromLeader, isTermless } from './message-terms.ts'
import type { RaftOptions } from './options.ts'
import type { SnapshotStore } from './ports.ts'
import type { Progress } from './progress.ts'
import type { ProposalRefusal } from './proposal.ts'
import type { Ready } from './ready.ts'
import { Repair } from './repair.ts'
import { type FoundLog, type RaftMetrics, Replica } from './replica.ts'
import { SnapshotTransfer } from './snapshot-transfer.ts'
import {
  type Configuration,
  type IndexRange,
  MAX_TERM,
  type NodeId,
  type Role,
  type SnapshotMeta,
} from './types.ts'

export type { FoundLog, RaftMetrics } from './replica.ts'

const NO_PARTS: readonly Uint8Array[] = []

export class RaftCore implements RaftHandle {
  readonly #replica: Replica
  readonly #elections: Elections
  readonly #following: Following
  readonly #leading: Leading
  readonly #membership: Membership
  readonly #handover: Handover
  readonly #transfer: SnapshotTransfer
  readonly #repair: Repair
  readonly #forwarding: Forwarding
  /** What the host was told last. */
  #toldConfiguration: Configuration

  /**
   * @param options resolved knobs, identity, configuration, random source and checksum
   * @param found what is on the disk: hard state, and the log to read from
   * @param snapshots the snapshots of this node
   * @param nowMs monotonic milliseconds
   */
  constructor(options: RaftOptions, found: FoundLog, snapshots: SnapshotStore, nowMs: number) {
    const replica = new Replica(options, found, snapshots, nowMs)
    this.#replica = replica
    this.#following = new Following(replica)
    this.#transfer = new SnapshotTransfer(replica, this.#following)
    this.#leading = new Leading(replica, {
      offerSnapshot: (id) => this.#transfer.offerTo(id),
      committed: (leadership) => this.#committed(leadership),
      caughtUp: (leadership, id) => this.#handover.caughtUp(leadership, id),
    })
    this.#membership = new Membership(replica, this.#leading)
    this.#handover = new Handover(replica)
    this.#elections = new Elections(replica, () => this.#elected())
    this.#repair = new Repair(replica, this.#following, this.#transfer)
    this.#forwarding = new Forwarding(replica)
    this.#toldConfiguration = replica.configuration
    if (!replica.isDamaged) {
      const { lastIndex, lastTerm } = replica.log
      invariant(lastTerm <= replica.term, `entry ${lastIndex} is of term ${lastTerm}, after ${replica.term}`)
    }
    replica.resetElectionTimer()
  }

  // ---- what can be seen from outside

  get metrics(): RaftMetrics {
    return this.#replica.metrics
  }
  get id(): NodeId {
    return this.#replica.self
  }
  get role(): Role {
    return this.#replica.role
  }
  get term(): number {
    return this.#replica.term
  }
  get vote(): NodeId {
    return this.#replica.vote
  }
  get leader(): NodeId | undefined {
    return this.#replica.leader
  }
  get commitIndex(): number {
    return this.#replica.log.committed
  }
  get lastIndex(): number {
    return this.#replica.log.lastIndex
  }
  /** The last index that the log no longer has. */
  get baseIndex(): number {
    return this.#replica.log.base.index
  }
  /** Last index that is flushed here. */
  get stableIndex(): number {
    return this.#replica.log.stable
  }
  /** The configuration in effect: the latest in the log, committed or not. */
  get configuration(): Configuration {
    return this.#replica.configuration
  }
  /** The index of its entry; 0 for the one that the log began with. */
  get configurationIndex(): number {
    return this.#replica.log.configurations.latestIndex
  }
  /** Progress of each peer; empty on a node that does not lead. Not to be changed. */
  get progress(): ReadonlyMap<NodeId, Readonly<Progress>> {
    return this.#replica.leadership?.peers ?? new Map()
  }
  /** Match index of each peer; empty on a node that does not lead. */
  get matchIndexes(): ReadonlyMap<NodeId, number> {
    return new Map([...this.progress].map(([id, progress]) => [id, progress.match]))
  }
  /** Votes received in the election or pre-election under way. */
  get votes(): ReadonlyMap<NodeId, boolean> {
    return this.#replica.campaign?.votes ?? new Map()
  }
  /** Damaged entries that are not repaired yet. */
  get damaged(): readonly IndexRange[] {
    return this.#replica.log.damage.ranges
  }
  /** Damaged entries that no voter has, after every one of them has answered. */
  get lost(): IndexRange | undefined {
    return this.#repair.lost
  }
  /** Whether the disk is refused space: what is handed to it waits. */
  get isDiskFull(): boolean {
    return this.#replica.isDiskFull
  }
  /** Whom leadership is being handed to. */
  get transferTarget(): NodeId | undefined {
    return this.#replica.leadership?.transfer?.to
  }
  /** When votes are asked for anew, if nobody leads until then. Nothing on a leader. */
  get electionDueMs(): number {
    return this.#replica.electionDueMs
  }
  /** When `tick` must be called at the latest, in milliseconds of the clock given to it. */
  get deadlineMs(): number {
    const { leadership } = this.#replica
    if (leadership !== undefined) {
      const { heartbeatDueMs, checkDueMs, transfer } = leadership
      return Math.min(heartbeatDueMs, checkDueMs, transfer?.untilMs ?? Number.POSITIVE_INFINITY)
    }
    return Math.min(this.#elections.deadlineMs, this.#transfer.deadlineMs, this.#repair.deadlineMs)
  }
  /** Whether a Ready would hand out entries without any further event. */
  get hasCommitted(): boolean {
    return this.#replica.log.hasCommitted
  }
  /** The configuration in effect at an index that is applied. */
  configurationAt(index: number): { readonly index: number; readonly configuration: Configuration } {
    return this.#replica.log.configurations.at(index)
  }
  /** Term of the entry at `index`; undefined where it is not known. */
  termAt(index: number): number | undefined {
    return this.#replica.log.termAt(index)
  }

  // ---- events

  /** Sets the time that the following events happen at. Never goes back. */
  advance(nowMs: number): void {
    if (nowMs > this.#replica.nowMs) this.#replica.nowMs = nowMs
  }

  /** Lets what is due at `nowMs` happen. Called after the messages of a drain were stepped. */
  tick(nowMs: number): void {
    this.advance(nowMs)
    const { leadership } = this.#replica
    this.#forwarding.tick()
    if (leadership !== undefined) {
      this.#handover.tick(leadership)
      return this.#leading.tick(leadership)
    }
    this.#repair.tick()
    this.#transfer.tick()
    this.#elections.tick()
  }

  /** Asks for votes now, as if the election timeout had passed. Nothing on a leader or a non-voter. */
  campaign(): void {
    this.#elections.campaign()
  }

  step(message: Message): void {
    if (!this.#isForMe(message)) return
    const replica = this.#replica
    if (!isTermless(message)) {
      if (message.term > replica.term && !this.#stepLaterTerm(message)) return
      if (message.term < replica.term) return this.#stepEarlierTerm(message)
    }
    replica.gone.delete(message.from)
    const progress = replica.leadership?.progressOf(message.from, message.fromIncarnation)
    if (progress !== undefined) progress.heardMs = replica.nowMs
    this.#dispatch(message)
  }

  #dispatch(message: Message): void {
    switch (message.kind) {
      case 'preVoteRequest':
        return this.#elections.handlePreVoteRequest(message)
      case 'preVoteReply':
        return this.#elections.handlePreVoteReply(message)
      case 'voteRequest':
        return this.#elections.handleVoteRequest(message)
      case 'voteReply':
        return this.#elections.handleVoteReply(message)
      case 'appendRequest':
        return this.#following.handleAppendRequest(message)
      case 'appendReply':
        return this.#leading.handleAppendReply(message)
      case 'heartbeat':
        return this.#following.handleHeartbeat(message)
      case 'heartbeatReply':
        return this.#leading.handleHeartbeatReply(message)
      case 'timeoutNow':
        return this.#elections.handleTimeoutNow(message)
      case 'readIndexRequest':
        return this.#leading.handleReadIndexRequest(message)
      case 'readIndexReply':
        return this.#forwarding.handleReply(message)
      case 'proposal':
        return this.#handleProposal(message)
      case 'proposalRefused':
        return this.#forwarding.handleRefusal(message)
      case 'snapshotOffer':
        return this.#transfer.handleOffer(message)
      case 'snapshotPull':
        return this.#transfer.handlePull(message)
      case 'snapshotChunk':
        return this.#transfer.handleChunk(message)
      case 'repairRequest':
        return this.#repair.handleRequest(message)
      case 'repairReply':
        return this.#repair.handleReply(message)
    }
  }

  /** The store has flushed everything up to `token`. */
  persisted(token: number): void {
    const replica = this.#replica
    const stable = replica.outbox.complete(token)
    if (stable > 0) replica.log.stableTo(stable)
    this.#repair.persisted(token)
    this.#elections.persisted(token)
    if (replica.leadership !== undefined) this.#leading.maybeCommit(replica.leadership)
  }

  /** The store is refused space, or has it again. */
  diskSpace(isFull: boolean): void {
    this.#replica.diskSpace(isFull)
  }

  /** A connection to `id` is there (again): what was on its way is lost, where it stands is unknown. */
  peerUp(id: NodeId): void {
    this.#replica.gone.delete(id)
    this.#replica.leadership?.peers.get(id)?.becomeProbe()
  }

  /**
   * The connection to `id` closed. Only a hint, a living node can lose its connections: if it was the leader,
   * ask for pre-votes soon, after a small random stagger. A wrong hint is refused by those who hear the leader.
   */
  peerGone(id: NodeId): void {
    const replica = this.#replica
    // Whoever is no member is waited for by nobody; and there may be as many of them as somebody makes up.
    if (replica.peerIds.includes(id)) replica.gone.add(id)
    replica.leadership?.peers.get(id)?.becomeProbe()
    this.#elections.peerGone(id)
  }

  /** The supervisor saw that start of `id` end: a proof, where a closed connection is only a hint. */
  peerExited(id: NodeId, boot: number): void {
    this.#elections.peerExited(id, boot)
  }

  /** An own snapshot is complete and on the disk. */
  snapshotSaved(meta: SnapshotMeta): void {
    this.#transfer.saved(meta)
  }

  /** A received snapshot is complete, verified and on the disk. */
  snapshotReceived(meta: SnapshotMeta): void {
    this.#transfer.received(meta)
  }

  // ---- proposals and reads

  get proposalRefusal(): ProposalRefusal | undefined {
    const { leadership, leader, options } = this.#replica
    if (leadership === undefined) {
      return options.forwardProposals && leader !== undefined ? undefined : 'NOT_LEADER'
    }
    // Another is to lead soon: that one may have room.
    if (leadership.transfer !== undefined) return 'BUSY'
    if (this.#replica.isDiskFull) return 'NO_SPACE'
    return leadership.uncommittedBytes >= options.maxUncommittedBytes ? 'BUSY' : undefined
  }

  /** Whether another entry should be made now: beyond `maxUncommittedEntries`, what waits makes a better batch. */
  get hasRoom(): boolean {
    const { log, leadership, options } = this.#replica
    return leadership === undefined || log.lastIndex - log.committed < options.maxUncommittedEntries
  }

  get hasUncommitted(): boolean {
    return this.#replica.leadership !== undefined && this.commitIndex < this.lastIndex
  }

  propose(parts: readonly Uint8Array[], commandCount: number): number {
    const { leadership, metrics } = this.#replica
    invariant(this.proposalRefusal === undefined, `a proposal, but ${this.proposalRefusal}`)
    if (leadership === undefined) return -this.#forwarding.propose(parts, commandCount)
    metrics.commandsAppended += commandCount
    return this.#leading.append(leadership, EntryKind.commands, parts, commandCount)
  }

  /** A follower's proposal: its clients are answered when it is applied there. */
  #handleProposal(message: Proposal): void {
    const replica = this.#replica
    // Nobody may be told of a refusal of what an earlier copy has put into the log.
    if (!this.#forwarding.isFirst(message)) return
    const refusal = replica.leadership === undefined ? 'NOT_LEADER' : this.proposalRefusal
    if (refusal === undefined) this.propose([message.payload], message.commandCount)
    else replica.reply({ kind: 'proposalRefused', ...replica.replyTo(message), id: message.id, refusal })
  }

  readIndex(id: number, mayForward = false): void {
    const { leadership, readsRefused } = this.#replica
    if (leadership !== undefined) leadership.reads.add(id)
    else if (mayForward) this.#forwarding.read(id)
    else readsRefused.push(id)
  }

  leaseIndex(nowMs: number): number | undefined {
    const replica = this.#replica
    if (!this.holdsLease(nowMs) || !replica.hasCommittedInTerm) return undefined
    return replica.log.committed
  }

  holdsLease(nowMs: number): boolean {
    const { leadership, options } = this.#replica
    return options.leaseReads && leadership?.lease.holdsAt(nowMs) === true
  }

  // ---- what operators ask for

  /** Begins a change of the members: the index of its entry, or why not. Leaders only. */
  changeMembers(changes: readonly MemberChange[], leave: 'auto' | 'explicit'): number | RefusedChange {
    return this.#membership.change(this.#lead(), changes, leave)
  }

  /** Leaves a joint configuration: the index of the entry, or why not. Leaders only. */
  leaveJoint(): number | RefusedChange {
    return this.#membership.leave(this.#lead())
  }

  /** Begins to hand leadership over; undefined where it has begun. Leaders only. */
  transferLeadership(to: NodeId | undefined): RefusedChange | undefined {
    return this.#handover.begin(this.#lead(), to)
  }

  #lead(): Leadership {
    const { leadership } = this.#replica
    invariant(leadership !== undefined, 'asked of a node that does not lead')
    return leadership
  }

  // ---- ready

  /**
   * Everything that follows from the events since the last call. See ready.ts for what to do with it.
   * @param mayApply false while a snapshot is being loaded into the application: nothing is handed out then
   */
  ready(mayApply = true): Ready {
    const replica = this.#replica
    const { leadership } = replica
    if (leadership !== undefined) {
      this.#leading.beginReadRound(leadership)
      this.#leading.sendAppends(leadership)
    }
    this.#forwarding.ask()
    const install = this.#transfer.takeInstall()
    return {
      forgotten: replica.forgotten,
      persist: replica.takePersist(),
      snapshotWrites: this.#transfer.takeWrites(),
      messages: replica.outbox.takeNow(),
      install,
      snapshotWanted: replica.takeSnapshotWanted(),
      committed: mayApply && install === undefined ? this.#takeCommitted() : [],
      ...replica.takeReads(),
      proposalsRefused: this.#forwarding.takeProposalsRefused(),
      role: replica.takeRoleChange(),
      configuration: this.#takeConfiguration(),
    }
  }

  /** A follower has nobody to send entries to. */
  #takeCommitted(): Entry[] {
    const { leadership, log, options } = this.#replica
    return log.takeCommitted(options.maxApplyBytes, leadership?.leastMatch ?? Number.POSITIVE_INFINITY)
  }

  #takeConfiguration(): Configuration | undefined {
    const { configuration } = this.#replica
    if (configuration === this.#toldConfiguration) return undefined
    this.#toldConfiguration = configuration
    return configuration
  }

  // ---- leading begins, goes on, ends

  #elected(): void {
    // §8: an entry of its own term, so that what earlier terms left can be committed.
    this.#leading.append(this.#lead(), EntryKind.noop, NO_PARTS, 0)
  }

  #committed(leadership: Leadership): void {
    if (this.#membership.committed(leadership)) this.#handover.resign(leadership)
  }

  // ---- terms

  #isForMe(message: Message): boolean {
    const { incarnation, boot, id } = this.#replica.options.identity
    if (message.to !== id) return false
    // A reply that was meant for an earlier life of this node speaks of a state that is no more.
    if (message.toIncarnation !== 0 && message.toIncarnation !== incarnation) return false
    return message.toBoot === 0 || message.toBoot === boot
  }

  /** Returns whether the message is to be looked at further. */
  #stepLaterTerm(message: Message): boolean {
    if (message.term > MAX_TERM) return false
    const replica = this.#replica
    // Pre-votes carry the term that would be campaigned in: nobody is in it yet.
    if (message.kind === 'preVoteRequest') return true
    if (message.kind === 'preVoteReply' && message.granted) return true
    if (message.kind === 'voteRequest' && !message.isTransfer && this.#elections.protectsLeader())
      return false
    const isLeaders = isFromLeader(message)
    const wasLeader = replica.role === 'leader'
    const dueMs = replica.electionDueMs
    replica.becomeFollower(message.term, isLeaders ? message.from : undefined)
    // Figure 2: only a granted vote or the leader's word puts the own election off. Otherwise a node that cannot
    // win but asks often would keep those that can from ever asking.
    if (!isLeaders && !wasLeader) replica.electionDueMs = dueMs
    return true
  }

  /** §5.1: a request with a stale term is refused; the answer tells its sender the current one. */
  #stepEarlierTerm(message: Message): void {
    const replica = this.#replica
    replica.metrics.staleMessages++
    if (isFromLeader(message)) {
      return replica.reply({ kind: 'heartbeatReply', ...replica.replyTo(message), round: 0 })
    }
    switch (message.kind) {
      case 'preVoteRequest':
        return replica.reply({ kind: 'preVoteReply', ...replica.replyTo(message), granted: false })
      case 'voteRequest':
        return replica.reply({ kind: 'voteReply', ...replica.replyTo(message), granted: false })
      default:
        return
    }
  }
}
