/**
 * Elections: who asks for votes and when, and who gets them (Raft §5.2, §5.4.1; pre-vote: thesis §9.6; stickiness:
 * thesis §4.2.3).
 *
 *     follower ──timeout, leader gone──► preCandidate ──majority──► candidate ──majority──► leader
 *         ▲────────────── a leader is heard, a later term ──────────────┘
 */
import { Campaign } from './campaign.ts'
import type { PreVoteReply, PreVoteRequest, TimeoutNow, VoteReply, VoteRequest } from './message.ts'
import type { Replica } from './replica.ts'
import { MAX_TERM, type NodeId } from './types.ts'

export class Elections {
  readonly #replica: Replica
  readonly #onElected: () => void
  /** A pre-vote that was refused only because the leader was thought alive. */
  #heldPreVote: PreVoteRequest | undefined

  constructor(replica: Replica, onElected: () => void) {
    this.#replica = replica
    this.#onElected = onElected
  }

  /** When `tick` has something to do. */
  get deadlineMs(): number {
    const { electionDueMs, campaign } = this.#replica
    return Math.min(electionDueMs, campaign?.askDueMs ?? Number.POSITIVE_INFINITY)
  }

  tick(): void {
    const { nowMs, electionDueMs, campaign } = this.#replica
    if (nowMs >= electionDueMs) this.campaign()
    else if (campaign !== undefined && nowMs >= campaign.askDueMs) this.#askAgain(campaign)
  }

  /** Asks for votes, unless this node may not have them or cannot use them. */
  campaign(): void {
    const replica = this.#replica
    if (replica.role === 'leader') return
    if (replica.role === 'candidate') replica.metrics.splitElections++
    if (!this.#isFit || (replica.options.leaseReads && this.protectsLeader())) {
      return replica.resetElectionTimer()
    }
    if (replica.options.preVote) this.#becomePreCandidate()
    else this.#becomeCandidate(false)
  }

