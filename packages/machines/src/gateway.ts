/**
 * A node's side of the client protocol: takes clients' frames, makes proposals of them, listens to what becomes of
 * them, answers queries. One reply frame per client and turn.
 *
 *     frame ─► check envelope ─► waiting batch ─► propose ... applied ─► outcome ─► reply to whoever waits
 *     query ─► read index ... granted and applied ─► machine.query ─► reply
 */
import type { Application, Entry, GroupId, NodeId, RaftHandle, ReadGrant, RoleChange } from '@troupe/core'
import { type CommandFrame, NEW_SESSION, readCommandFrames } from './command-frame.ts'
import { type Codec, refusalReason } from './machine.ts'
import { type Outcome, packOutcome } from './outcome.ts'
import {
  type ClientRequest,
  decodeClientFrame,
  encodeReplies,
  MAX_COMMANDS_BYTES,
  type NodeReply,
  type RefusalCode,
  ReplyKind,
} from './protocol.ts'
import type { OutcomeListener, ReplicatedMachine } from './replicated-machine.ts'

/** A client's connection as the node sees it. */
export interface ClientConnection {
  /** Sends a frame that owns its memory; false where the client reads too slowly: the frame is dropped. */
  send(frame: Uint8Array): boolean
  close(): void
}

export type ClientEvent =
  | { readonly kind: 'opened'; readonly connection: ClientConnection }
  | { readonly kind: 'frame'; readonly connection: ClientConnection; readonly bytes: Uint8Array }
  | { readonly kind: 'closed'; readonly connection: ClientConnection }

/** The batching knobs of a node. */
export interface GatewayOptions {
  readonly group: GroupId
  /** How long a batch that could go waits for more. @default 0 */
  readonly lingerMs: number
  /** Bytes of command frames in one entry; a single larger client frame still makes one. @default 1 MiB */
  readonly maxBatchBytes: number
  /** Commands in one entry, likewise. @default 65,536 */
  readonly maxBatchCommands: number
  /** Bytes of command frames that wait for room in the log; beyond, clients get BUSY. @default 64 MiB */
  readonly maxWaitingBytes: number
  /** Linearizable reads that are under way; beyond, clients get BUSY. @default 65,536 */
  readonly maxPendingReads: number
}

/** Command frames of one client frame, on their way into an entry. */
interface WaitingFrames {
  readonly connection: ClientConnection
  readonly bytes: Uint8Array
  readonly session: number
  readonly first: number
  readonly commandCount: number
}

interface PendingRead {
  readonly connection: ClientConnection
  readonly id: number
  readonly query: unknown
  /** Granted for this index; 0 while leadership is not confirmed. */
  index: number
}

interface ClientState {
  replies: NodeReply[]
}

const BUSY_RETRY_MS = 5

export class Gateway implements Application<ClientEvent>, OutcomeListener {
  readonly #machine: ReplicatedMachine
  readonly #codec: Codec
  readonly #options: GatewayOptions
  readonly #clients = new Map<ClientConnection, ClientState>()
  readonly #dirty = new Set<ClientConnection>()
  /** Who waits for the outcomes of a session, or for the session with a nonce. */
  readonly #sessionOwner = new Map<number, ClientConnection>()
  readonly #nonceOwner = new Map<number, ClientConnection>()
  /** Last sequence number taken of each session while this node leads: what follows a refused frame is dropped. */
  #takenThrough = new Map<number, number>()
  #waiting: WaitingFrames[] = []
  #waitingBytes = 0
  #waitingCommands = 0
  #waitingSinceMs = 0
  /** Whether what waits has lingered enough, and only room in the log is missing. */
  #lacksRoom = false
  readonly #reads = new Map<number, PendingRead>()
  #newReads: number[] = []
  #lastReadId = 0
  #leader: readonly [term: number, leader: NodeId | null] = [0, null]

  constructor(machine: ReplicatedMachine, codec: Codec, options: GatewayOptions) {
    this.#machine = machine
    this.#codec = codec
    this.#options = options
  }

