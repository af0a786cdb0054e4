import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeNode } from '../test/fake-node.ts'
import { frameOf } from '../test/support.ts'
import { ReplyKind } from './protocol.ts'

/** Knows whose connections have closed. */
function watching(node: FakeNode): (number | undefined)[] {
  const closed: (number | undefined)[] = []
  node.machine.machine.connectionClosed = ({ session }) => void closed.push(session)
  return closed
}

describe('a connection that closes', () => {
  it('is told to a machine that watches, behind the commands that came over it', () => {
    const node = new FakeNode()
    const closed = watching(node)
    const client = node.connect()
    const session = node.openSession(client)
    node.send(client, [frameOf(session, 1, ['a'])])
    node.gateway.client({ kind: 'closed', connection: client })
    node.turn()
    assert.deepEqual(
      node.raft.proposed.map(({ parts, commandCount }) => [parts.length, commandCount]),
      [[2, 1]],
    )
    node.commit()
    assert.deepEqual(closed, [session])
    assert.equal(node.machine.commandsApplied, 1)
    const again = node.connect()
    node.send(again, [frameOf(session, 2, ['b'])])
    node.turn()
    node.commit()
    assert.deepEqual(again.replies(), [[ReplyKind.outcomes, session, [[2, 1, ['b'], null]]]], 'it goes on')
  })

  it('is nothing to other machines, nor where the client has another connection or leaders have changed', () => {
    const node = new FakeNode()
    const first = node.connect()
    const session = node.openSession(first)
    node.send(first, [frameOf(session, 1, ['a'])])
    node.turn()
    node.commit()
    const closed = watching(node)
    const second = node.connect()
    node.send(second, [frameOf(session, 2, ['b'])])
    node.turn()
    node.commit()
    node.gateway.client({ kind: 'closed', connection: first })
    node.turn()
    assert.equal(node.raft.proposed.length, 0, 'the other connection stands')
    node.gateway.roleChanged({ role: 'leader', term: 7, leader: 'n1' })
    node.gateway.client({ kind: 'closed', connection: second })
    node.turn()
    assert.equal(node.raft.proposed.length, 0, 'it may be at another node')
    assert.deepEqual(closed, [])
  })

  it('is not told where it cannot be proposed, and what the client sends then is taken', () => {
    const node = new FakeNode()
    watching(node)
    const client = node.connect()
    const session = node.openSession(client)
    node.send(client, [frameOf(session, 1, ['a'])])
    node.turn()
    node.commit()
    const again = node.connect()
    node.gateway.client({ kind: 'closed', connection: client })
    node.raft.proposalRefusal = 'NO_SPACE'
    node.turn()
    node.raft.proposalRefusal = undefined
    node.send(again, [frameOf(session, 2, ['b'])])
    node.turn()
    assert.equal(node.raft.proposed.length, 1)
  })

  it('cannot be told by a client', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.send(client, [{ session: 1, first: 1, count: 0, confirmed: 0, payload: new Uint8Array(0) }])
    assert.equal(client.closed, true)
  })
})