  /**
   * Votes, its own and others', are for voters whose log is whole and whose disk answers: one with a damaged log does
   * not know what it holds, one with a stalled disk would only disturb. So would one with a full disk: its own vote
   * would wait behind what was refused, in token order. (So does a vote that it grants. Where the disks of a majority
   * are full nobody can be elected, until there is space again; who leads by then goes on.)
   */
  get #isFit(): boolean {
    const replica = this.#replica
    if (!replica.isVoter || replica.isDamaged || replica.isDiskFull) return false
    return replica.term < MAX_TERM && !replica.isStalled(replica.options.electionTimeoutMinMs)
  }

  /** The leader asks this node to take over (thesis §3.10): no pre-vote, and nobody's stickiness is in the way. */
  handleTimeoutNow(message: TimeoutNow): void {
    const { role, leader } = this.#replica
    if (role === 'follower' && leader === message.from && this.#isFit) this.#becomeCandidate(true)
  }

  /** Thesis §9.6: find out whether an election could be won, without disturbing anyone's term. */
  #becomePreCandidate(): void {
    const replica = this.#replica
    const campaign = new Campaign(replica.configuration, replica.term + 1, 0)
    replica.becomePreCandidate(campaign)
    this.#recordOwn(campaign)
    if (campaign.isWon) return this.#becomeCandidate(false)
    this.#awaitAnswers(campaign)
    for (const id of replica.peerIds) this.#askPreVote(id, campaign.term)
  }

  #askPreVote(id: NodeId, term: number): void {
    const replica = this.#replica
    const { electionPriority: priority } = replica.options
    const envelope = { ...replica.to(id), term }
    replica.outbox.sendNow({ kind: 'preVoteRequest', ...envelope, ...replica.logEnd(), priority })
  }

  /**
   * §5.2. The requests leave only after term, own vote and all earlier entries are flushed, and the own vote counts
   * only then: a candidate that told of entries it could still lose might be elected by stale grants.
   */
  #becomeCandidate(isTransfer: boolean): void {
    const replica = this.#replica
    replica.enterCandidacy()
    this.#heldPreVote = undefined
    const { configuration, term, outbox } = replica
    replica.campaign = new Campaign(configuration, term, outbox.nextToken, isTransfer)
    for (const id of replica.peerIds) {
      const request = { ...replica.to(id), ...replica.logEnd(), isTransfer }
      replica.outbox.sendAfterFlush({ kind: 'voteRequest', ...request })
    }
  }

  /** §5.1: what is not answered in time is asked again, since requests and answers get lost. */
  #askAgain(campaign: Campaign): void {
    const replica = this.#replica
    const { isTransfer } = campaign
    this.#awaitAnswers(campaign)
    if (!this.#isFit) return
    for (const id of replica.peerIds) {
      if (campaign.votes.has(id) || replica.gone.has(id)) continue
      if (replica.role === 'preCandidate') this.#askPreVote(id, campaign.term)
      // All that the request tells of is flushed by now: the first one has waited for that.
      else replica.outbox.sendNow({ kind: 'voteRequest', ...replica.to(id), ...replica.logEnd(), isTransfer })
    }
  }

  #awaitAnswers(campaign: Campaign): void {
    const { nowMs, options } = this.#replica
    campaign.askDueMs = nowMs + options.heartbeatIntervalMs
  }

  #recordOwn(campaign: Campaign): void {
    const { self, options } = this.#replica
    campaign.record(self, options.identity.incarnation, true)
  }

  /** The store has flushed everything up to `token`: the own vote may count now. */
  persisted(token: number): void {
    const { role, campaign } = this.#replica
    if (role !== 'candidate' || campaign === undefined || campaign.selfVoteToken > token) return
    this.#recordOwn(campaign)
    this.#awaitAnswers(campaign)
    this.#conclude(campaign)
  }

  #conclude(campaign: Campaign): void {
    const replica = this.#replica
    if (campaign.isWon) {
      if (replica.role === 'preCandidate') return this.#becomeCandidate(false)
      replica.becomeLeader()
      this.#onElected()
    } else if (replica.role === 'candidate' && campaign.isLost(replica.gone)) {
      replica.metrics.splitElections++
      replica.becomeFollower(replica.term, undefined)
    }
  }

  // ---- stickiness

  /**
   * Thesis §4.2.3: whoever has heard from a leader within an election timeout helps nobody to depose it. With leases
   * (§6.4.1) that must hold whatever else was heard meanwhile, and over a restart: a voter that has just started may
   * have answered a heartbeat right before.
   */
  protectsLeader(): boolean {
    const { role, leadership, leader, leaderHeardMs, startedMs, nowMs, options, foundTerm } = this.#replica
    const { electionTimeoutMinMs, checkQuorum, leaseReads } = options
    if (role === 'leader') return checkQuorum && leadership?.hearsQuorum(nowMs, electionTimeoutMinMs) === true
    if (leaseReads && foundTerm > 0 && nowMs - startedMs < electionTimeoutMinMs) return true
    if (leader === undefined && !leaseReads) return false
    return nowMs - leaderHeardMs < electionTimeoutMinMs
  }

  /** The connection to `id` closed. Only a hint; with leases it releases nobody. */
  peerGone(id: NodeId): void {
    if (this.#replica.leader === id && !this.#replica.options.leaseReads) this.#releaseLeader()
  }

  /** That start of `id` has ended, proven: nobody reads from its lease any more. */
  peerExited(id: NodeId, boot: number): void {
    const { leaderHeardId, leaderBoot } = this.#replica
    if (leaderHeardId === id && leaderBoot === boot) this.#releaseLeader()
  }

  /** Ask for pre-votes soon. A wrong hint is refused by those who hear the leader. */
  #releaseLeader(): void {
    const replica = this.#replica
    if (replica.role === 'leader') return
    const wasLed = replica.leader !== undefined
    replica.setLeader(undefined)
    replica.leaderHeardMs = Number.NEGATIVE_INFINITY
    if (wasLed) replica.campaignSoon()
    // Somebody saw the leader go before this node did, and was refused: now it is right.
    if (this.#heldPreVote !== undefined) this.handlePreVoteRequest(this.#heldPreVote)
  }

  // ---- votes

  handlePreVoteRequest(message: PreVoteRequest): void {
    const replica = this.#replica
    const { log, options } = replica
    const isSound =
      !replica.isDamaged && message.term > replica.term && log.isUpToDate(message.lastIndex, message.lastTerm)
    const protects = replica.role === 'leader' || this.protectsLeader()
    const granted = isSound && !protects && !this.#outranks(message)
    this.#heldPreVote = isSound && protects ? message : undefined
    // Two that ask at the same time would split the vote: the other goes first.
    if (granted && replica.role === 'preCandidate') replica.becomeFollower(replica.term, undefined)
    // Whoever asks first goes first: step back a little, so that two do not split the vote.
    if (granted) {
      replica.electionDueMs = Math.max(replica.electionDueMs, replica.nowMs + options.goneRetryMs)
    }
    const term = granted ? message.term : replica.term
    replica.reply({ kind: 'preVoteReply', ...replica.replyTo(message), term, granted })
  }

  /** Of two that ask for the same term with equal logs one goes first: by priority, then by name. */
  #outranks(message: PreVoteRequest): boolean {
    const { role, campaign, self, options } = this.#replica
    if (role !== 'preCandidate' || campaign?.term !== message.term) return false
    const { lastIndex, lastTerm } = this.#replica.logEnd()
    if (lastIndex !== message.lastIndex || lastTerm !== message.lastTerm) return false
    const { electionPriority } = options
    return electionPriority === message.priority ? self < message.from : electionPriority > message.priority
  }

  handlePreVoteReply(message: PreVoteReply): void {
    const { role, campaign } = this.#replica
    if (role !== 'preCandidate' || campaign === undefined) return
    if (message.granted && message.term !== campaign.term) return
    campaign.record(message.from, message.fromIncarnation, message.granted)
    this.#conclude(campaign)
  }

  /** Whoever asks needs not be a voter here: this node may not know of it yet, nor of its own promotion (thesis §4.1). */
  handleVoteRequest(message: VoteRequest): void {
    const replica = this.#replica
    const { electionTimeoutMinMs, random } = replica.options
    const granted =
      !replica.isDamaged &&
      replica.leader === undefined &&
      replica.mayVoteFor(message.from, message.fromIncarnation) &&
      (message.isTransfer || !this.protectsLeader()) &&
      replica.log.isUpToDate(message.lastIndex, message.lastTerm)
    if (granted) {
      replica.voteFor(message.from, message.fromIncarnation)
      replica.goneRetries = 0
      replica.electionDueMs = replica.nowMs + electionTimeoutMinMs * (1 + random.next())
    }
    // A promise: it leaves after the vote is flushed.
    replica.outbox.sendAfterFlush({ kind: 'voteReply', ...replica.replyTo(message), granted })
  }

  handleVoteReply(message: VoteReply): void {
    const { role, campaign } = this.#replica
    if (role !== 'candidate' || campaign === undefined) return
    campaign.record(message.from, message.fromIncarnation, message.granted)
    this.#conclude(campaign)
  }
}