  get deadlineMs(): number | undefined {
    if (this.#waiting.length === 0 || this.#options.lingerMs === 0 || this.#lacksRoom) return undefined
    return this.#waitingSinceMs + this.#options.lingerMs
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0 && (this.#options.lingerMs === 0 || this.#lacksRoom)
  }

  /** Open client connections. */
  get clientCount(): number {
    return this.#clients.size
  }

  // ---- clients

  client(event: ClientEvent): void {
    switch (event.kind) {
      case 'opened':
        this.#clients.set(event.connection, { replies: [] })
        return this.#reply(event.connection, [ReplyKind.leader, ...this.#leader])
      case 'closed':
        return this.#forget(event.connection)
      case 'frame':
        return this.#frame(event.connection, event.bytes)
    }
  }

  #forget(connection: ClientConnection): void {
    this.#clients.delete(connection)
    this.#dirty.delete(connection)
    for (const owners of [this.#sessionOwner, this.#nonceOwner]) {
      for (const [key, owner] of owners) if (owner === connection) owners.delete(key)
    }
    for (const [id, read] of this.#reads) if (read.connection === connection) this.#reads.delete(id)
  }

  #frame(connection: ClientConnection, bytes: Uint8Array): void {
    if (!this.#clients.has(connection)) return
    const frame = decodeClientFrame(bytes, this.#codec)
    if (typeof frame === 'string') return this.#expel(connection, frame)
    if (frame.group !== this.#options.group)
      return this.#expel(connection, `group ${frame.group} is not here`)
    for (const request of frame.requests) this.#query(connection, request)
    if (frame.commands.byteLength > 0) this.#takeCommands(connection, frame.commands)
  }

  /** Tells a client what is wrong with its frame and hangs up. */
  #expel(connection: ClientConnection, reason: string): void {
    connection.send(encodeReplies(this.#options.group, [[ReplyKind.protocol, reason]], this.#codec))
    this.#forget(connection)
    connection.close()
  }

  #reply(connection: ClientConnection, reply: NodeReply): void {
    const client = this.#clients.get(connection)
    if (client === undefined) return
    client.replies.push(reply)
    this.#dirty.add(connection)
  }

  flush(): void {
    for (const connection of this.#dirty) {
      const client = this.#clients.get(connection)
      if (client === undefined) continue
      // A client that does not read loses replies, and asks again: results are kept in its session.
      connection.send(this.#encode(client.replies))
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
      const sound = replies.map((reply) => (this.#isEncodable(reply) ? reply : unanswerable(reply)))
      return encodeReplies(group, sound, this.#codec)
    }
  }

  #isEncodable(reply: NodeReply): boolean {
    try {
      this.#codec.encode(reply)
      return true
    } catch {
      return false
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
      if (session !== head.session || (session !== NEW_SESSION && first !== head.first + commandCount)) {
        return this.#expel(connection, 'command frames of one frame must follow each other in one session')
      }
      commandCount += count
    }
    const { session, first } = head
    if (session === NEW_SESSION) this.#nonceOwner.set(first, connection)
    else if (!this.#takeSequence(connection, head, commandCount)) return
    if (this.#waiting.length === 0) this.#waitingSinceMs = Number.POSITIVE_INFINITY
    this.#waiting.push({ connection, bytes, session, first, commandCount })
    this.#waitingBytes += bytes.byteLength
    this.#waitingCommands += commandCount
  }

  /** Whether a session's frame is to be taken; refuses or drops it otherwise. */
  #takeSequence(connection: ClientConnection, head: CommandFrame, count: number): boolean {
    const { session, first, confirmed } = head
    this.#sessionOwner.set(session, connection)
    const taken = this.#takenThrough.get(session)
    // Behind a refused one: that will come again. But not where the client has the answers of all before: what was
    // refused then was a duplicate.
    if (taken !== undefined && first > Math.max(taken, confirmed) + 1) return false
    if (this.#waitingBytes >= this.#options.maxWaitingBytes) {
      this.#refuse(connection, session, first, 'BUSY')
      return false
    }
    this.#takenThrough.set(session, Math.max(taken ?? 0, first + count - 1))
    return true
  }

  #refuse(connection: ClientConnection, session: number, first: number, code: RefusalCode): void {
    if (session !== NEW_SESSION) this.#takenThrough.set(session, first - 1)
    this.#reply(connection, [ReplyKind.refused, session, first, code, BUSY_RETRY_MS])
  }

  gather(raft: RaftHandle, nowMs: number): void {
    this.#gatherReads(raft)
    if (this.#waiting.length === 0) return
    const refusal = raft.proposalRefusal
    if (refusal !== undefined) return this.#refuseWaiting(refusal)
    if (this.#waitingSinceMs === Number.POSITIVE_INFINITY) this.#waitingSinceMs = nowMs
    if (this.#mayLinger(nowMs)) return
    while (this.#waiting.length > 0 && raft.hasRoom && raft.proposalRefusal === undefined)
      this.#proposeBatch(raft)
    this.#lacksRoom = this.#waiting.length > 0
  }

  #mayLinger(nowMs: number): boolean {
    const { lingerMs, maxBatchBytes, maxBatchCommands } = this.#options
    if (nowMs - this.#waitingSinceMs >= lingerMs) return false
    return this.#waitingBytes < maxBatchBytes && this.#waitingCommands < maxBatchCommands
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
    this.#waiting = parts.length === this.#waiting.length ? [] : this.#waiting.slice(parts.length)
    this.#waitingBytes -= bytes
    this.#waitingCommands -= commands
    raft.propose(parts, commands)
  }

  #refuseWaiting(code: RefusalCode): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#lacksRoom = false
    this.#waitingBytes = 0
    this.#waitingCommands = 0
    const refused = new Set<number>()
    for (const { connection, session, first } of waiting) {
      if (session !== NEW_SESSION && refused.has(session)) continue
      refused.add(session)
      this.#refuse(connection, session, first, code)
    }
  }

  // ---- what became of commands

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.#machine.apply(entry, this)
    this.#answerReads()
  }

  sessionOpened(nonce: number, session: number): void {
    const owner = this.#nonceOwner.get(nonce)
    if (owner === undefined) return
    this.#nonceOwner.delete(nonce)
    this.#reply(owner, [ReplyKind.opened, nonce, session])
  }

  outcome(session: number, outcome: Outcome): void {
    const owner = this.#sessionOwner.get(session)
    if (owner === undefined) return
    this.#reply(owner, [ReplyKind.outcomes, session, [packOutcome(outcome)]])
  }

  gap(session: number, expected: number): void {
    const owner = this.#sessionOwner.get(session)
    if (owner === undefined) return
    this.#takenThrough.delete(session)
    this.#reply(owner, [ReplyKind.gap, session, expected])
  }

  stale(session: number): void {
    const owner = this.#sessionOwner.get(session)
    this.#takenThrough.delete(session)
    if (owner !== undefined) this.#reply(owner, [ReplyKind.stale, session])
  }

  roleChanged({ term, leader }: RoleChange): void {
    this.#leader = [term, leader ?? null]
    this.#takenThrough = new Map()
    for (const connection of this.#clients.keys())
      this.#reply(connection, [ReplyKind.leader, ...this.#leader])
  }

  // ---- reads

  #query(connection: ClientConnection, [, id, consistency, query]: ClientRequest): void {
    if (consistency === 'stale') return this.#answer({ connection, id, query, index: 0 })
    if (this.#reads.size >= this.#options.maxPendingReads) {
      return this.#reply(connection, [ReplyKind.failed, id, 'BUSY', 'too many reads are under way'])
    }
    const readId = ++this.#lastReadId
    this.#reads.set(readId, { connection, id, query, index: 0 })
    this.#newReads.push(readId)
  }

  #gatherReads(raft: RaftHandle): void {
    for (const id of this.#newReads) raft.readIndex(id)
    if (this.#newReads.length > 0) this.#newReads = []
  }

  reads(granted: readonly ReadGrant[], refused: readonly number[]): void {
    for (const { id, index } of granted) {
      const read = this.#reads.get(id)
      if (read !== undefined) read.index = index
    }
    for (const id of refused) {
      const read = this.#reads.get(id)
      if (read === undefined) continue
      this.#reads.delete(id)
      this.#reply(read.connection, [ReplyKind.failed, read.id, 'NOT_LEADER', 'this node does not lead'])
    }
    if (granted.length > 0) this.#answerReads()
  }

  /** Answers every granted read whose index is applied. */
  #answerReads(): void {
    const applied = this.#machine.appliedIndex
    for (const [id, read] of this.#reads) {
      // Grants come in the order of the reads: the first one that waits holds all after it back.
      if (read.index === 0 || read.index > applied) return
      this.#reads.delete(id)
      this.#answer(read)
    }
  }

  #answer({ connection, id, query }: PendingRead): void {
    try {
      const answer = this.#machine.machine.query(query)
      this.#reply(connection, [ReplyKind.answer, id, answer])
    } catch (error) {
      this.#reply(connection, [ReplyKind.failed, id, 'REJECTED', refusalReason(error)])
    }
  }
}

/** In the place of an answer that has no encoding. */
function unanswerable(reply: NodeReply): NodeReply {
  return [ReplyKind.failed, reply[1] as number, 'REJECTED', 'the answer of the machine cannot be encoded']
}
