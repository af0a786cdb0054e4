import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeNode, queriesOf } from '../test/fake-node.ts'
import { codec, frameBytes, frameOf } from '../test/support.ts'
import { type NodeReply, ReplyKind, RequestKind } from './protocol.ts'

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
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 11, 'linearizable', [['first', 0]], null]])
    node.gateway.reads([{ id: two, index: 1 }], [])
    node.gateway.flush(node.raft)
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 12, 'linearizable', [['second', 0]], null]])
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
    assert.deepEqual(kinds(client.replies()), [ReplyKind.failed, ReplyKind.answers])
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

  it('that are stale are answered at once; what the machine refuses or cannot say is an error of that query', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 4, 'q', 'stale')
    node.send(client, [], [queriesOf(5, ['q', 'no', 'crash', 'huge number', 'q'], 'stale')])
    node.turn()
    const errors = [
      [1, 'no'],
      [2, 'the machine threw TypeError'],
      [3, 'the answer of the machine cannot be encoded'],
    ]
    const answer = ['q', 0]
    assert.deepEqual(client.replies(), [
      [ReplyKind.answers, 4, 'stale', [answer], null],
      [ReplyKind.answers, 5, 'stale', [answer, undefined, undefined, undefined, answer], errors],
    ])
  })

  it('that are not what their count says are refused, each of them', () => {
    const node = new FakeNode()
    const client = node.connect()
    for (const queries of [codec.encode(['q']), codec.encode('q'), Uint8Array.of(0xc1)])
      node.send(client, [], [[RequestKind.queries, 1, 'stale', 2, queries]])
    node.turn()
    const reason = 'the query does not decode'
    const refused = [
      ReplyKind.answers,
      1,
      'stale',
      [undefined, undefined],
      [
        [0, reason],
        [1, reason],
      ],
    ]
    assert.deepEqual(client.replies(), [refused, refused, refused])
  })

  it('of one batch are granted together', () => {
    const node = new FakeNode({ maxPendingReads: 3 })
    const client = node.connect()
    node.send(client, [], [queriesOf(1, ['a', 'b']), queriesOf(2, ['c', 'd']), queriesOf(3, ['e'])])
    node.turn()
    // Taken as a whole, as long as there is room for one more.
    assert.deepEqual(client.replies()[0]?.slice(0, 3), [ReplyKind.failed, 3, 'BUSY'])
    assert.equal(node.raft.reads.length, 2)
    const [one, two] = node.raft.reads as [number, number]
    node.grant([{ id: one, index: 0 }], [two])
    assert.deepEqual(client.replies(), [
      [ReplyKind.failed, 2, 'NOT_LEADER', 'this node does not lead'],
      [
        ReplyKind.answers,
        1,
        'linearizable',
        [
          ['a', 0],
          ['b', 0],
        ],
        null,
      ],
    ])
    // All are done with: there is room again.
    node.send(client, [], [queriesOf(4, ['a', 'b', 'c'])])
    node.turn()
    assert.deepEqual([client.replies(), node.raft.reads.length], [[], 3])
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
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 1, 'linearizable', [['q', 0]], null]])
    node.applyEntry([])
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 2, 'follower', [['q', 0]], null]])
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
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 1, 'lease', [['q', 0]], null]])
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
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 1, 'linearizable', [['q', 0]], null]])
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
    assert.deepEqual(answer, [ReplyKind.answers, 1, 'linearizable', [['q', 0]], null])
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
    assert.deepEqual(client.replies()[0]?.slice(0, 2), [ReplyKind.answers, 2])
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
    assert.deepEqual(kinds(other.replies()), [ReplyKind.answers])
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
      client.replies().filter(([kind]) => kind === ReplyKind.answers),
      [[ReplyKind.answers, 7, 'stale', [['wait for one', 1]], null]],
    )
    node.query(client, 8, 'wait for one', 'stale')
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 8, 'stale', [['wait for one', 1]], null]])
  })

  it('get nothing after a while, and otherwise asked at once', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.query(client, 7, 'wait for one', 'stale')
    node.turn()
    node.nowMs += 5000
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 7, 'stale', [undefined], null]])
    node.query(client, 8, 'wait for one')
    node.turn()
    node.grant([{ id: node.raft.reads.at(-1) as number, index: 0 }])
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 8, 'linearizable', [undefined], null]])
  })

  it('do not wait in one batch with others that have an answer', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.send(client, [], [queriesOf(7, ['wait for one', 'q'], 'stale')])
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.answers, 7, 'stale', [undefined, ['q', 0]], null]])
    node.send(client, [], [queriesOf(8, ['wait for one', 'wait for one'], 'stale')])
    node.turn()
    assert.deepEqual(client.replies(), [])
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
