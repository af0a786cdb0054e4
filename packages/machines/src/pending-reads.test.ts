import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeNode } from '../test/fake-node.ts'
import { frameBytes, frameOf } from '../test/support.ts'
import { type NodeReply, ReplyKind } from './protocol.ts'

const kinds = (replies: readonly NodeReply[]): number[] => replies.map(([kind]) => kind)

describe('reads', () => {
  it('are answered when granted and applied, in either order', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 11, 'first')
    node.query(client, 12, 'second')
    node.turn()
    const [one, two] = node.raft.reads as [number, number]
    node.gateway.reads([{ id: one, index: 1 }], [])
    node.gateway.flush(node.raft)
    assert.deepEqual(client.replies(), [])
    node.applyEntry([frameBytes([frameOf(1, 1, ['a'])])])
    node.gateway.flush(node.raft)
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 11, ['first', 0], 'linearizable']])
    node.gateway.reads([{ id: two, index: 1 }], [])
    node.gateway.flush(node.raft)
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 12, ['second', 0], 'linearizable']])
  })

  it('are not answered without a grant, however much is applied', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 1, 'q')
    node.turn()
    for (let index = 0; index < 5; index++) node.applyEntry([])
    node.gateway.flush(node.raft)
    assert.deepEqual(client.replies(), [])
    node.gateway.reads([], node.raft.reads)
    node.gateway.flush(node.raft)
    assert.deepEqual(client.replies()[0]?.slice(0, 3), [ReplyKind.failed, 1, 'NOT_LEADER'])
  })

  it('that were refused or whose client left hold nobody back', () => {
    const node = new FakeNode()
    const [gone, client] = [node.connect(), node.connect()]
    node.query(gone, 1, 'gone')
    node.query(client, 2, 'refused')
    node.query(client, 3, 'granted')
    node.turn()
    const [, refused, granted] = node.raft.reads as [number, number, number]
    node.gateway.client({ kind: 'closed', connection: gone })
    node.applyEntry([])
    node.gateway.reads([{ id: granted, index: 1 }], [refused])
    node.gateway.flush(node.raft)
    assert.deepEqual(kinds(client.replies()), [ReplyKind.failed, ReplyKind.answer])
    assert.deepEqual(gone.frames, [])
  })

  it('are BUSY beyond maxPendingReads', () => {
    const node = new FakeNode({ maxPendingReads: 2 })
    const client = node.connect()
    for (const id of [1, 2, 3]) node.query(client, id, 'q')
    node.turn()
    assert.equal(node.raft.reads.length, 2)
    assert.deepEqual(client.replies()[0]?.slice(0, 3), [ReplyKind.failed, 3, 'BUSY'])
  })

  it('that are stale are answered at once; what the machine refuses or cannot say is an error', () => {
    const node = new FakeNode()
    const client = node.connect()
    for (const [id, query] of ['q', 'no', 'crash', 'huge number', 'q'].entries()) {
      node.query(client, id, query, 'stale')
    }
    node.turn()
    const replies = client.replies()
    assert.deepEqual(kinds(replies), [7, 8, 8, 8, 7])
    assert.deepEqual(replies[1], [ReplyKind.failed, 1, 'REJECTED', 'no'])
    assert.deepEqual(replies[2], [ReplyKind.failed, 2, 'REJECTED', 'the machine threw TypeError'])
  })
})

