/**
 * A node's side of the client protocol: takes clients' frames, makes proposals of them, listens to what becomes of
 * them, answers queries. One reply frame per client and turn.
 *
 *     frame ─► check envelope ─► waiting batch ─► propose ... applied ─► outcome ─► reply to whoever waits
 *     query ─► PendingReads ─► reply
 *
 * A connection carries one session at a time: the gateway remembers the latest, so that what it remembers is bounded by
 * the connections.
 */
import type {
  Application,
  Entry,
  KeptState,
  NodeId,
  RaftHandle,
  ReadGrant,
  RefusedProposal,
  RoleChange,
  StateLoader,
} from '@troupe/core'
import { encodable } from './answers.ts'
import type { ClientConnection, ClientEvent } from './client-connection.ts'
import { type CommandFrame, closedConnectionFrame, NEW_SESSION, readCommandFrames } from './command-frame.ts'
import type { GatewayTracer } from './frame-tracer.ts'
import type { GatewayOptions } from './gateway-options.ts'
import type { ClientState, SessionOwner, WaitingFrames } from './gateway-records.ts'
import type { Codec } from './machine.ts'
import { type Outcome, packOutcome } from './outcome.ts'
import { PendingReads } from './pending-reads.ts'
import {
  decodeClientFrame,
  encodeReplies,
  MAX_COMMANDS_BYTES,
  type NodeReply,
  type RefusalCode,
  ReplyKind,
} from './protocol.ts'
import type { OutcomeListener, ReplicatedMachine } from './replicated-machine.ts'
import { TimeEntries } from './time-entries.ts'

/** As Nagle's algorithm (RFC 896) has it of segments: what fills an entry does not wait for the one before. */
const SMALL_BATCH_BYTES = 16 << 10

const BUSY_RETRY_MS = 5

/** A disk that is full seldom has space again soon. */
const NO_SPACE_RETRY_MS = 50

/** Entries on their way to the leader whose clients are remembered. What is forgotten is sent again after a silence. */
const MAX_FORWARDED = 1024

export class Gateway implements Application<ClientEvent>, OutcomeListener {
  /** Set while somebody measures. */
  tracer: GatewayTracer | undefined
  /** Frames of commands that were refused: nobody leads here, too much waits, the disk is full. */
  refusedFrames = 0
  readonly #machine: ReplicatedMachine
  readonly #codec: Codec
  readonly #options: GatewayOptions
  readonly #clients = new Map<ClientConnection, ClientState>()
  readonly #dirty = new Set<ClientConnection>()
  /** Who waits for the outcomes of a session, and for the session with a nonce. */
  readonly #sessions = new Map<number, SessionOwner>()
  readonly #nonceOwner = new Map<number, ClientConnection>()
  /** What went to the leader, by the number of the proposal, oldest first. */
  readonly #forwarded = new Map<number, readonly WaitingFrames[]>()
  #waiting: WaitingFrames[] = []
  #waitingBytes = 0
  #waitingCommands = 0
  #waitingSinceMs = 0
  /** Whether what waits has lingered enough, and only room in the log is missing. */
  #lacksRoom = false
  /** Whether what waits is to be of the entry behind the one that is not committed. */
  #isHeld = false
  readonly #reads: PendingReads
  readonly #time: TimeEntries
  #leader: readonly [term: number, leader: NodeId | null] = [0, null]

