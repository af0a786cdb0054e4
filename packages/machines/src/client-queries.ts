/**
 * A client's queries. They change nothing, so they are simply asked again wherever an answer may be had: those that only the
 * leader answers of the leader, the others of the named replica or of any, the next one after each failure.
 */
import { type NodeId, RaftError } from '@troupe/core'
import { busy, type Call, fail, invalidCommand, succeed, timedOut } from './call.ts'
import type { Codec } from './machine.ts'
import { type ClientRequest, type Consistency, encodeClientFrame, RequestKind } from './protocol.ts'

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

interface Query {
  readonly id: number
  readonly consistency: Consistency
  readonly query: unknown
  /** The replica that the caller named. */
  readonly node: NodeId | undefined
  readonly call: Call
  /** Whom it was sent to; undefined while it waits to be sent. */
  asked: NodeId | undefined
  askedMs: number
  /** How often it met with silence or was not taken. */
  failures: number
}

export class ClientQueries {
  readonly #limits: QueryLimits
  readonly #codec: Codec
  readonly #queries = new Map<number, Query>()
  #unsent: Query[] = []
  #lastId = 0
  #holdUntilMs = 0
  /** When the first of the asked queries will have met with silence. */
  #overdueMs = Number.POSITIVE_INFINITY

  constructor(limits: QueryLimits, codec: Codec) {
    this.#limits = limits
    this.#codec = codec
  }

  /** Queries without an answer. */
  get size(): number {
    return this.#queries.size
  }

  get hasUnsent(): boolean {
    return this.#unsent.length > 0
  }

