/** A gateway on a node whose Raft and clients are played by the test. */
import assert from 'node:assert/strict'
import type { NodeId, ProposalRefusal, RaftHandle, ReadGrant } from '@troupe/core'
import {
  type ClientConnection,
  type ClientRequest,
  type CommandFrame,
  type Consistency,
  decodeReplies,
  encodeClientFrame,
  Gateway,
  type GatewayOptions,
  NOT_YET,
  type NodeReply,
  ReplicatedMachine,
  ReplyKind,
  RequestKind,
  reject,
  type StateMachine,
} from '../src/index.ts'
import { codec, entryOf } from './support.ts'

export class FakeRaft implements RaftHandle {
  leader: NodeId | undefined = 'n1'
  proposalRefusal: ProposalRefusal | undefined
  hasRoom = true
  hasUncommitted = false
  readonly proposed: { readonly parts: readonly Uint8Array[]; readonly commandCount: number }[] = []
  readonly reads: number[] = []
  /** Those of them for which the leader may be asked. */
  readonly forwardable = new Set<number>()
  lease: { readonly index: number; readonly untilMs: number } | undefined
  /** Hands proposals to a leader elsewhere. */
  isForwarding = false
  /** How many proposals there is room for. */
  room = Number.POSITIVE_INFINITY

  propose(parts: readonly Uint8Array[], commandCount: number): number {
    assert.ok(this.hasRoom && this.proposalRefusal === undefined)
    this.proposed.push({ parts: [...parts], commandCount })
    if (this.proposed.length >= this.room) this.hasRoom = false
    return this.isForwarding ? -this.proposed.length : this.proposed.length
  }
  readIndex(id: number, mayForward: boolean): void {
    this.reads.push(id)
    if (mayForward) this.forwardable.add(id)
  }
  leaseIndex(): number | undefined {
    return this.lease?.index
  }
  holdsLease(nowMs: number): boolean {
    return this.lease !== undefined && nowMs < this.lease.untilMs
  }
}

export class FakeClient implements ClientConnection {
  readonly frames: Uint8Array[] = []
  closed = false
  isReading = true

  send(frame: Uint8Array): boolean {
    assert.ok(!this.closed, 'a frame for a closed connection')
    if (this.isReading) this.frames.push(frame)
    return this.isReading
  }
  close(): void {
    this.closed = true
  }
  /** The replies of all frames since the last call. */
  replies(): NodeReply[] {
    return this.frames.splice(0).flatMap((bytes) => {
      const frame = decodeReplies(bytes, codec)
      assert.ok(typeof frame !== 'string', String(frame))
      return frame.replies
    })
  }
}

/** A batch of queries. */
export const queriesOf = (
  id: number,
  queries: readonly unknown[],
  consistency: Consistency = 'linearizable',
): ClientRequest => [RequestKind.queries, id, consistency, queries.length, codec.encode(queries)]

/** Answers queries with what it was asked and how much it has applied. */
export class Echo implements StateMachine {
  applied = 0
  apply(command: unknown): unknown {
    this.applied++
    if (command === 'no') throw reject('no')
    return command
  }
  query(query: unknown): unknown {
    if (query === 'no') throw reject('no')
    if (query === 'crash') throw new TypeError('crash')
    if (query === 'huge number') return 2n ** 100n
    if (query === 'wait for one' && this.applied === 0) return NOT_YET
    return [query, this.applied]
  }
  save(): Iterable<Uint8Array> {
    return [codec.encode(this.applied)]
  }
  load(chunks: Iterable<Uint8Array>): void {
    for (const chunk of chunks) this.applied = codec.decode(chunk) as number
  }
}

export const defaults: GatewayOptions = {
  group: 3,
  lingerMs: 0,
  commitLingerMs: 0,
  maxBatchBytes: 1 << 20,
  maxBatchCommands: 65_536,
  maxWaitingBytes: 1 << 20,
  maxPendingReads: 100,
}

/** A gateway on a node that leads, with the turns that a driver makes. */
export class FakeNode {
  readonly raft = new FakeRaft()
  readonly machine = new ReplicatedMachine(new Echo(), codec)
  readonly gateway: Gateway
  nowMs = 0
  /** What the clock shows where it is sampled within a turn. */
  clockMs: () => number = () => this.nowMs

  constructor(options: Partial<GatewayOptions> = {}) {
    this.gateway = new Gateway(this.machine, codec, { ...defaults, ...options }, () => this.clockMs())
  }
  connect(): FakeClient {
    const connection = new FakeClient()
    this.gateway.client({ kind: 'opened', connection })
    this.turn()
    connection.replies()
    return connection
  }
  raw(connection: FakeClient, bytes: Uint8Array): void {
    this.gateway.client({ kind: 'frame', connection, bytes })
  }
  send(
    connection: FakeClient,
    commands: readonly CommandFrame[],
    requests: readonly ClientRequest[] = [],
  ): void {
    this.raw(connection, encodeClientFrame(3, requests, commands, codec))
  }
  query(connection: FakeClient, id: number, query: unknown, consistency: Consistency = 'linearizable'): void {
    this.send(connection, [], [queriesOf(id, [query], consistency)])
  }
  /** The end of a turn. */
  turn(): void {
    this.gateway.gather(this.raft, this.nowMs)
    this.gateway.flush(this.raft)
  }
  /** A turn in which reads are granted and refused. */
  grant(granted: readonly ReadGrant[], refused: readonly number[] = []): void {
    this.gateway.reads(granted, refused)
    this.gateway.flush(this.raft)
  }
  /** Applies everything proposed, as if it had been committed. */
  commit(): void {
    for (const { parts } of this.raft.proposed.splice(0)) this.applyEntry(parts)
    this.raft.hasRoom = true
    this.gateway.flush(this.raft)
  }
  applyEntry(parts: readonly Uint8Array[]): void {
    this.gateway.apply([entryOf(this.machine.appliedIndex + 1, parts)])
  }
  /** The number of a fresh session. */
  openSession(connection: FakeClient, nonce = 5): number {
    this.send(connection, [{ session: 0, first: nonce, count: 1, confirmed: 0, payload: new Uint8Array(0) }])
    this.turn()
    this.commit()
    const [reply] = connection.replies()
    assert.ok(reply?.[0] === ReplyKind.opened && reply[1] === nonce)
    return reply[2]
  }
}
