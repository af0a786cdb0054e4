/**
 * A client's queries, asked in batches. They change nothing, so they are simply asked again wherever an answer may be had: those
 * that only the leader answers of the leader, the others of the named replica or of any, the next one after each failure.
 *
 *     add ─► open batch ─(full, or end of the turn)─► sent ─► answers, all at once ─► settle
 *                                    ▲                 │
 *                                    └─ silence, refusal, another leader
 */
import { type NodeId, RaftError } from '@troupe/core'
import { busy, type Call, fail, invalidCommand, release, succeed, timedOut } from './call.ts'
import type { Codec } from './machine.ts'
import {
  type AnswersReply,
  type ClientRequest,
  type Consistency,
  encodeClientFrame,
  RequestKind,
} from './protocol.ts'

/**
 * A connection to one node. Returns false when the node has too much unread: try again when it is writable. What it takes it
 * delivers at most once, and so does what comes back: a client infers from it what cannot have happened.
 */
export interface NodeLink {
  send(frame: Uint8Array): boolean
}

export interface QueryLimits {
  readonly group: number
  readonly maxOutstandingQueries: number
  /** Bytes of one query, encoded. */
  readonly maxCommandBytes: number
  /** Silence after which a query is asked again. Doubles each time. */
  readonly retransmitMs: number
}

/** Pause after a refusal. */
const RETRY_MS = 5

/** The retransmit time is doubled so often at most. */
const MAX_DOUBLINGS = 3

/** Queries in one batch. */
export const BATCH_QUERIES = 256

/** Calls that are asked together: sent, granted and answered as a whole. */
interface QueryBatch {
  /** Given when it takes no more calls; another one where some leave it again: late answers do not fit what is left of it. */
  id: number
  readonly consistency: Consistency
  /** The replica that the callers named. */
  readonly node: NodeId | undefined
  /** In the order of the answers. Some may have been settled meanwhile. */
  calls: Call[]
  /** Whom it was sent to; undefined while it waits to be sent. */
  asked: NodeId | undefined
  askedMs: number
  /** How often it met with silence or was not taken. */
  failures: number
}

export class ClientQueries {
  readonly #limits: QueryLimits
  readonly #codec: Codec
  /** Calls without an answer. */
  #size = 0
  /** Batches that take more calls, one of each kind: to be sent next. */
  #open: QueryBatch[] = []
  /** Those that take no more, and have no answer. */
  readonly #batches = new Map<number, QueryBatch>()
  #unsent: QueryBatch[] = []
  #lastId = 0
  #holdUntilMs = 0
  /** When the first of the asked batches will have met with silence. */
  #overdueMs = Number.POSITIVE_INFINITY

  constructor(limits: QueryLimits, codec: Codec) {
    this.#limits = limits
    this.#codec = codec
  }

  /** Queries without an answer. */
  get size(): number {
    return this.#size
  }