  /** When `send` or `tick` has something to do, because of refusals or silence; infinite where neither is. */
  get deadlineMs(): number {
    return this.hasUnsent && this.#holdUntilMs > 0
      ? Math.min(this.#holdUntilMs, this.#overdueMs)
      : this.#overdueMs
  }

  /** @throws RaftError BUSY */
  add(query: unknown, consistency: Consistency, node: NodeId | undefined, call: Call): void {
    const { maxOutstandingQueries } = this.#limits
    if (this.#queries.size >= maxOutstandingQueries)
      throw busy('maxOutstandingQueries', maxOutstandingQueries)
    const item: Query = {
      id: ++this.#lastId,
      consistency,
      query,
      node,
      call,
      asked: undefined,
      askedMs: 0,
      failures: 0,
    }
    this.#queries.set(item.id, item)
    this.#unsent.push(item)
  }

  /** Forgets a caller's query; whether there was one. */
  abandon(call: Call): boolean {
    for (const [id, query] of this.#queries) if (query.call === call) return this.#queries.delete(id)
    return false
  }

  /** Asks again what was asked of `node`; without a node, everything. */
  askAgain(node?: NodeId): void {
    for (const query of this.#queries.values()) {
      if (query.asked === undefined || (node !== undefined && query.asked !== node)) continue
      query.asked = undefined
      this.#unsent.push(query)
    }
  }

  /** Asks again what met with silence, at the next `send`. Returns whether anything did. */
  tick(nowMs: number): boolean {
    if (nowMs < this.#overdueMs) return false
    let isSilent = false
    this.#overdueMs = Number.POSITIVE_INFINITY
    for (const query of this.#queries.values()) {
      if (query.asked === undefined) continue
      const overdueMs = this.#overdueMsOf(query)
      if (overdueMs > nowMs) {
        this.#overdueMs = Math.min(this.#overdueMs, overdueMs)
        continue
      }
      isSilent = true
      this.#askElsewhere(query)
    }
    return isSilent
  }

  #overdueMsOf({ askedMs, failures }: Query): number {
    return askedMs + this.#limits.retransmitMs * 2 ** Math.min(failures, MAX_DOUBLINGS)
  }

  #askElsewhere(query: Query): void {
    query.failures++
    query.asked = undefined
    this.#unsent.push(query)
  }

  /** Sends what can be sent: one frame a node. */
  send(links: ReadonlyMap<NodeId, NodeLink>, leader: NodeId | undefined, nowMs: number): void {
    if (this.#unsent.length === 0 || nowMs < this.#holdUntilMs) return
    this.#holdUntilMs = 0
    const later: Query[] = []
    const batches = new Map<NodeId, Query[]>()
    for (const query of this.#unsent) {
      if (!this.#queries.has(query.id)) continue
      const to = targetOf(query, links, leader)
      const batch = to === undefined ? undefined : batches.get(to)
      if (to === undefined || !links.has(to)) later.push(query)
      else if (batch === undefined) batches.set(to, [query])
      else batch.push(query)
    }
    this.#unsent = later
    for (const [node, queries] of batches) this.#sendBatch(node, links.get(node) as NodeLink, queries, nowMs)
  }

  #sendBatch(node: NodeId, link: NodeLink, queries: readonly Query[], nowMs: number): void {
    const frame = this.#encode(queries) ?? this.#encode(queries.filter((query) => this.#isSound(query)))
    const taken = frame !== undefined && link.send(frame)
    for (const query of queries) {
      if (!this.#queries.has(query.id)) continue
      if (!taken) {
        this.#unsent.push(query)
        continue
      }
      query.asked = node
      query.askedMs = nowMs
      this.#overdueMs = Math.min(this.#overdueMs, this.#overdueMsOf(query))
    }
  }

  /** One frame of all queries; undefined where one of them may be at fault, or none is left. */
  #encode(queries: readonly Query[]): Uint8Array | undefined {
    if (queries.length === 0) return undefined
    const requests = queries.map(
      ({ id, consistency, query }): ClientRequest => [RequestKind.query, id, consistency, query],
    )
    try {
      const frame = encodeClientFrame(this.#limits.group, requests, [], this.#codec)
      const isSmall = frame.byteLength <= this.#limits.maxCommandBytes
      return isSmall || queries.every((query) => this.#isSound(query)) ? frame : undefined
    } catch {
      return undefined
    }
  }

  /** Whether a query can be sent; it is settled where it cannot. */
  #isSound({ id, query, call }: Query): boolean {
    const fault = faultOf('query', query, this.#limits.maxCommandBytes, this.#codec)
    if (fault === undefined) return this.#queries.has(id)
    this.#queries.delete(id)
    fail(call, fault)
    return false
  }

  answered(id: number, answer: unknown, served: Consistency): void {
    this.#settle(id, (call) => {
      call.served = served
      succeed(call, answer)
    })
  }

  /** The state machine has refused it. */
  rejected(id: number, reason: string): void {
    this.#settle(id, (call) => fail(call, new RaftError('REJECTED', reason, { reason })))
  }

  /** `node` did not look at it: ask again, after a pause. Returns whether only a leader would have. */
  notTaken(id: number, node: NodeId, nowMs: number): boolean {
    const query = this.#queries.get(id)
    if (query === undefined || query.asked !== node) return false
    this.#askElsewhere(query)
    this.#holdUntilMs = nowMs + RETRY_MS
    return needsLeader(query)
  }

  #settle(id: number, settle: (call: Call) => void): void {
    const query = this.#queries.get(id)
    if (query === undefined) return
    this.#queries.delete(id)
    settle(query.call)
  }

  /** Fails what is due. Returns the earliest deadline of the others. */
  expire(nowMs: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const [id, { call }] of this.#queries) {
      if (call.deadlineMs > nowMs) earliest = Math.min(earliest, call.deadlineMs)
      else this.#settle(id, () => fail(call, timedOut()))
    }
    return earliest
  }

  failAll(error: RaftError): void {
    for (const { call } of this.#queries.values()) fail(call, error)
    this.#queries.clear()
    this.#unsent = []
    this.#overdueMs = Number.POSITIVE_INFINITY
  }
}

const needsLeader = ({ consistency }: Query): boolean =>
  consistency === 'linearizable' || consistency === 'lease'

/** Whom to ask. Where any replica will do, one that does not lead: the leader has enough to do. */
function targetOf(
  query: Query,
  links: ReadonlyMap<NodeId, NodeLink>,
  leader: NodeId | undefined,
): NodeId | undefined {
  if (needsLeader(query)) return leader
  if (query.node !== undefined) return query.node
  const nodes = [...links.keys()]
  const followers = query.consistency === 'follower' ? nodes.filter((node) => node !== leader) : nodes
  const candidates = followers.length > 0 ? followers : nodes
  return candidates[query.failures % candidates.length]
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
