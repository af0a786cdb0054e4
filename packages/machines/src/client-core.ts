/**
 * A client's side of the protocol: pure, without timers or promises, so that the simulator runs it too.
 *
 *     propose ─► pending ─(flush: encode once)─► frames ─► leader ... outcomes, in order ─► settle
 *                                                  └── sent again, as they are, to the next leader
 *
 * Commands get dense sequence numbers when they are framed. Outcomes are taken strictly in order; everything not
 * answered is sent again after a leader change, a refusal, a gap or a silence, and the session on the replicas sees to
 * it that nothing is applied twice. Commands go to the *target*: the leader, or the node that the options name.
 *
 * Invariants: `answeredThrough` + commands in frames = last sequence number given; frames before `sentCount` are with
 * the present target; a call is settled once.
 */
import { type NodeId, RaftError, type Random } from '@troupe/core'
import { busy, type Call, fail, indeterminate, invalidCommand, noSpace, timedOut } from './call.ts'
import { type ClientMetrics, newClientMetrics } from './client-metrics.ts'
import type { ClientOptions } from './client-options.ts'
import { ClientQueries, type NodeLink } from './client-queries.ts'
import { type CommandFrame, NEW_SESSION } from './command-frame.ts'
import type { ClientTracer } from './frame-tracer.ts'
import { frameCalls } from './framing.ts'
import type { Codec } from './machine.ts'
import { type Outcome, unpackOutcome } from './outcome.ts'
import {
  type Consistency,
  decodeReplies,
  encodeClientFrame,
  type NodeReply,
  type RefusalCode,
  type RefusedReply,
  ReplyKind,
} from './protocol.ts'
import { Retransmission } from './retransmission.ts'
import { copies, failFrame, type SentFrame, settleFrame, splitByProof, splitUnapplied } from './sent-frame.ts'

/** Frames that go to the leader as one message. */
const MAX_MESSAGE_BYTES = 64 << 10

/** Pause after a refusal. */
const RETRY_MS = 5

/** Pause after a node that is to forward knew of no leader. It tells as soon as it does. */
const FORWARD_RETRY_MS = 50

export class ClientCore {
  readonly metrics: ClientMetrics = newClientMetrics()
  /** Set while somebody measures. */
  tracer: ClientTracer | undefined

  readonly #options: ClientOptions
  readonly #codec: Codec
  readonly #random: Random
  readonly #links = new Map<NodeId, NodeLink>()
  #nowMs = 0

  #term = 0
  #leader: NodeId | undefined

  #session = NEW_SESSION
  /** Numbers were given up of which copies may still arrive: none is given out again in this session, so none behind. */
  #isSpent = false
  #nonce = 0
  #nonceSent = false

  #pending: Call[] = []
  #pendingCommands = 0
  #frames: SentFrame[] = []
  #sentCount = 0
  #framedCommands = 0
  #answeredThrough = 0
  #holdUntilMs = 0
  readonly #retransmission: Retransmission
  /** When nodes are asked who leads: while nobody is known to, and something waits. Infinite: not yet said. */
  #askLeaderMs = Number.POSITIVE_INFINITY

  readonly #queries: ClientQueries
  #earliestDeadlineMs = Number.POSITIVE_INFINITY

  constructor(options: ClientOptions, codec: Codec, random: Random) {
    this.#options = options
    this.#codec = codec
    this.#random = random
    this.#retransmission = new Retransmission(options.retransmitMs)
    this.#queries = new ClientQueries(options, codec)
  }

  get leader(): NodeId | undefined {
    return this.#leader
  }

  /** Commands that wait for an answer. */
  get outstandingCommands(): number {
    return this.#pendingCommands + this.#framedCommands
  }

  /** Queries that wait for an answer. */
  get outstandingQueries(): number {
    return this.#queries.size
  }

  // ---- callers