  get #hasUnsent(): boolean {
    return this.#unsent.length > 0 || this.#open.length > 0
  }

  /** When `send` or `tick` has something to do, because of refusals or silence; infinite where neither is. */
  get deadlineMs(): number {
    return this.#hasUnsent && this.#holdUntilMs > 0
      ? Math.min(this.#holdUntilMs, this.#overdueMs)
      : this.#overdueMs
  }

  /**
   * Takes a query. Returns whether its batch is full, and may leave before the turn ends: the node can begin while the callers go on.
   * @throws RaftError BUSY
   */
  add(consistency: Consistency, node: NodeId | undefined, call: Call): boolean {
    const { maxOutstandingQueries } = this.#limits
    if (this.#size >= maxOutstandingQueries) throw busy('maxOutstandingQueries', maxOutstandingQueries)
    const batch = this.#openBatch(consistency, node)
    batch.calls.push(call)
    this.#size++
    if (batch.calls.length < BATCH_QUERIES) return false
    this.#open = this.#open.filter((open) => open !== batch)
    this.#close(batch)
    return true
  }

  #openBatch(consistency: Consistency, node: NodeId | undefined): QueryBatch {
    for (const batch of this.#open) if (batch.consistency === consistency && batch.node === node) return batch
    const batch = { id: 0, consistency, node, calls: [], asked: undefined, askedMs: 0, failures: 0 }
    this.#open.push(batch)
    return batch
  }

  #close(batch: QueryBatch): void {
    this.#number(batch)
    this.#unsent.push(batch)
  }

  #number(batch: QueryBatch): void {
    batch.id = ++this.#lastId
    this.#batches.set(batch.id, batch)
  }

  /** Forgets a query whose caller gives up, and is going to be told; whether there was one. */
  abandon(call: Call): boolean {
    const isIn = ({ calls }: QueryBatch): boolean => calls.includes(call)
    if (!this.#open.some(isIn) && !this.#batches.values().some(isIn)) return false
    this.#size--
    return true
  }

  /** Asks again what was asked of `node`; without a node, everything. */
  askAgain(node?: NodeId): void {
    for (const batch of this.#batches.values()) {
      if (batch.asked === undefined || (node !== undefined && batch.asked !== node)) continue
      batch.asked = undefined
      this.#unsent.push(batch)
    }
  }

  /** Asks again what met with silence, at the next `send`. Returns whether anything did. */
  tick(nowMs: number): boolean {
    if (nowMs < this.#overdueMs) return false
    let isSilent = false
    this.#overdueMs = Number.POSITIVE_INFINITY
    for (const batch of this.#batches.values()) {
      if (batch.asked === undefined) continue
      const overdueMs = this.#overdueMsOf(batch)
      if (overdueMs > nowMs) {
        this.#overdueMs = Math.min(this.#overdueMs, overdueMs)
        continue
      }
      isSilent = true
      this.#askElsewhere(batch)
    }
    return isSilent
  }

  #overdueMsOf({ askedMs, failures }: QueryBatch): number {
    return askedMs + this.#limits.retransmitMs * 2 ** Math.min(failures, MAX_DOUBLINGS)
  }

  #askElsewhere(batch: QueryBatch): void {
    batch.failures++
    batch.asked = undefined
    this.#unsent.push(batch)
  }

  /** Sends what can be sent: one frame a batch. */
  send(links: ReadonlyMap<NodeId, NodeLink>, leader: NodeId | undefined, nowMs: number): void {
    if (!this.#hasUnsent || nowMs < this.#holdUntilMs) return
    const open = this.#open
    this.#open = []
    for (const batch of open) this.#close(batch)
    this.sendFull(links, leader, nowMs)
  }

  /** The same, but for batches that take more calls. */
  sendFull(links: ReadonlyMap<NodeId, NodeLink>, leader: NodeId | undefined, nowMs: number): void {
    if (this.#unsent.length === 0 || nowMs < this.#holdUntilMs) return
    this.#holdUntilMs = 0
    const unsent = this.#unsent
    this.#unsent = []
    for (const batch of unsent) {
      if (!this.#batches.has(batch.id)) continue
      this.#keep(batch, isWaiting)
      const to = targetOf(batch, links, leader)
      const link = to === undefined ? undefined : links.get(to)
      if (to !== undefined && link !== undefined) this.#sendBatch(batch, to, link, nowMs)
      else if (batch.calls.length > 0) this.#unsent.push(batch)
    }
  }

  #sendBatch(batch: QueryBatch, node: NodeId, link: NodeLink, nowMs: number): void {
    const frame = this.#encode(batch)
    if (frame === undefined) return
    if (!link.send(frame)) {
      this.#unsent.push(batch)
      return
    }
    batch.asked = node
    batch.askedMs = nowMs
    this.#overdueMs = Math.min(this.#overdueMs, this.#overdueMsOf(batch))
  }

  /** Undefined where nothing is left that can be sent. */
  #encode(batch: QueryBatch): Uint8Array | undefined {
    const frame = this.#frameOf(batch)
    if (frame !== undefined && frame.byteLength <= this.#limits.maxCommandBytes) return frame
    // Too large, or one of the queries has no encoding: find out which.
    this.#keep(batch, (call) => this.#isSound(call))
    return this.#frameOf(batch)
  }

  #frameOf({ id, consistency, calls }: QueryBatch): Uint8Array | undefined {
    if (calls.length === 0) return undefined
    try {
      const queries = calls.map(({ command }) => command)
      const payload = this.#codec.encode(queries)
      release(queries)
      const request: ClientRequest = [RequestKind.queries, id, consistency, calls.length, payload]
      return encodeClientFrame(this.#limits.group, [request], [], this.#codec)
    } catch {
      return undefined
    }
  }

  /** Takes the other calls out of a batch. One without calls is forgotten. */
  #keep(batch: QueryBatch, isKept: (call: Call) => boolean): void {
    if (batch.calls.every(isKept)) return
    this.#batches.delete(batch.id)
    batch.calls = batch.calls.filter(isKept)
    if (batch.calls.length > 0) this.#number(batch)
  }

  /** Whether a query can be sent; it is settled where it cannot. */
  #isSound(call: Call): boolean {
    const fault = faultOf('query', call.command, this.#limits.maxCommandBytes, this.#codec)
    if (fault !== undefined) this.#fail(call, fault)
    return isWaiting(call)
  }

  #fail(call: Call, error: RaftError): void {
    if (call.settled) return
    this.#size--
    fail(call, error)
  }

  /** The answers to a batch, and what the state machine has refused of it. */
  answered([, id, served, answers, errors]: AnswersReply): void {
    const batch = this.#batches.get(id)
    if (batch === undefined || batch.calls.length !== answers.length) return
    this.#batches.delete(id)
    const reasons = errors === null ? undefined : new Map(errors)
    const { calls } = batch
    for (let offset = 0; offset < calls.length; offset++) {
      const call = calls[offset] as Call
      if (call.settled) continue
      const reason = reasons?.get(offset)
      if (reason !== undefined) {
        this.#fail(call, new RaftError('REJECTED', reason, { reason }))
        continue
      }
      this.#size--
      if (served !== batch.consistency) call.served = served
      succeed(call, answers[offset])
    }
    batch.calls = []
    release(calls)
    release(answers)
  }

  /** `node` did not look at it: ask again, after a pause. Returns whether only a leader would have. */
  notTaken(id: number, node: NodeId, nowMs: number): boolean {
    const batch = this.#batches.get(id)
    if (batch === undefined || batch.asked !== node) return false
    this.#askElsewhere(batch)
    this.#holdUntilMs = nowMs + RETRY_MS
    return needsLeader(batch)
  }

  /** Fails what is due. Returns the earliest deadline of the others. */
  expire(nowMs: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { calls } of [...this.#open, ...this.#batches.values()]) {
      for (const call of calls) {
        if (call.deadlineMs <= nowMs) this.#fail(call, timedOut())
        else if (!call.settled) earliest = Math.min(earliest, call.deadlineMs)
      }
    }
    return earliest
  }

  failAll(error: RaftError): void {
    const batches = [...this.#open, ...this.#batches.values()]
    this.#batches.clear()
    this.#open = []
    this.#unsent = []
    this.#overdueMs = Number.POSITIVE_INFINITY
    for (const { calls } of batches) for (const call of calls) this.#fail(call, error)
  }
}

