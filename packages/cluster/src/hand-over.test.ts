import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Configuration, type NodeId, RaftError, simpleConfiguration } from '@troupe/core'
import { HandOver } from './hand-over.ts'

const five: Configuration = simpleConfiguration(
  ['n1', 'n2', 'n3', 'n4', 'n5'].map((id) => ({ id, incarnation: 1 })),
)

/** A leader, n1, whose transfers end when the test says so. */
function leaving(linked: Iterable<NodeId>, configuration = five, role: 'leader' | 'follower' = 'leader') {
  const links = new Set(linked)
  const asked: NodeId[] = []
  const transfer = Promise.withResolvers<void>()
  const handOver = new HandOver({
    id: 'n1',
    status: async () => ({ role, configuration, match: { n2: 7, n3: 9, n4: 8, n5: 10 } }),
    isLinked: (id) => links.has(id),
    transfer: (to) => {
      asked.push(to)
      return transfer.promise
    },
  })
  const lose = (id: NodeId): void => {
    links.delete(id)
    handOver.peerGone()
  }
  return { handOver, asked, transfer, lose }
}

const givenUp = (reason: RegExp) => (error: unknown) =>
  RaftError.is(error, 'REFUSED_CHANGE') && reason.test(error.message)

describe('the leadership of a node that stops', () => {
  it('goes to the linked voter that is furthest', async () => {
    const { handOver, asked, transfer, lose } = leaving(['n2', 'n3', 'n4'])
    const running = handOver.run()
    lose('n2')
    transfer.resolve()
    assert.equal(await running, 'n3')
    assert.deepEqual(asked, ['n3'])
  })

  it('is not waited for once the successor is gone, or too few are left to vote', async () => {
    const first = leaving(['n2', 'n3'])
    const running = first.handOver.run()
    await Promise.resolve()
    first.lose('n3')
    await assert.rejects(running, givenUp(/the link to n3 has fallen/))
    const second = leaving(['n2', 'n3'])
    const waiting = second.handOver.run()
    await Promise.resolve()
    second.lose('n2')
    await assert.rejects(waiting, givenUp(/no quorum/))
  })

  it('is not begun where nobody is linked', async () => {
    const { handOver, asked } = leaving([])
    await assert.rejects(handOver.run(), givenUp(/no other voter is linked/))
    assert.deepEqual(asked, [])
  })

  it('is nothing where it does not lead, or is alone', async () => {
    assert.equal(await leaving(['n2', 'n3'], five, 'follower').handOver.run(), undefined)
    const alone = simpleConfiguration([{ id: 'n1', incarnation: 1 }])
    assert.equal(await leaving([], alone).handOver.run(), undefined)
  })
})