  /** Takes the commands of a call, or throws BUSY or INVALID_COMMAND. They leave with the next flush. */
  propose(call: Call): void {
    const count = call.commands?.length ?? 1
    const { maxOutstandingCommands, maxBatchCommands } = this.#options
    if (count > maxBatchCommands || count === 0) {
      throw invalidCommand('commands.length', count, `1 to maxBatchCommands (${maxBatchCommands}) commands`)
    }
    if (this.outstandingCommands + count > maxOutstandingCommands) {
      throw busy('maxOutstandingCommands', maxOutstandingCommands)
    }
    this.#pending.push(call)
    this.#pendingCommands += count
    if (call.deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = call.deadlineMs
  }

  /** Whether enough is pending to be sent before the turn ends: the leader can begin while the callers go on. */
  get hasFullFrame(): boolean {
    return this.#pendingCommands >= this.#options.maxFrameCommands
  }

  /** Takes the query of a call, or throws BUSY. `node` is the replica to ask, where any could answer. A full batch leaves at once. */
  query(consistency: Consistency, node: NodeId | undefined, call: Call, nowMs: number): void {
    if (this.#queries.add(consistency, node, call)) this.#queries.sendFull(this.#links, this.#leader, nowMs)
    if (call.deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = call.deadlineMs
  }

  /** The caller no longer waits. What was not sent never will be; what was sent may still happen. */
  abandon(call: Call, reason: string): void {
    if (call.settled) return
    const position = this.#pending.indexOf(call)
    if (position >= 0) {
      this.#pending.splice(position, 1)
      this.#pendingCommands -= call.commands?.length ?? 1
    }
    const nothingHappened = position >= 0 || this.#queries.abandon(call)
    fail(call, nothingHappened ? new RaftError('ABORTED', reason, { reason }) : indeterminate(reason))
  }

  /** Settles everything that is outstanding: the client is closing. */
  close(): void {
    const shutdown = new RaftError('SHUTTING_DOWN', 'the client was closed', { what: 'client' })
    for (const call of this.#pending) fail(call, shutdown)
    this.#queries.failAll(shutdown)
    for (const frame of this.#frames) failFrame(frame, 'the client was closed')
    this.#pending = []
    this.#frames = []
    this.#pendingCommands = 0
    this.#framedCommands = 0
  }

  // ---- connections

  opened(node: NodeId, link: NodeLink): void {
    this.#links.set(node, link)
    if (node === this.#leader || node === this.#target) this.#rewind()
  }

  /** Where commands go. */
  get #target(): NodeId | undefined {
    return this.#options.via ?? this.#leader
  }

  closed(node: NodeId): void {
    this.#links.delete(node)
    this.#queries.askAgain(node)
    if (this.#leader === node) this.#leader = undefined
  }

  /**
   * `node` tells who leads. Only a leader's term counts: a node without one may be in any term, a removed one far ahead,
   * and what it does not know says something only about itself.
   */
  #followLeader(node: NodeId, term: number, leader: NodeId | null): void {
    if (leader === null) {
      if (node === this.#leader && term >= this.#term) this.#leader = undefined
      return
    }
    const isNews = term > this.#term || (term === this.#term && this.#leader === undefined)
    if (!isNews) return
    const before = this.#leader
    // In the same term it is the leader that has just refused something: the pause holds.
    if (term > this.#term) this.#holdUntilMs = 0
    this.#term = term
    this.#leader = leader
    this.#askLeaderMs = Number.POSITIVE_INFINITY
    if (before !== leader) this.metrics.leaderChanges++
    // Everything unanswered goes to the new one.
    this.#rewind()
  }

  #rewind(): void {
    this.#sentCount = 0
    this.#nonceSent = false
    this.#retransmission.restart(this.#nowMs)
    this.#queries.askAgain()
  }

  // ---- sending

  /** Sends what can be sent now. Called at the end of a turn in which anything happened. */
  flush(nowMs: number): void {
    this.#nowMs = nowMs
    if (this.#askLeaderMs === Number.POSITIVE_INFINITY && this.#lacksLeader)
      this.#askLeaderMs = nowMs + this.#options.retransmitMs
    this.#queries.send(this.#links, this.#leader, nowMs)
    if (nowMs < this.#holdUntilMs) return
    const target = this.#target === undefined ? undefined : this.#links.get(this.#target)
    if (target === undefined) return
    if (this.#pending.length === 0 && this.#sentCount === this.#frames.length) return
    if (this.#session === NEW_SESSION) return this.#openSession(target)
    if (!this.#isSpent) this.#framePending()
    while (this.#sentCount < this.#frames.length) if (!this.#sendFrames(target)) return
  }

  /** News of the leader may have been lost, or it is gone and nobody has told. */
  #askWhoLeads(): void {
    const frame = (): Uint8Array => encodeClientFrame(this.#options.group, [], [], this.#codec)
    for (const link of this.#links.values()) link.send(frame())
  }

  #openSession(target: NodeLink): void {
    if (this.#nonceSent) return
    if (this.#nonce === 0) this.#nonce = 1 + Math.floor(this.#random.next() * (Number.MAX_SAFE_INTEGER - 1))
    const frame = {
      session: NEW_SESSION,
      first: this.#nonce,
      count: 1,
      confirmed: 0,
      payload: new Uint8Array(0),
    }
    this.#retransmission.sent(this.#nowMs)
    this.#nonceSent = target.send(encodeClientFrame(this.#options.group, [], [frame], this.#codec))
  }

  /** Gives pending commands their sequence numbers and encodes them, many at a time. */
  #framePending(): void {
    const pending = this.#pending
    if (pending.length === 0) return
    this.#pending = []
    this.#pendingCommands = 0
    for (const frame of frameCalls(pending, this.#options, this.#codec)) this.#enqueue(frame)
  }

  #enqueue(frame: SentFrame): void {
    frame.first = this.#answeredThrough + this.#framedCommands + 1
    this.#frames.push(frame)
    this.#framedCommands += frame.count
  }

  /** One message with as many unsent frames as fit; false where the link takes no more. */
  #sendFrames(target: NodeLink): boolean {
    const commands: CommandFrame[] = []
    let bytes = 0
    let resent = 0
    let count = 0
    for (let index = this.#sentCount; index < this.#frames.length; index++) {
      const frame = this.#frames[index] as SentFrame
      bytes += frame.payload.byteLength
      if (commands.length > 0 && bytes > MAX_MESSAGE_BYTES) break
      commands.push({
        session: this.#session,
        first: frame.first,
        count: frame.count,
        // Of a frame answered in part, what is confirmed must lie before it.
        confirmed: Math.min(this.#answeredThrough, frame.first - 1),
        payload: frame.payload,
      })
      count += frame.count
      if (frame.sends > 0) resent += frame.count
    }
    const { first, calls } = this.#frames[this.#sentCount] as SentFrame
    if (resent === 0) this.tracer?.sending(this.#session, first, count, calls[0]?.deadlineMs ?? 0)
    if (!target.send(encodeClientFrame(this.#options.group, [], commands, this.#codec))) return false
    if (this.#sentCount === 0) this.#retransmission.sent(this.#nowMs)
    for (const _ of commands) (this.#frames[this.#sentCount++] as SentFrame).sends++
    this.metrics.framesSent++
    this.metrics.commandsSent += count
    this.metrics.commandsResent += resent
    return true
  }

  // ---- answers

  /** A frame from `node`. A string is the reason why it makes no sense: the connection is to be closed. */
  frame(node: NodeId, bytes: Uint8Array): string | undefined {
    const frame = decodeReplies(bytes, this.#codec)
    if (typeof frame === 'string') return frame
    if (frame.group !== this.#options.group) return undefined
    for (const reply of frame.replies) this.#handle(node, reply)
    return undefined
  }

  #handle(node: NodeId, reply: NodeReply): void {
    switch (reply[0]) {
      case ReplyKind.leader:
        return this.#followLeader(node, reply[1], reply[2])
      case ReplyKind.opened:
        return this.#opened(reply[1], reply[2])
      case ReplyKind.outcomes:
        if (reply[1] !== this.#session) return
        for (const outcome of reply[2]) this.#outcome(unpackOutcome(outcome))
        return
      case ReplyKind.refused:
        return this.#refused(node, reply)
      case ReplyKind.gap:
        return this.#gap(reply[1], reply[2])
      case ReplyKind.stale:
        return this.#stale(reply[1], reply[2])
      case ReplyKind.answers:
        return this.#queries.answered(reply)
      case ReplyKind.failed:
        return this.#queriesNotTaken(node, reply[1], reply[2])
      case ReplyKind.protocol:
        return this.#protocolError(reply[1])
    }
  }

  #opened(nonce: number, session: number): void {
    if (nonce !== this.#nonce || this.#session !== NEW_SESSION) return
    this.#session = session
    this.#retransmission.restart(this.#nowMs)
  }

  /** Outcomes count strictly in order. One that comes too early tells of a lost reply: it will be asked for again. */
  #outcome(outcome: Outcome): void {
    const end = outcome.first + outcome.count - 1
    if (end <= this.#answeredThrough || outcome.first > this.#answeredThrough + 1) return
    this.#retransmission.heard(this.#nowMs)
    this.tracer?.answered(this.#session, outcome.first)
    let done = 0
    for (const frame of this.#frames) {
      if (frame.first > end) break
      const from = this.#answeredThrough + 1
      const to = Math.min(end, frame.first + frame.count - 1)
      settleFrame(frame, outcome, from, to)
      this.#answeredThrough = to
      if (to === frame.first + frame.count - 1) done++
      this.#framedCommands -= to - from + 1
      this.metrics.commandsAnswered += to - from + 1
    }
    this.#frames.splice(0, done)
    this.#sentCount = Math.max(0, this.#sentCount - done)
    if (this.#isSpent && this.#frames.length === 0) this.#beginAgain()
  }

  /** A node that commands no longer go to has nothing to refuse: what it did not take is with another one already. */
  #refused(node: NodeId, [, session, first, code, retryAfterMs]: RefusedReply): void {
    if (node !== this.#target) return
    if (session === this.#session) {
      const refused = this.#frames.findIndex((frame) => frame.first === first)
      if (refused >= 0 && refused < this.#sentCount) (this.#frames[refused] as SentFrame).refusals++
    }
    this.#nonceSent = false
    this.#sentCount = 0
    if (code === 'NO_SPACE') return this.#noSpace(retryAfterMs)
    const pauseMs = code === 'NOT_LEADER' && this.#options.via === node ? FORWARD_RETRY_MS : retryAfterMs
    this.#holdUntilMs = this.#nowMs + pauseMs
    if (code === 'NOT_LEADER') this.#leaderIsNot(node)
  }

  /**
   * The leader's disk is full: whoever waits for what is certainly in nobody's log is told at once. Those are the commands
   * that no node has, what was not sent, and all behind them: these cannot be applied for want of the one before, as long
   * as no other command takes its number. So where copies of them may still arrive the session is given up too, once what
   * stands before them, of which nobody knows, has its outcome.
   */
  #noSpace(retryAfterMs: number): void {
    const { doubtful, unapplied } = splitUnapplied(this.#frames)
    const calls = [...unapplied.flatMap((frame) => frame.calls), ...this.#pending]
    this.#frames = [...doubtful]
    for (const { count } of unapplied) this.#framedCommands -= count
    this.#pending = []
    this.#pendingCommands = 0
    // Whoever is still in doubt is sent again, but not over and over.
    this.#holdUntilMs = this.#nowMs + (doubtful.length > 0 ? retryAfterMs : RETRY_MS)
    this.#isSpent ||= unapplied.some((frame) => copies(frame) > 0)
    if (this.#isSpent && doubtful.length === 0) this.#beginAgain()
    for (const call of calls) fail(call, noSpace(retryAfterMs))
  }

  /** Nobody is known to lead: nodes are asked, but not at once, because they are likely to tell by themselves. */
  #leaderIsNot(node: NodeId): void {
    if (this.#leader !== node) return
    this.#leader = undefined
    this.#askLeaderMs = this.#nowMs + RETRY_MS
  }

  /** Sends everything unanswered again, but not at each of many complaints of one cause. */
  #gap(session: number, expected: number): void {
    if (session !== this.#session || !this.#retransmission.heeds(expected, this.#answeredThrough)) return
    if (this.#holdUntilMs > this.#nowMs || this.#sentCount === 0) return
    this.#sentCount = 0
    this.#holdUntilMs = this.#nowMs + RETRY_MS
  }

  /**
   * The session is gone. What is proven not to have been applied is sent again in a new one, in its order; whether the rest has
   * happened nobody can tell any more.
   */
  #stale(session: number, first: number): void {
    if (session !== this.#session || session === NEW_SESSION) return
    const { doubtful, unapplied } = splitByProof(this.#frames, first, this.#answeredThrough)
    this.#beginAgain()
    this.metrics.sessionsLost++
    for (const frame of unapplied) {
      // Its callers have given up: there is no need to do it late.
      if (frame.calls.every((call) => call.settled)) continue
      frame.sends = 0
      frame.refusals = 0
      this.#enqueue(frame)
    }
    for (const frame of doubtful) failFrame(frame, 'the session was forgotten by the cluster (STALE_SESSION)')
  }

  /** Without a session, and without anything framed. */
  #beginAgain(): void {
    this.#session = NEW_SESSION
    this.#isSpent = false
    this.#nonce = 0
    this.#nonceSent = false
    this.#frames = []
    this.#sentCount = 0
    this.#answeredThrough = 0
    this.#framedCommands = 0
  }

  #queriesNotTaken(node: NodeId, id: number, code: RefusalCode): void {
    const neededLeader = this.#queries.notTaken(id, node, this.#nowMs)
    if (neededLeader && code === 'NOT_LEADER') this.#leaderIsNot(node)
  }

  /** The node did not understand us: sending the same again would not help. */
  #protocolError(reason: string): void {
    const error = new RaftError('PROTOCOL', `the node refused a frame: ${reason}`, { reason })
    const frames = this.#frames
    this.#beginAgain()
    this.#queries.failAll(error)
    for (const frame of frames) failFrame(frame, error.message)
  }

  // ---- time

  /** When `tick` must be called at the latest. */
  get deadlineMs(): number {
    let deadline = Math.min(this.#earliestDeadlineMs, this.#queries.deadlineMs)
    if (this.#sentCount > 0 || this.#nonceSent) deadline = Math.min(deadline, this.#retransmission.dueMs)
    if (this.#lacksLeader) deadline = Math.min(deadline, this.#askLeaderMs)
    return this.#holdUntilMs > this.#nowMs ? Math.min(deadline, this.#holdUntilMs) : deadline
  }

  /** Whether something waits for news of a leader that somebody could tell. */
  get #lacksLeader(): boolean {
    const isIdle = this.outstandingCommands === 0 && this.outstandingQueries === 0
    return this.#leader === undefined && !isIdle && this.#links.size > 0
  }

  /** Lets deadlines pass and sends again what met with silence. Then flushes. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs
    if (nowMs >= this.#earliestDeadlineMs) this.#expire(nowMs)
    const isWaiting = this.#sentCount > 0 || this.#nonceSent
    let isSilent = this.#queries.tick(nowMs)
    if (isWaiting && nowMs >= this.#retransmission.dueMs) {
      isSilent = true
      this.#sentCount = 0
      this.#nonceSent = false
      this.#retransmission.backOff(nowMs)
    }
    if (isSilent || (this.#lacksLeader && nowMs >= this.#askLeaderMs)) {
      this.#askLeaderMs = nowMs + this.#options.retransmitMs
      this.#askWhoLeads()
    }
    this.flush(nowMs)
  }

  #expire(nowMs: number): void {
    // What is settled here may call back: a caller that proposes again at once changes the fields.
    this.#earliestDeadlineMs = Number.POSITIVE_INFINITY
    const isDue = (call: Call): boolean => {
      if (call.settled || call.deadlineMs <= nowMs) return !call.settled
      if (call.deadlineMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = call.deadlineMs
      return false
    }
    const late: Call[] = []
    const inTime: Call[] = []
    for (const call of this.#pending) (isDue(call) ? late : inTime).push(call)
    this.#pending = inTime
    for (const { commands } of late) this.#pendingCommands -= commands?.length ?? 1
    for (const call of late) fail(call, timedOut())
    for (const { calls } of this.#frames) {
      for (const call of calls) if (isDue(call)) fail(call, indeterminate('no answer before the deadline'))
    }
    const earliestQuery = this.#queries.expire(nowMs)
    this.#earliestDeadlineMs = Math.min(this.#earliestDeadlineMs, earliestQuery)
  }
}
