/** Clusters whose nodes are not all connected to each other: a ring, a layered star. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Cluster, type ClusterOptions } from '@troupe/cluster'
import {
  assertEqualReplicas,
  assertNothingRuns,
  Ledger,
  leaderOf,
  leavingNothing,
  patient,
  refusedOption,
  until,
} from './support.ts'

after(assertNothingRuns)

async function makeProgress(ledger: Ledger, count: number): Promise<void> {
  const goal = ledger.acknowledged + count
  await until(`${count} more writes are acknowledged`, () => ledger.acknowledged >= goal)
}

/** Frames that nodes have passed on for others. */
async function relayedBy(cluster: Cluster): Promise<Record<string, number>> {
  const { nodes } = await cluster.status()
  return Object.fromEntries(nodes.map((node) => [node.id, (node.running && node.metrics.framesRelayed) || 0]))
}

describe('a topology', () => {
  for (const topology of ['ring', 'star'] as const) {
    it(
      `${topology}: commands are committed over relays, also while any one node is down`,
      leavingNothing(async () => {
        await using cluster = await Cluster.start({ nodes: 5, topology, raft: patient })
        await using client = await cluster.client()
        const ledger = new Ledger(client)
        ledger.start(16)
        // In the star a leaf.
        await cluster.transferLeadership('n3')
        await makeProgress(ledger, 50)
        const relayed = await relayedBy(cluster)
        const mayRelay = topology === 'ring' ? cluster.ids : ['n1', 'n2']
        assert.ok(
          Object.values(relayed).some((frames) => frames > 0),
          'nobody has relayed anything',
        )
        for (const id of cluster.ids)
          if (!mayRelay.includes(id)) assert.equal(relayed[id], 0, `${id} is a leaf`)
        for (const id of cluster.ids) {
          const { term } = await cluster.status()
          const wasLeader = (await leaderOf(cluster)) === id
          await cluster.crash(id)
          if (wasLeader) await until('another leads', async () => (await cluster.status()).term > term)
          await makeProgress(ledger, 30)
          // All that live hear the leader, whom not all are connected to.
          await cluster.converged()
          await cluster.restart(id)
          await cluster.converged()
        }
        await ledger.stop()
        assert.equal(ledger.unknown, 0)
        await ledger.verify()
        await assertEqualReplicas(cluster)
      }),
    )
  }

  it(
    'follows the members: who joins is connected and reached, who leaves does not break the ring',
    leavingNothing(async () => {
      await using cluster = await Cluster.start({
        nodes: 4,
        topology: 'ring',
        durability: 'memory',
        raft: patient,
      })
      await using client = await cluster.client()
      const ledger = new Ledger(client)
      ledger.start(4)
      await cluster.members.add('n5')
      await makeProgress(ledger, 20)
      await cluster.converged()
      await cluster.members.remove('n2')
      await makeProgress(ledger, 20)
      await cluster.converged()
      await ledger.stop()
      await ledger.verify()
      await assertEqualReplicas(cluster)
      assert.deepEqual(cluster.ids, ['n1', 'n3', 'n4', 'n5'])
    }),
  )

  it('that there is not is refused', async () => {
    const options = { topology: 'tree' } as unknown as ClusterOptions
    await refusedOption(Cluster.start(options), 'topology', '"tree"', /mesh, ring, star/)
  })
})