describe('reads by consistency', () => {
  it('ask for the index where only the leader may, or any', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 1, 'q')
    node.query(client, 2, 'q', 'follower')
    node.turn()
    assert.deepEqual(node.raft.forwardable, new Set([node.raft.reads[1]]))
    // Granted out of order, as they come from two places.
    node.grant([{ id: node.raft.reads[1] as number, index: 2 }])
    node.grant([{ id: node.raft.reads[0] as number, index: 1 }])
    node.applyEntry([])
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 1, ['q', 0], 'linearizable']])
    node.applyEntry([])
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 2, ['q', 0], 'follower']])
  })

  it('from the lease wait for its index, and are answered while it is held', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.raft.lease = { index: 1, untilMs: 100 }
    node.query(client, 1, 'q', 'lease')
    node.turn()
    assert.deepEqual([client.replies(), node.raft.reads], [[], []])
    node.applyEntry([])
    node.nowMs = 99
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 1, ['q', 0], 'lease']])
  })

  it('from a lease that ended while the state was read are asked for after all', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.raft.lease = { index: 0, untilMs: 100 }
    node.query(client, 1, 'q', 'lease')
    node.nowMs = 99
    // Stopped between the beginning of the turn and the answer.
    node.clockMs = () => 100
    node.turn()
    assert.deepEqual(client.replies(), [])
    assert.ok((node.gateway.deadlineMs ?? Number.POSITIVE_INFINITY) <= 99)
    node.turn()
    assert.equal(node.raft.reads.length, 1)
    assert.equal(node.gateway.deadlineMs, undefined)
    node.grant([{ id: node.raft.reads[0] as number, index: 0 }])
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 1, ['q', 0], 'linearizable']])
  })

  it('by lease where there is none are linearizable, or refused on a node that does not lead', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 1, 'q', 'lease')
    node.query(client, 2, 'q', 'lease')
    node.turn()
    const [one, two] = node.raft.reads as [number, number]
    assert.equal(node.raft.forwardable.size, 0)
    node.grant([{ id: one, index: 0 }], [two])
    const [failed, answer] = client.replies()
    assert.deepEqual(failed?.slice(0, 3), [ReplyKind.failed, 2, 'NOT_LEADER'])
    assert.deepEqual(answer, [ReplyKind.answer, 1, ['q', 0], 'linearizable'])
  })

  it('that nobody answers for make room for others in time', () => {
    const node = new FakeNode({ maxPendingReads: 2 })
    const client = node.connect()
    node.query(client, 1, 'q', 'follower')
    node.turn()
    node.nowMs = 10_000
    node.query(client, 2, 'q', 'follower')
    node.turn()
    assert.deepEqual(client.replies()[0]?.slice(0, 3), [ReplyKind.failed, 1, 'NOT_LEADER'])
    node.query(client, 3, 'q', 'follower')
    node.turn()
    assert.deepEqual(client.replies(), [])
    node.grant([{ id: node.raft.reads[0] as number, index: 0 }])
    assert.deepEqual(client.replies(), [])
  })

  it('that nobody answers for do not keep all others out', () => {
    const node = new FakeNode({ maxPendingReads: 1 })
    const client = node.connect()
    node.query(client, 1, 'q')
    node.turn()
    node.nowMs = 10_000
    node.query(client, 2, 'q')
    node.turn()
    assert.deepEqual(client.replies()[0]?.slice(0, 3), [ReplyKind.failed, 1, 'NOT_LEADER'])
    node.grant([{ id: node.raft.reads.at(-1) as number, index: 0 }])
    assert.deepEqual(client.replies()[0]?.slice(0, 2), [ReplyKind.answer, 2])
  })

  it('are bounded together, and gone with their client', () => {
    const node = new FakeNode({ maxPendingReads: 3 })
    const [client, other] = [node.connect(), node.connect()]
    node.raft.lease = { index: 9, untilMs: 100 }
    node.query(client, 1, 'q', 'lease')
    node.query(client, 2, 'q')
    node.turn()
    node.query(client, 3, 'q', 'follower')
    node.query(other, 4, 'q', 'lease')
    node.turn()
    assert.deepEqual(other.replies()[0]?.slice(0, 3), [ReplyKind.failed, 4, 'BUSY'])
    node.gateway.client({ kind: 'closed', connection: client })
    node.query(other, 5, 'q', 'lease')
    for (let index = 0; index < 9; index++) node.applyEntry([])
    node.turn()
    assert.deepEqual(kinds(other.replies()), [ReplyKind.answer])
    assert.deepEqual(client.frames, [])
  })
})

describe('queries that wait', () => {
  it('are answered by the entry that brings what they wait for, where they were asked with stale', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    node.query(client, 7, 'wait for one', 'stale')
    node.turn()
    node.applyEntry([])
    node.turn()
    assert.deepEqual(client.replies(), [])
    node.applyEntry([frameBytes([frameOf(session, 1, ['a'])])])
    node.turn()
    assert.deepEqual(
      client.replies().filter(([kind]) => kind === ReplyKind.answer),
      [[ReplyKind.answer, 7, ['wait for one', 1], 'stale']],
    )
    node.query(client, 8, 'wait for one', 'stale')
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 8, ['wait for one', 1], 'stale']])
  })

  it('get nothing after a while, and otherwise asked at once', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 7, 'wait for one', 'stale')
    node.turn()
    node.nowMs += 5000
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 7, undefined, 'stale']])
    node.query(client, 8, 'wait for one')
    node.turn()
    node.grant([{ id: node.raft.reads.at(-1) as number, index: 0 }])
    assert.deepEqual(client.replies(), [[ReplyKind.answer, 8, undefined, 'linearizable']])
  })

  it('are bounded like others, and forgotten with their client', () => {
    const node = new FakeNode({ maxPendingReads: 1 })
    const [gone, client] = [node.connect(), node.connect()]
    node.query(gone, 1, 'wait for one', 'stale')
    node.query(client, 2, 'wait for one', 'stale')
    node.turn()
    assert.deepEqual(client.replies()[0]?.slice(0, 3), [ReplyKind.failed, 2, 'BUSY'])
    node.gateway.client({ kind: 'closed', connection: gone })
    node.query(client, 3, 'wait for one', 'stale')
    node.turn()
    assert.deepEqual(client.replies(), [])
    assert.deepEqual(gone.frames, [])
  })
})
