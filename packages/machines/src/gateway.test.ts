import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FakeClient, FakeNode, queriesOf } from '../test/fake-node.ts'
import { codec, frameBytes, frameOf, garbage, runs } from '../test/support.ts'
import type { CommandFrame } from './command-frame.ts'
import { type ClientRequest, encodeClientFrame, type NodeReply, ReplyKind } from './protocol.ts'

const unled = (id: number) => ({ id, refusal: 'NOT_LEADER' }) as const
const kinds = (replies: readonly NodeReply[]): number[] => replies.map(([kind]) => kind)
const strings = (count: number): string[] => Array.from({ length: count }, (_, index) => `c${index}`)

describe('the gateway', () => {
  it('tells a new client who leads, and every client of a change', () => {
    const node = new FakeNode()
    const connection = new FakeClient()
    node.gateway.client({ kind: 'opened', connection })
    node.turn()
    assert.deepEqual(connection.replies(), [[ReplyKind.leader, 0, null]])
    node.gateway.roleChanged({ role: 'follower', term: 4, leader: 'n2' })
    node.gateway.flush(node.raft)
    assert.deepEqual(connection.replies(), [[ReplyKind.leader, 4, 'n2']])
    const late = new FakeClient()
    node.gateway.client({ kind: 'opened', connection: late })
    node.turn()
    assert.deepEqual(late.replies(), [[ReplyKind.leader, 4, 'n2']])
  })

  it('makes one entry of the frames of a turn, and one reply frame for each client', () => {
    const node = new FakeNode()
    const [a, b] = [node.connect(), node.connect()]
    const [one, two] = [node.openSession(a, 5), node.openSession(b, 6)]
    node.send(a, [frameOf(one, 1, ['a1', 'a2'])])
    node.send(b, [frameOf(two, 1, ['b1'])])
    node.send(a, [frameOf(one, 3, ['a3'])], [queriesOf(1, ['q'], 'stale')])
    node.turn()
    a.replies()
    assert.equal(node.raft.proposed.length, 1)
    assert.equal(node.raft.proposed[0]?.commandCount, 4)
    node.commit()
    assert.equal(a.frames.length, 1)
    assert.equal(b.frames.length, 1)
    const outcomes = a.replies()
    assert.deepEqual(outcomes, [
      [ReplyKind.outcomes, one, [[1, 2, ['a1', 'a2'], null]]],
      [ReplyKind.outcomes, one, [[3, 1, ['a3'], null]]],
    ])
    assert.deepEqual(b.replies(), [[ReplyKind.outcomes, two, [[1, 1, ['b1'], null]]]])
  })

  it('refuses with NOT_LEADER on a follower, once a session', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    node.raft.proposalRefusal = 'NOT_LEADER'
    node.send(client, [frameOf(session, 1, ['a'])])
    node.send(client, [frameOf(session, 2, ['b'])])
    node.turn()
    const replies = client.replies()
    assert.equal(replies.length, 1)
    assert.deepEqual(replies[0]?.slice(0, 4), [ReplyKind.refused, session, 1, 'NOT_LEADER'])
    assert.equal(node.raft.proposed.length, 0)
    assert.equal(node.gateway.hasWaiting, false)
  })

  it('refuses the opening of a session like everything else', () => {
    const node = new FakeNode()
    const client = node.connect()
    for (const code of ['NOT_LEADER', 'BUSY', 'NO_SPACE'] as const) {
      node.raft.proposalRefusal = code
      node.send(client, [{ session: 0, first: 9, count: 1, confirmed: 0, payload: new Uint8Array(0) }])
      node.turn()
      assert.deepEqual(client.replies()[0]?.slice(0, 4), [ReplyKind.refused, 0, 9, code])
    }
    node.raft.proposalRefusal = undefined
    assert.equal(node.openSession(client, 9), 1)
  })

  it('drops what follows a refused frame until that one comes again', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    node.raft.proposalRefusal = 'BUSY'
    node.send(client, [frameOf(session, 1, ['a'])])
    node.turn()
    node.raft.proposalRefusal = undefined
    node.send(client, [frameOf(session, 2, ['b'])])
    node.send(client, [frameOf(session, 3, ['c'])])
    node.turn()
    assert.equal(node.raft.proposed.length, 0)
    assert.deepEqual(kinds(client.replies()), [ReplyKind.refused])
    node.send(client, [frameOf(session, 1, ['a']), frameOf(session, 2, ['b'])])
    node.send(client, [frameOf(session, 3, ['c'])])
    node.turn()
    node.commit()
    assert.deepEqual(kinds(client.replies()), [ReplyKind.outcomes, ReplyKind.outcomes, ReplyKind.outcomes])
    assert.equal(node.machine.commandsApplied, 3)
  })

  it('goes on with a client whose refused frame was a duplicate that nobody needs any more', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    node.send(client, [frameOf(session, 1, ['a'])])
    node.turn()
    // Sent again while the answer is on its way, and refused.
    node.send(client, [frameOf(session, 1, ['a'])])
    node.raft.proposalRefusal = 'BUSY'
    node.turn()
    node.raft.proposalRefusal = undefined
    node.commit()
    client.replies()
    node.send(client, [frameOf(session, 2, ['b'], 1)])
    node.turn()
    node.commit()
    assert.deepEqual(client.replies(), [[ReplyKind.outcomes, session, [[2, 1, ['b'], null]]]])
  })

  it('is BUSY when too much waits for room in the log, and bounded', () => {
    const node = new FakeNode({ maxWaitingBytes: 1000 })
    const client = node.connect()
    const session = node.openSession(client)
    node.raft.hasRoom = false
    for (let index = 0; index < 50; index++)
      node.send(client, [frameOf(session, index + 1, ['x'.repeat(100)])])
    node.turn()
    const replies = client.replies()
    assert.equal(replies.length, 1)
    const [kind, , first, code] = replies[0] as readonly unknown[]
    assert.deepEqual([kind, code], [ReplyKind.refused, 'BUSY'])
    node.raft.hasRoom = true
    node.turn()
    assert.equal(node.raft.proposed[0]?.commandCount, (first as number) - 1)
    node.commit()
    client.replies()
    node.send(client, [frameOf(session, first as number, ['again'])])
    node.turn()
    node.commit()
    assert.equal(node.machine.commandsApplied, first)
  })

  it('forgets refusals when leadership changes', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    node.send(client, [frameOf(session, 1, ['a'])])
    node.raft.proposalRefusal = 'NOT_LEADER'
    node.turn()
    // Committed through another leader meanwhile.
    node.applyEntry([frameBytes([frameOf(session, 1, ['a'])])])
    node.raft.proposalRefusal = undefined
    node.gateway.roleChanged({ role: 'leader', term: 9, leader: 'n1' })
    node.send(client, [frameOf(session, 2, ['b'])])
    node.turn()
    node.commit()
    const last = client.replies().at(-1)
    assert.deepEqual(last, [ReplyKind.outcomes, session, [[2, 1, ['b'], null]]])
  })

  it('cuts entries at maxBatchBytes and maxBatchCommands, but takes one larger frame whole', () => {
    const node = new FakeNode({ maxBatchBytes: 1000, maxBatchCommands: 10 })
    const client = node.connect()
    const session = node.openSession(client)
    let first = 1
    const send = (commands: readonly unknown[]): void => {
      node.send(client, [frameOf(session, first, commands)])
      first += commands.length
    }
    for (const count of [4, 4, 4, 25, 1]) send(strings(count))
    send(['x'.repeat(2000)])
    send(['x'.repeat(600)])
    send(['x'.repeat(600)])
    node.turn()
    assert.deepEqual(
      node.raft.proposed.map(({ commandCount }) => commandCount),
      [8, 4, 25, 1, 1, 1, 1],
    )
    node.commit()
    assert.equal(node.machine.commandsApplied, first - 1)
  })

  it('proposes no more than there is room for, and the rest later', () => {
    const node = new FakeNode({ maxBatchCommands: 1 })
    const client = node.connect()
    const session = node.openSession(client)
    node.raft.room = 2
    for (let index = 1; index <= 5; index++) node.send(client, [frameOf(session, index, ['a'])])
    node.turn()
    assert.equal(node.raft.proposed.length, 2)
    assert.equal(node.gateway.hasWaiting, true)
    for (let round = 0; round < 3; round++) {
      node.commit()
      node.turn()
    }
    assert.equal(node.gateway.hasWaiting, false)
    assert.equal(node.machine.commandsApplied, 5)
  })

  it('lingers, but not when the batch is full, and says until when', () => {
    const node = new FakeNode({ lingerMs: 10, maxBatchCommands: 3 })
    const client = node.connect()
    const opening: CommandFrame = { session: 0, first: 5, count: 1, confirmed: 0, payload: new Uint8Array(0) }
    node.nowMs = 100
    node.send(client, [opening])
    node.turn()
    assert.equal(node.raft.proposed.length, 0)
    assert.equal(node.gateway.deadlineMs, 110)
    node.nowMs = 109
    node.turn()
    assert.equal(node.raft.proposed.length, 0)
    node.nowMs = 110
    node.turn()
    assert.equal(node.raft.proposed.length, 1)
    assert.equal(node.gateway.deadlineMs, undefined)
    node.commit()
    client.replies()
    node.send(client, [frameOf(1, 1, ['a'])])
    node.nowMs = 120
    node.turn()
    assert.equal(node.gateway.deadlineMs, 130)
    node.send(client, [frameOf(1, 2, ['b', 'c'])])
    node.turn()
    assert.equal(node.raft.proposed.length, 1)
  })

  it('does not ask to be called again and again while a lingering batch waits for room', () => {
    const node = new FakeNode({ lingerMs: 10 })
    const client = node.connect()
    node.raft.hasRoom = false
    node.send(client, [frameOf(1, 1, ['a'])])
    node.turn()
    node.nowMs = 50
    node.turn()
    assert.ok((node.gateway.deadlineMs ?? Number.POSITIVE_INFINITY) > node.nowMs)
    node.raft.hasRoom = true
    node.turn()
    assert.equal(node.raft.proposed.length, 1)
  })

  it('tells of gaps and of sessions that are gone', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    node.send(client, [frameOf(session, 4, ['d'])])
    node.turn()
    node.commit()
    assert.deepEqual(client.replies(), [[ReplyKind.gap, session, 1]])
    node.send(client, [frameOf(session, 1, ['a'])])
    node.turn()
    node.commit()
    assert.deepEqual(kinds(client.replies()), [ReplyKind.outcomes])
    node.send(client, [frameOf(999, 1, ['a'])])
    node.turn()
    node.commit()
    assert.deepEqual(client.replies(), [[ReplyKind.stale, 999, 1]])
  })

  it('sends outcomes where the session was seen last', () => {
    const node = new FakeNode()
    const [old, fresh] = [node.connect(), node.connect()]
    const session = node.openSession(old)
    node.send(old, [frameOf(session, 1, ['a'])])
    node.turn()
    node.gateway.client({ kind: 'closed', connection: old })
    node.send(fresh, [frameOf(session, 1, ['a'])])
    node.turn()
    node.commit()
    assert.deepEqual(kinds(fresh.replies()), [ReplyKind.outcomes, ReplyKind.outcomes])
    assert.equal(node.machine.commandsApplied, 1)
    assert.equal(node.gateway.clientCount, 1)
  })

  it('loses the replies of a client that does not read, and repeats them when asked', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    client.isReading = false
    node.send(client, [frameOf(session, 1, ['a', 'no'])])
    node.turn()
    node.commit()
    client.isReading = true
    node.turn()
    assert.deepEqual(client.replies(), [])
    node.send(client, [frameOf(session, 1, ['a', 'no'])])
    node.turn()
    node.commit()
    assert.deepEqual(client.replies(), [
      [ReplyKind.outcomes, session, [[1, 2, ['a', undefined], [[1, 'no']]]]],
    ])
    assert.equal(node.machine.commandsApplied, 2)
  })

  describe('forwarded proposals', () => {
    const forwarding = (): { node: FakeNode; client: FakeClient; session: number } => {
      const node = new FakeNode()
      const client = node.connect()
      const session = node.openSession(client)
      node.raft.isForwarding = true
      return { node, client, session }
    }

    it('that the leader did not take are refused, each session from its first command on', () => {
      const { node, client, session } = forwarding()
      node.send(client, [frameOf(session, 1, ['a'])])
      node.turn()
      node.send(client, [frameOf(session, 2, ['b'])])
      node.turn()
      node.gateway.forwardRefused([1, 2].map(unled))
      node.turn()
      const replies = client.replies()
      assert.equal(replies.length, 1)
      assert.deepEqual(replies[0]?.slice(0, 4), [ReplyKind.refused, session, 1, 'NOT_LEADER'])
      // What follows is dropped until the first comes again.
      node.raft.proposed.length = 0
      node.send(client, [frameOf(session, 3, ['c'])])
      node.turn()
      assert.equal(node.raft.proposed.length, 0)
      node.send(client, [frameOf(session, 1, ['a'])])
      node.turn()
      node.commit()
      assert.deepEqual(kinds(client.replies()), [ReplyKind.outcomes])
    })

    it('are refused for the reason that the leader gave', () => {
      const { node, client, session } = forwarding()
      node.send(client, [frameOf(session, 1, ['a'])])
      node.turn()
      node.gateway.forwardRefused([{ id: 1, refusal: 'NO_SPACE' }])
      node.turn()
      assert.deepEqual(client.replies(), [[ReplyKind.refused, session, 1, 'NO_SPACE', 50]])
    })

    it('that open a session are refused likewise', () => {
      const { node, client } = forwarding()
      node.send(client, [{ session: 0, first: 9, count: 1, confirmed: 0, payload: new Uint8Array(0) }])
      node.turn()
      node.gateway.forwardRefused([unled(1)])
      node.turn()
      assert.deepEqual(client.replies()[0]?.slice(0, 4), [ReplyKind.refused, 0, 9, 'NOT_LEADER'])
    })

    it('that were answered are not refused any more, nor those before a change of leaders', () => {
      const { node, client, session } = forwarding()
      node.send(client, [frameOf(session, 1, ['a'])])
      node.turn()
      node.commit()
      node.gateway.forwardRefused([unled(1)])
      node.send(client, [frameOf(session, 2, ['b'])])
      node.turn()
      node.gateway.roleChanged({ role: 'follower', term: 3, leader: 'n3' })
      node.gateway.forwardRefused([unled(1)])
      node.turn()
      assert.deepEqual(kinds(client.replies()), [ReplyKind.outcomes, ReplyKind.leader])
    })
  })

  it('bounds the requests for sessions that wait, like everything else', () => {
    const node = new FakeNode({ maxWaitingBytes: 100 })
    node.raft.hasRoom = false
    const clients = Array.from({ length: 20 }, () => node.connect())
    for (const [index, client] of clients.entries()) {
      node.send(client, [
        { session: 0, first: index + 1, count: 1, confirmed: 0, payload: new Uint8Array(0) },
      ])
    }
    node.turn()
    const refused = clients.filter((client) => client.replies().some(([kind]) => kind === ReplyKind.refused))
    assert.equal(refused.length, 16)
  })

  it('tells who leads when it is asked', () => {
    const node = new FakeNode()
    const client = node.connect()
    node.gateway.roleChanged({ role: 'follower', term: 4, leader: 'n2' })
    node.turn()
    client.replies()
    node.raw(client, encodeClientFrame(3, [], [], codec))
    node.turn()
    assert.deepEqual(client.replies(), [[ReplyKind.leader, 4, 'n2']])
  })

  it('proves nothing by a stale session to a client that lost replies, until it has all before', () => {
    const node = new FakeNode()
    const client = node.connect()
    const session = node.openSession(client)
    client.isReading = false
    node.send(client, [frameOf(session, 1, ['a'])])
    node.turn()
    node.commit()
    client.isReading = true
    const staleFirst = (first: number, confirmed: number): unknown => {
      node.send(client, [frameOf(77, first, ['a'], confirmed)])
      node.turn()
      node.commit()
      return client.replies()[0]?.[2]
    }
    assert.equal(staleFirst(2, 0), 0)
    assert.equal(staleFirst(2, 1), 2)
  })

  describe('expels', () => {
    const session = 1
    const nonsense: [name: string, bytes: Uint8Array][] = [
      ['nothing', new Uint8Array(0)],
      ['noise', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9)],
      ['another group', encodeClientFrame(4, [], [], codec)],
      [
        'requests that are none',
        encodeClientFrame(3, [[9, 1, 'stale', 'q'] as unknown as ClientRequest], [], codec),
      ],
      [
        'frames of two sessions',
        encodeClientFrame(3, [], [frameOf(1, 1, ['a']), frameOf(2, 2, ['a'])], codec),
      ],
      ['frames with a gap', encodeClientFrame(3, [], [frameOf(1, 1, ['a']), frameOf(1, 3, ['a'])], codec)],
      ['a count that lies', encodeClientFrame(3, [], [{ ...frameOf(1, 1, ['a']), count: 1000 }], codec)],
      ['a confirmation of the future', encodeClientFrame(3, [], [frameOf(1, 3, ['a'], 3)], codec)],
    ]
    for (const [name, bytes] of nonsense) {
      it(`${name}, with a reason, and serves the others`, () => {
        const node = new FakeNode()
        const [bad, good] = [node.connect(), node.connect()]
        node.openSession(good)
        node.raw(bad, bytes)
        node.query(bad, 1, 'too late', 'stale')
        assert.equal(bad.closed, true)
        const [reply] = bad.replies()
        assert.ok(reply?.[0] === ReplyKind.protocol && reply[1].length > 0)
        node.send(good, [frameOf(session, 1, ['a'])])
        node.turn()
        node.commit()
        node.gateway.client({ kind: 'closed', connection: bad })
        assert.deepEqual(bad.frames, [])
        assert.deepEqual(kinds(good.replies()), [ReplyKind.outcomes])
      })
    }

    it('whoever sends garbage, and never throws', () => {
      fc.assert(
        fc.property(fc.array(garbage(60), { maxLength: 8 }), fc.nat(40), (noises, cut) => {
          const node = new FakeNode()
          const sound = encodeClientFrame(3, [queriesOf(1, ['q'], 'stale')], [frameOf(1, 1, ['a'])], codec)
          for (const noise of noises) {
            const headed = Buffer.concat([sound.subarray(0, cut), noise])
            for (const bytes of [
              noise,
              headed,
              Buffer.concat([Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0), noise]),
            ]) {
              const client = node.connect()
              node.raw(client, bytes)
              node.turn()
              node.commit()
            }
          }
          const client = node.connect()
          node.query(client, 1, 'still here', 'stale')
          node.turn()
          assert.deepEqual(kinds(client.replies()), [ReplyKind.answers])
        }),
        runs(60),
      )
    })
  })
})
