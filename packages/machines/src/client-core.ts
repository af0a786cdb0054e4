/**
 * A client's side of the protocol: pure, without timers or promises, so that the simulator runs it too.
 *
 *     propose ─► pending ─(flush: encode once)─► frames ─► leader ... outcomes, in order ─► settle
 *                                                  └── sent again, as they are, to the next leader
 *
 * Commands get dense sequence numbers when they are framed. Outcomes are taken strictly in order; everything not
 * answered is sent again after a leader change, a refusal, a gap or a silence, and the session on the replicas sees to
 * it that nothing is applied twice.
 *
 * Invariants: `answeredThrough` + commands in frames = last sequence number given; frames before `sentCount` are with
 * the present leader; a call is settled once.
 */
import { type NodeId, RaftError, type Random } from '@troupe/core'
import { busy, type Call, fail, indeterminate, invalidCommand, timedOut } from './call.ts'
import type { ClientOptions } from './client-options.ts'
import { ClientQueries, faultOf, type NodeLink } from './client-queries.ts'
import { COMMAND_FRAME_HEADER_BYTES, type CommandFrame, NEW_SESSION } from './command-frame.ts'
import type { Codec } from './machine.ts'
import { type Outcome, unpackOutcome } from './outcome.ts'
import {
  type Consistency,
  decodeReplies,
  encodeClientFrame,
  MAX_COMMANDS_BYTES,
  type NodeReply,
  type RefusalCode,
  ReplyKind,
} from './protocol.ts'
import { failFrame, type SentFrame, settleFrame } from './sent-frame.ts'

/** Frames that go to the leader as one message. */
const MAX_MESSAGE_BYTES = 64 << 10

/** Pause after a refusal. */
const RETRY_MS = 5

/** Of a batch with large commands: so many share a frame at most. */
const LARGE_COMMANDS_PER_FRAME = 8

/** Bytes of the commands in one frame. */
const MAX_PAYLOAD_BYTES = MAX_COMMANDS_BYTES - COMMAND_FRAME_HEADER_BYTES

const SLOT_BYTES = 5 // largest msgpack array header

/** Counters since the client was made. */
export interface ClientMetrics {
  framesSent: number
  commandsSent: number
  commandsAnswered: number
  /** Commands sent more than once. */
  commandsResent: number
  leaderChanges: number
}

export class ClientCore {
  readonly metrics: ClientMetrics = {
    framesSent: 0,
    commandsSent: 0,
    commandsAnswered: 0,
    commandsResent: 0,
    leaderChanges: 0,
  }

  readonly #options: ClientOptions
  readonly #codec: Codec
  readonly #random: Random
  readonly #links = new Map<NodeId, NodeLink>()
  #nowMs = 0

  #term = 0
  #leader: NodeId | undefined

  #session = NEW_SESSION
  #nonce = 0
  #nonceSent = false

  #pending: Call[] = []
  #pendingCommands = 0
  #frames: SentFrame[] = []
  #sentCount = 0
  #framedCommands = 0
  #answeredThrough = 0
  #holdUntilMs = 0
  #heardMs = 0
  #retransmitMs: number

  readonly #queries: ClientQueries
  #earliestDeadlineMs = Number.POSITIVE_INFINITY