  /** @param nowMs the clock that the node's turns are timed by: lease reads sample it again before they answer */
  constructor(machine: ReplicatedMachine, codec: Codec, options: GatewayOptions, nowMs: () => number) {
    this.#machine = machine
    this.#codec = codec
    this.#options = options
    this.#time = new TimeEntries(machine, nowMs)
    this.#reads = new PendingReads(machine, codec, options.maxPendingReads, nowMs, (connection, reply) =>
      this.#reply(connection, reply),
    )
  }

  get deadlineMs(): number | undefined {
    // Reads that found their lease gone at the end of a turn.
    if (this.#reads.hasFresh) return Number.NEGATIVE_INFINITY
    const dueMs = this.#time.deadlineMs
    const { lingerMs, commitLingerMs } = this.#options
    if (this.#isHeld) return Math.min(this.#waitingSinceMs + commitLingerMs, dueMs)
    const isLingering = this.#waiting.length > 0 && lingerMs > 0 && !this.#lacksRoom
    if (isLingering) return Math.min(this.#waitingSinceMs + lingerMs, dueMs)
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0 && !this.#isHeld && (this.#options.lingerMs === 0 || this.#lacksRoom)
  }

  /** Open client connections. */
  get clientCount(): number {
    return this.#clients.size
  }

  // ---- clients

  client(event: ClientEvent): void {
    switch (event.kind) {
      case 'opened':
        this.#clients.set(event.connection, { replies: [], session: 0, nonce: 0, hasLostReplies: false })
        return this.#reply(event.connection, [ReplyKind.leader, ...this.#leader])
      case 'closed':
        return this.#forget(event.connection)
      case 'frame':
        return this.#frame(event.connection, event.bytes)
    }
  }

  #forget(connection: ClientConnection): void {
    const client = this.#clients.get(connection)
    if (client === undefined) return
    this.#clients.delete(connection)
    this.#dirty.delete(connection)
    const owner = this.#sessions.get(client.session)
    if (owner?.connection === connection) {
      this.#sessions.delete(client.session)
      this.#tellClosed(connection, client.session, owner)
    }
    if (this.#nonceOwner.get(client.nonce) === connection) this.#nonceOwner.delete(client.nonce)
    this.#reads.forget(connection)
  }

  /**
   * Behind the commands that came over it. Where leaders have changed since its last frame, the client has another by now whose
   * connection counts. It is a hint: one that is refused is not repeated.
   */
  #tellClosed(connection: ClientConnection, session: number, { term }: SessionOwner): void {
    if (!this.#machine.watchesConnections || term !== this.#leader[0]) return
    this.#wait({ connection, bytes: closedConnectionFrame(session), session, first: 1, commandCount: 0 })
  }

  #frame(connection: ClientConnection, bytes: Uint8Array): void {
    if (!this.#clients.has(connection)) return
    const frame = decodeClientFrame(bytes, this.#codec)
    if (typeof frame === 'string') return this.#expel(connection, frame)
    if (frame.group !== this.#options.group)
      return this.#expel(connection, `group ${frame.group} is not here`)
    for (const request of frame.requests) this.#reads.add(connection, request)
    if (frame.commands.byteLength > 0) this.#takeCommands(connection, frame.commands)
    else if (frame.requests.length === 0) this.#reply(connection, [ReplyKind.leader, ...this.#leader])
  }

  /** Tells a client what is wrong with its frame and hangs up. */
  #expel(connection: ClientConnection, reason: string): void {
    connection.send(encodeReplies(this.#options.group, [[ReplyKind.protocol, reason]], this.#codec))
    this.#forget(connection)
    connection.close(reason)
  }

  #reply(connection: ClientConnection, reply: NodeReply): void {
    const client = this.#clients.get(connection)
    if (client === undefined) return
    client.replies.push(reply)
    this.#dirty.add(connection)
  }

  flush(raft: RaftHandle): void {
    this.#reads.answer()
    this.#reads.answerFromLease(raft)
    for (const connection of this.#dirty) {
      const client = this.#clients.get(connection)
      if (client === undefined) continue
      // A client that does not read loses replies, and asks again: results are kept in its session.
      if (!connection.send(this.#encode(client.replies))) client.hasLostReplies = true
      client.replies = []
    }
    this.#dirty.clear()
  }

  #encode(replies: readonly NodeReply[]): Uint8Array {
    const { group } = this.#options
    try {
      return encodeReplies(group, replies, this.#codec)
    } catch {
      // One of the answers to queries is no value: find out which. Results of commands have been looked at before.
      const sound = replies.map((reply) => encodable(reply, this.#codec))
      return encodeReplies(group, sound, this.#codec)
    }
  }

  // ---- commands

  #takeCommands(connection: ClientConnection, bytes: Uint8Array): void {
    if (bytes.byteLength > MAX_COMMANDS_BYTES) {
      return this.#expel(connection, `${bytes.byteLength} bytes of commands, above ${MAX_COMMANDS_BYTES}`)
    }
    const frames = readCommandFrames(bytes)
    if (typeof frames === 'string') return this.#expel(connection, frames)
    const head = frames[0]
    if (head === undefined) return
    let commandCount = 0
    for (const { count, session, first } of frames) {
      if (count === 0) return this.#expel(connection, 'a frame without commands')
      if (session !== head.session || (session !== NEW_SESSION && first !== head.first + commandCount)) {
        return this.#expel(connection, 'command frames of one frame must follow each other in one session')
      }
      commandCount += count
    }
    const { session, first } = head
    const taken =
      session === NEW_SESSION
        ? this.#takeNonce(connection, first)
        : this.#takeSequence(connection, head, commandCount)
    if (!taken) return
    this.#wait({ connection, bytes, session, first, commandCount })
    this.tracer?.taken(session, first)
  }

  #wait(frames: WaitingFrames): void {
    if (this.#waiting.length === 0) this.#waitingSinceMs = Number.POSITIVE_INFINITY
    this.#waiting.push(frames)
    this.#waitingBytes += frames.bytes.byteLength
    this.#waitingCommands += frames.commandCount
  }

  /** Whether the request for a session is to be taken. */
  #takeNonce(connection: ClientConnection, nonce: number): boolean {
    const client = this.#clients.get(connection) as ClientState
    if (this.#waitingBytes >= this.#options.maxWaitingBytes) {
      this.#refuse(connection, NEW_SESSION, nonce, 'BUSY')
      return false
    }
    if (client.nonce !== nonce) this.#nonceOwner.delete(client.nonce)
    client.nonce = nonce
    this.#nonceOwner.set(nonce, connection)
    return true
  }

  /** Whether a session's frame is to be taken; refuses or drops it otherwise. */
  #takeSequence(connection: ClientConnection, head: CommandFrame, count: number): boolean {
    const { session, first, confirmed } = head
    const owner = this.#ownerOf(session, connection)
    const client = this.#clients.get(connection) as ClientState
    // It has the answers of all before: nothing that was lost matters any more.
    if (confirmed === first - 1) client.hasLostReplies = false
    const taken = owner.takenThrough
    // Behind a refused one: that will come again. But not where the client has the answers of all before: what was
    // refused then was a duplicate.
    if (taken !== undefined && first > Math.max(taken, confirmed) + 1) return false
    if (this.#waitingBytes >= this.#options.maxWaitingBytes) {
      this.#refuse(connection, session, first, 'BUSY')
      return false
    }
    owner.takenThrough = Math.max(taken ?? 0, first + count - 1)
    return true
  }

  /** The session's owner, who is `connection` from now on. */
  #ownerOf(session: number, connection: ClientConnection): SessionOwner {
    const client = this.#clients.get(connection) as ClientState
    if (client.session !== session) {
      if (this.#sessions.get(client.session)?.connection === connection) this.#sessions.delete(client.session)
      client.session = session
    }
    const [term] = this.#leader
    const known = this.#sessions.get(session)
    if (known === undefined) {
      const owner: SessionOwner = { connection, takenThrough: undefined, answeredThrough: 0, term }
      this.#sessions.set(session, owner)
      return owner
    }
    known.connection = connection
    known.term = term
    return known
  }

  #refuse(connection: ClientConnection, session: number, first: number, code: RefusalCode): void {
    this.refusedFrames++
    const owner = this.#sessions.get(session)
    if (owner !== undefined) owner.takenThrough = first - 1
    const retryAfterMs = code === 'NO_SPACE' ? NO_SPACE_RETRY_MS : BUSY_RETRY_MS
    this.#reply(connection, [ReplyKind.refused, session, first, code, retryAfterMs])
  }

  gather(raft: RaftHandle, nowMs: number): void {
    this.#isHeld = false
    this.#reads.gather(raft, nowMs)
    this.#time.propose(raft, nowMs, this.#waiting.length > 0)
    if (this.#waiting.length === 0) return
    const refusal = raft.proposalRefusal
    if (refusal !== undefined) return this.#refuseWaiting(refusal)
    if (this.#waitingSinceMs === Number.POSITIVE_INFINITY) this.#waitingSinceMs = nowMs
    if (this.#mayLinger(nowMs)) return
    this.#isHeld = raft.hasUncommitted && this.#mayWaitForCommit(nowMs)
    if (this.#isHeld) return
    while (this.#waiting.length > 0 && raft.hasRoom && raft.proposalRefusal === undefined)
      this.#proposeBatch(raft)
    this.#lacksRoom = this.#waiting.length > 0
  }

  #mayLinger(nowMs: number): boolean {
    const { lingerMs, maxBatchBytes, maxBatchCommands } = this.#options
    if (nowMs - this.#waitingSinceMs >= lingerMs) return false
    return this.#waitingBytes < maxBatchBytes && this.#waitingCommands < maxBatchCommands
  }

  #mayWaitForCommit(nowMs: number): boolean {
    const { commitLingerMs, maxBatchBytes, maxBatchCommands } = this.#options
    // Not so either where a recording of before knows of no such option.
    if (!(nowMs - this.#waitingSinceMs < commitLingerMs)) return false
    const isSmall = this.#waitingBytes < Math.min(SMALL_BATCH_BYTES, maxBatchBytes)
    return isSmall && this.#waitingCommands < maxBatchCommands
  }

  /** One entry from what waits, as much as fits. */
  #proposeBatch(raft: RaftHandle): void {
    const { maxBatchBytes, maxBatchCommands } = this.#options
    const parts: Uint8Array[] = []
    let bytes = 0
    let commands = 0
    for (const frames of this.#waiting) {
      const fits =
        bytes + frames.bytes.byteLength <= maxBatchBytes && commands + frames.commandCount <= maxBatchCommands
      if (parts.length > 0 && !fits) break
      parts.push(frames.bytes)
      bytes += frames.bytes.byteLength
      commands += frames.commandCount
    }
    const waiting = this.#waiting
    this.#waiting = parts.length === waiting.length ? [] : waiting.slice(parts.length)
    this.#waitingBytes -= bytes
    this.#waitingCommands -= commands
    const place = raft.propose(parts, commands)
    if (place < 0) this.#remember(-place, waiting.slice(0, parts.length))
    const { tracer } = this
    if (tracer === undefined) return
    for (const { session, first } of waiting.slice(0, parts.length)) tracer.proposed(session, first, place)
  }

  /** The frames are on their way to the leader, which may refuse them. */
  #remember(id: number, frames: readonly WaitingFrames[]): void {
    // Answered while it waits, its bytes are not needed: only whose they were.
    const bytes = new Uint8Array(0)
    this.#forwarded.set(
      id,
      frames.map((each) => ({ ...each, bytes })),
    )
    if (this.#forwarded.size <= MAX_FORWARDED) return
    const [oldest] = this.#forwarded.keys()
    this.#forwarded.delete(oldest as number)
  }

  forwardRefused(refused: readonly RefusedProposal[]): void {
    const told = new Set<number>()
    for (const { id, refusal } of refused) {
      const frames = this.#forwarded.get(id)
      this.#forwarded.delete(id)
      if (frames !== undefined) this.#refuseAll(frames, refusal, told)
    }
  }

  /** Proposals that were answered in the meantime were not refused. */
  #forgetAnswered(): void {
    for (const [id, frames] of this.#forwarded) {
      if (!frames.every((each) => this.#isAnswered(each))) return
      this.#forwarded.delete(id)
    }
  }

  #isAnswered({ session, first, commandCount }: WaitingFrames): boolean {
    if (session === NEW_SESSION) return !this.#nonceOwner.has(first)
    const owner = this.#sessions.get(session)
    return owner === undefined || owner.answeredThrough >= first + commandCount - 1
  }

  #refuseWaiting(code: RefusalCode): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#lacksRoom = false
    this.#waitingBytes = 0
    this.#waitingCommands = 0
    this.#refuseAll(waiting, code)
  }

  /** Once a session: everything from the first refused command on comes again. */
  #refuseAll(frames: readonly WaitingFrames[], code: RefusalCode, told = new Set<number>()): void {
    for (const { connection, session, first, commandCount } of frames) {
      if (commandCount === 0) continue
      if (session !== NEW_SESSION && told.has(session)) continue
      told.add(session)
      this.#refuse(connection, session, first, code)
    }
  }

  // ---- what became of commands

  apply(entries: readonly Entry[]): void {
    this.#machine.applyAll(entries, this)
    this.#time.applied()
    if (this.#forwarded.size > 0) this.#forgetAnswered()
    this.#reads.answer()
  }

  sessionOpened(nonce: number, session: number): void {
    const owner = this.#nonceOwner.get(nonce)
    if (owner === undefined) return
    this.#nonceOwner.delete(nonce)
    this.#reply(owner, [ReplyKind.opened, nonce, session])
  }

  outcome(session: number, outcome: Outcome): void {
    const owner = this.#sessions.get(session)
    if (owner === undefined) return
    owner.answeredThrough = Math.max(owner.answeredThrough, outcome.first + outcome.count - 1)
    this.#reply(owner.connection, [ReplyKind.outcomes, session, [packOutcome(outcome)]])
  }

  gap(session: number, expected: number): void {
    const owner = this.#sessions.get(session)
    if (owner === undefined) return
    owner.takenThrough = undefined
    this.#reply(owner.connection, [ReplyKind.gap, session, expected])
  }

  stale(session: number, first: number): void {
    const owner = this.#sessions.get(session)
    if (owner === undefined) return
    owner.takenThrough = undefined
    owner.answeredThrough = Number.POSITIVE_INFINITY
    const hasLostReplies = this.#clients.get(owner.connection)?.hasLostReplies ?? true
    this.#reply(owner.connection, [ReplyKind.stale, session, hasLostReplies ? 0 : first])
  }

  roleChanged({ role, term, leader }: RoleChange): void {
    this.#time.roleChanged(role === 'leader')
    this.#leader = [term, leader ?? null]
    this.#forwarded.clear()
    for (const owner of this.#sessions.values()) owner.takenThrough = undefined
    for (const connection of this.#clients.keys())
      this.#reply(connection, [ReplyKind.leader, ...this.#leader])
  }

  reads(granted: readonly ReadGrant[], refused: readonly number[]): void {
    this.#reads.settled(granted, refused)
  }

  // ---- snapshots

  save(): Iterator<Uint8Array> {
    return this.#machine.beginSave()
  }

  get stateBytes(): number | undefined {
    return this.#machine.stateBytes
  }

  get kept(): KeptState | undefined {
    return this.#machine.kept
  }

  discard(): void {
    this.#machine.discard()
  }

  load({ term }: KeptState): StateLoader {
    const loader = this.#machine.beginLoad(term)
    return {
      chunk: (bytes) => loader.chunk(bytes),
      end: () => {
        loader.end()
        // What the snapshot covers was never told to anybody here: clients ask again, and are answered from their sessions.
        for (const client of this.#clients.values()) client.hasLostReplies = true
      },
    }
  }
}
