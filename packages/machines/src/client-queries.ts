/**
 * A client's queries. They change nothing, so they are simply asked again wherever an answer may be had: linearizable ones
 * of the leader, stale ones of the named replica or of any.
 */
import { type NodeId, RaftError } from '@troupe/core'
import { busy, type Call, fail, invalidCommand, succeed, timedOut } from './call.ts'
import type { Codec } from './machine.ts'
import { type ClientRequest, type Consistency, encodeClientFrame, RequestKind } from './protocol.ts'

/** A connection to one node. Returns false when the node has too much unread: try again when it is writable. */
export interface NodeLink {
  send(frame: Uint8Array): boolean
}

export interface QueryLimits {
  readonly group: number
  readonly maxOutstandingQueries: number
  /** Bytes of one query, encoded. */
  readonly maxCommandBytes: number
}

interface Query {
  readonly id: number
  readonly consistency: Consistency
  readonly query: unknown
  /** The replica that the caller named. */
  readonly node: NodeId | undefined
  readonly call: Call
  /** Whom it was sent to; undefined while it waits to be sent. */
  asked: NodeId | undefined
}

export class ClientQueries {
  readonly #limits: QueryLimits
  readonly #codec: Codec
  readonly #queries = new Map<number, Query>()
  #unsent: Query[] = []
  #lastId = 0

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

  /** @throws RaftError BUSY */
  add(query: unknown, consistency: Consistency, node: NodeId | undefined, call: Call): void {
    const { maxOutstandingQueries } = this.#limits
    if (this.#queries.size >= maxOutstandingQueries)
      throw busy('maxOutstandingQueries', maxOutstandingQueries)
    const item: Query = { id: ++this.#lastId, consistency, query, node, call, asked: undefined }
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

  /** Sends what can be sent: one frame a node. */
  send(links: ReadonlyMap<NodeId, NodeLink>, leader: NodeId | undefined): void {
    const [any] = links.keys()
    const later: Query[] = []
    const batches = new Map<NodeId, Query[]>()
    for (const query of this.#unsent) {
      if (!this.#queries.has(query.id)) continue
      const to = query.consistency === 'stale' ? (query.node ?? any) : leader
      const batch = to === undefined ? undefined : batches.get(to)
      if (to === undefined || !links.has(to)) later.push(query)
      else if (batch === undefined) batches.set(to, [query])
      else batch.push(query)
    }
    this.#unsent = later
    for (const [node, queries] of batches) this.#sendBatch(node, links.get(node) as NodeLink, queries)
  }

  #sendBatch(node: NodeId, link: NodeLink, queries: readonly Query[]): void {
    const frame = this.#encode(queries) ?? this.#encode(queries.filter((query) => this.#isSound(query)))
    const taken = frame !== undefined && link.send(frame)
    for (const query of queries) {
      if (!this.#queries.has(query.id)) continue
      if (taken) query.asked = node
      else this.#unsent.push(query)
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

  answered(id: number, answer: unknown): void {
    this.#settle(id, (call) => succeed(call, answer))
  }

  /** The state machine has refused it. */
  rejected(id: number, reason: string): void {
    this.#settle(id, (call) => fail(call, new RaftError('REJECTED', reason, { reason })))
  }

  /** The node did not look at it: ask again. */
  notTaken(id: number): void {
    const query = this.#queries.get(id)
    if (query === undefined || query.asked === undefined) return
    query.asked = undefined
    this.#unsent.push(query)
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
  }
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