  constructor(options: ClientOptions, codec: Codec, random: Random) {
    this.#options = options
    this.#codec = codec
    this.#random = random
    this.#retransmitMs = options.retransmitMs
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

  /** Takes a query, or throws BUSY. `node` asks that replica for a stale answer. */
  query(query: unknown, consistency: Consistency, node: NodeId | undefined, call: Call): void {
    this.#queries.add(query, consistency, node, call)
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
    if (node === this.#leader) this.#rewind()
  }

  closed(node: NodeId): void {
    this.#links.delete(node)
    this.#queries.askAgain(node)
    if (this.#leader === node) this.#leader = undefined
  }

  /** Who leads changes hands: everything unanswered goes to the new one. */
  #followLeader(term: number, leader: NodeId | null): void {
    const isNews = term > this.#term || (term === this.#term && this.#leader === undefined)
    if (!isNews) return
    const before = this.#leader
    this.#term = term
    this.#leader = leader ?? undefined
    if (this.#leader === undefined) return
    if (before !== this.#leader) this.metrics.leaderChanges++
    this.#rewind()
  }

  #rewind(): void {
    this.#sentCount = 0
    this.#nonceSent = false
    this.#holdUntilMs = 0
    this.#heardMs = this.#nowMs
    this.#queries.askAgain()
  }

  // ---- sending

  /** Sends what can be sent now. Called at the end of a turn in which anything happened. */
  flush(nowMs: number): void {
    this.#nowMs = nowMs
    const leader = this.#leader === undefined ? undefined : this.#links.get(this.#leader)
    if (nowMs < this.#holdUntilMs) return
    if (this.#queries.hasUnsent) this.#queries.send(this.#links, this.#leader)
    if (leader === undefined) return
    if (this.#pending.length === 0 && this.#sentCount === this.#frames.length) return
    if (this.#session === NEW_SESSION) return this.#openSession(leader)
    this.#framePending()
    while (this.#sentCount < this.#frames.length) if (!this.#sendFrames(leader)) return
  }

  #openSession(leader: NodeLink): void {
    if (this.#nonceSent) return
    if (this.#nonce === 0) this.#nonce = 1 + Math.floor(this.#random.next() * (Number.MAX_SAFE_INTEGER - 1))
    const frame = {
      session: NEW_SESSION,
      first: this.#nonce,
      count: 1,
      confirmed: 0,
      payload: new Uint8Array(0),
    }
    this.#heardMs = this.#nowMs
    this.#nonceSent = leader.send(encodeClientFrame(this.#options.group, [], [frame], this.#codec))
  }

  /** Gives pending commands their sequence numbers and encodes them, many at a time. */
  #framePending(): void {
    const pending = this.#pending
    if (pending.length === 0) return
    this.#pending = []
    this.#pendingCommands = 0
    for (let start = 0; start < pending.length; ) {
      const head = pending[start] as Call
      if (head.commands !== undefined) {
        this.#frame(head.commands, [head], true)
        start++
        continue
      }
      let end = start + 1
      const limit = Math.min(pending.length, start + this.#options.maxFrameCommands)
      while (end < limit && (pending[end] as Call).commands === undefined) end++
      const calls = start === 0 && end === pending.length ? pending : pending.slice(start, end)
      this.#frame(
        calls.map((call) => call.command),
        calls,
        false,
      )
      start = end
    }
  }

  #frame(commands: readonly unknown[], calls: readonly Call[], isMany: boolean): void {
    const payload = this.#encode(commands)
    if (payload === undefined) return this.#frameOneByOne(commands, calls, isMany)
    const first = this.#answeredThrough + this.#framedCommands + 1
    const count = commands.length
    this.#frames.push({ first, count, payload, calls, isMany, results: undefined, everSent: false })
    this.#framedCommands += count
  }

  /** The encoded commands; undefined where one of them may be at fault. */
  #encode(commands: readonly unknown[]): Uint8Array | undefined {
    try {
      const payload = this.#codec.encode(commands)
      return payload.byteLength - SLOT_BYTES > this.#options.maxCommandBytes ? undefined : payload
    } catch {
      return undefined
    }
  }

  /** A batch that is too large, or holds something that cannot be encoded: find out which command it is. */
  #frameOneByOne(commands: readonly unknown[], calls: readonly Call[], isMany: boolean): void {
    const faults = commands.map((command) =>
      faultOf('command', command, this.#options.maxCommandBytes, this.#codec),
    )
    if (isMany) {
      const fault = faults.find((candidate) => candidate !== undefined)
      if (fault !== undefined) return fail(calls[0] as Call, fault)
      return this.#frameSound(commands, calls, true)
    }
    const sound: Call[] = []
    calls.forEach((call, index) => {
      const fault = faults[index]
      if (fault === undefined) sound.push(call)
      else fail(call, fault)
    })
    if (sound.length === 0) return
    const fitting = Math.floor((MAX_PAYLOAD_BYTES - SLOT_BYTES) / this.#options.maxCommandBytes)
    const each = Math.min(LARGE_COMMANDS_PER_FRAME, fitting)
    for (let start = 0; start < sound.length; start += each) {
      const some = sound.slice(start, start + each)
      this.#frameSound(
        some.map((call) => call.command),
        some,
        false,
      )
    }
  }

  #frameSound(commands: readonly unknown[], calls: readonly Call[], isMany: boolean): void {
    const payload = this.#codec.encode(commands)
    const { byteLength } = payload
    if (byteLength > MAX_PAYLOAD_BYTES) {
      const fault = invalidCommand('commands', `${byteLength} bytes`, `at most ${MAX_PAYLOAD_BYTES} together`)
      for (const call of calls) fail(call, fault)
      return
    }
    const first = this.#answeredThrough + this.#framedCommands + 1
    const count = commands.length
    this.#frames.push({ first, count, payload, calls, isMany, results: undefined, everSent: false })
    this.#framedCommands += count
  }

  /** One message with as many unsent frames as fit; false where the link takes no more. */
  #sendFrames(leader: NodeLink): boolean {
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
      if (frame.everSent) resent += frame.count
    }
    if (!leader.send(encodeClientFrame(this.#options.group, [], commands, this.#codec))) return false
    if (this.#sentCount === 0) this.#heardMs = this.#nowMs
    for (const _ of commands) (this.#frames[this.#sentCount++] as SentFrame).everSent = true
    this.metrics.framesSent++
    this.metrics.commandsSent += count
    this.metrics.commandsResent += resent
    return true
  }

  // ---- answers

  /** A frame from `node`. */
  frame(node: NodeId, bytes: Uint8Array): void {
    const { group, replies } = decodeReplies(bytes, this.#codec)
    if (group !== this.#options.group) return
    for (const reply of replies) this.#handle(node, reply)
  }

  #handle(node: NodeId, reply: NodeReply): void {
    switch (reply[0]) {
      case ReplyKind.leader:
        return this.#followLeader(reply[1], reply[2])
      case ReplyKind.opened:
        return this.#opened(reply[1], reply[2])
      case ReplyKind.outcomes:
        if (reply[1] !== this.#session) return
        for (const outcome of reply[2]) this.#outcome(unpackOutcome(outcome))
        return
      case ReplyKind.refused:
        return this.#refused(node, reply[1], reply[3], reply[4])
      case ReplyKind.gap:
        return this.#gap(reply[1])
      case ReplyKind.stale:
        return this.#stale(reply[1])
      case ReplyKind.answer:
        return this.#queries.answered(reply[1], reply[2])
      case ReplyKind.failed:
        return this.#queryFailed(node, reply[1], reply[2], reply[3])
      case ReplyKind.protocol:
        return this.#protocolError(reply[1])
    }
  }

  #opened(nonce: number, session: number): void {
    if (nonce !== this.#nonce || this.#session !== NEW_SESSION) return
    this.#session = session
  }

  /** Outcomes count strictly in order. One that comes too early tells of a lost reply: it will be asked for again. */
  #outcome(outcome: Outcome): void {
    const end = outcome.first + outcome.count - 1
    if (end <= this.#answeredThrough || outcome.first > this.#answeredThrough + 1) return
    this.#heardMs = this.#nowMs
    this.#retransmitMs = this.#options.retransmitMs
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
  }

  #refused(node: NodeId, session: number, code: 'NOT_LEADER' | 'BUSY', retryAfterMs: number): void {
    if (session === NEW_SESSION) this.#nonceSent = false
    this.#sentCount = 0
    this.#holdUntilMs = this.#nowMs + retryAfterMs
    if (code === 'NOT_LEADER' && this.#leader === node) this.#leader = undefined
  }

  #gap(session: number): void {
    if (session === this.#session) this.#resendSoon()
  }

  /** Sends everything unanswered again, but not at each of many complaints of one cause. */
  #resendSoon(): void {
    if (this.#holdUntilMs > this.#nowMs || this.#sentCount === 0) return
    this.#sentCount = 0
    this.#holdUntilMs = this.#nowMs + RETRY_MS
  }

  /** The session is gone, and with it the means to tell whether what was sent has happened. */
  #stale(session: number): void {
    if (session !== this.#session) return
    const sent = this.#frames.filter((frame) => frame.everSent)
    this.#frames = this.#frames.filter((frame) => !frame.everSent)
    this.#session = NEW_SESSION
    this.#nonce = 0
    this.#nonceSent = false
    this.#sentCount = 0
    this.#answeredThrough = 0
    this.#framedCommands = 0
    for (const frame of this.#frames) {
      frame.first = this.#framedCommands + 1
      this.#framedCommands += frame.count
    }
    for (const frame of sent) failFrame(frame, 'the session was evicted by the cluster (STALE_SESSION)')
  }

  #queryFailed(node: NodeId, id: number, code: RefusalCode | 'REJECTED', reason: string): void {
    if (code === 'REJECTED') return this.#queries.rejected(id, reason)
    this.#queries.notTaken(id)
    this.#holdUntilMs = this.#nowMs + RETRY_MS
    if (code === 'NOT_LEADER' && this.#leader === node) this.#leader = undefined
  }

  /** The node did not understand us: sending the same again would not help. */
  #protocolError(reason: string): void {
    const error = new RaftError('PROTOCOL', `the node refused a frame: ${reason}`, { reason })
    this.#queries.failAll(error)
    for (const frame of this.#frames) failFrame(frame, error.message)
    this.#stale(this.#session)
  }

  // ---- time

  /** When `tick` must be called at the latest. */
  get deadlineMs(): number {
    let deadline = this.#earliestDeadlineMs
    if (this.#sentCount > 0 || this.#nonceSent)
      deadline = Math.min(deadline, this.#heardMs + this.#retransmitMs)
    return this.#holdUntilMs > this.#nowMs ? Math.min(deadline, this.#holdUntilMs) : deadline
  }

  /** Lets deadlines pass and sends again what met with silence. Then flushes. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs
    if (nowMs >= this.#earliestDeadlineMs) this.#expire(nowMs)
    const isWaiting = this.#sentCount > 0 || this.#nonceSent
    if (isWaiting && nowMs - this.#heardMs >= this.#retransmitMs) {
      this.#sentCount = 0
      this.#nonceSent = false
      this.#heardMs = nowMs
      this.#retransmitMs = Math.min(this.#retransmitMs * 2, 8 * this.#options.retransmitMs)
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
