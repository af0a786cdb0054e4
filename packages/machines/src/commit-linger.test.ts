import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FakeClient, FakeNode } from '../test/fake-node.ts'
import { frameOf } from '../test/support.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { ReplyKind } from './protocol.ts'

describe('a gateway, while an entry is not committed', () => {
  const held = (options: Partial<GatewayOptions> = {}): { node: FakeNode; client: FakeClient } => {
    const node = new FakeNode({ commitLingerMs: 5, ...options })
    const client = node.connect()
    node.raft.hasUncommitted = true
    node.nowMs = 100
    node.send(client, [frameOf(1, 1, ['a'])])
    node.turn()
    return { node, client }
  }

  it('a small batch waits for that, with what comes meanwhile, and asks for no turn', () => {
    const { node, client } = held()
    assert.deepEqual([node.raft.proposed.length, node.gateway.hasWaiting], [0, false])
    node.send(client, [frameOf(1, 2, ['b'])])
    node.nowMs = 104
    node.turn()
    assert.equal(node.raft.proposed.length, 0)
    node.raft.hasUncommitted = false
    node.turn()
    assert.deepEqual(
      node.raft.proposed.map(({ commandCount }) => commandCount),
      [2],
    )
  })

  it('it waits so long at most, and says until when', () => {
    const { node } = held()
    assert.equal(node.gateway.deadlineMs, 105)
    node.nowMs = 105
    node.turn()
    assert.equal(node.raft.proposed.length, 1)
    assert.equal(node.gateway.deadlineMs, undefined)
  })

  it('it does not wait for room in the log as if it were held', () => {
    const { node } = held()
    node.raft.hasRoom = false
    node.nowMs = 105
    node.turn()
    assert.equal(node.gateway.hasWaiting, true)
    assert.ok((node.gateway.deadlineMs ?? Number.POSITIVE_INFINITY) > node.nowMs)
  })

  it('one that fills an entry does not wait', () => {
    assert.equal(held({ maxBatchCommands: 1 }).node.raft.proposed.length, 1)
    assert.equal(held({ maxBatchBytes: 1 }).node.raft.proposed.length, 1)
    const { node, client } = held()
    node.send(client, [frameOf(1, 2, ['x'.repeat(16 << 10)])])
    node.turn()
    assert.equal(node.raft.proposed.length, 1)
  })

  it('nothing waits where it is told not to', () => {
    assert.equal(held({ commitLingerMs: 0 }).node.raft.proposed.length, 1)
  })

  it('it is refused as soon as nobody leads here', () => {
    const { node, client } = held()
    node.raft.proposalRefusal = 'NOT_LEADER'
    node.turn()
    assert.deepEqual(
      client.replies().map(([kind]) => kind),
      [ReplyKind.refused],
    )
  })
})