const isWaiting = ({ settled }: Call): boolean => !settled

const needsLeader = ({ consistency }: QueryBatch): boolean =>
  consistency === 'linearizable' || consistency === 'lease'

/** Whom to ask. Where any replica will do, one that does not lead: the leader has enough to do. */
function targetOf(
  batch: QueryBatch,
  links: ReadonlyMap<NodeId, NodeLink>,
  leader: NodeId | undefined,
): NodeId | undefined {
  if (needsLeader(batch)) return leader
  if (batch.node !== undefined) return batch.node
  const nodes = [...links.keys()]
  const followers = batch.consistency === 'follower' ? nodes.filter((node) => node !== leader) : nodes
  const candidates = followers.length > 0 ? followers : nodes
  return candidates[batch.failures % candidates.length]
}

/** What is wrong with a command or query; undefined where nothing is. */
export function faultOf(
  what: 'command' | 'query',
  value: unknown,
  maxBytes: number,
  codec: Codec,
): RaftError<'INVALID_COMMAND'> | undefined {
  try {
    const bytes = codec.encode(value).byteLength
    if (bytes <= maxBytes) return undefined
    return invalidCommand(what, `${bytes} bytes`, `at most maxCommandBytes (${maxBytes})`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return invalidCommand(what, reason, 'a value that msgpack can encode')
  }
}
