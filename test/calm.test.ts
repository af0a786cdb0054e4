/** The property of the whole, on real threads: while nothing fails, the first leader stays and nothing is dropped. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Cluster, type NodeStatus } from '@troupe/cluster'
import { assertEqualReplicas, assertNothingRuns, isFull, Ledger, until } from './support.ts'

after(assertNothingRuns)

/** Above any pause that a busy machine makes: this is about what the engine does to itself. */
const raft = {
  electionTimeoutMinMs: 1500,
  electionTimeoutMaxMs: 1800,
  heartbeatIntervalMs: 40,
  maxPersistStallMs: 60_000,
}
/** Longer than a timeout: a leader whose heartbeats wait behind its load is found out. */
const LOAD_MS = isFull ? 20_000 : 2500

async function running(cluster: Cluster): Promise<NodeStatus[]> {
  const { nodes } = await cluster.status()
  return nodes.map((node) => {
    assert.ok(node.running, node.id)
    return node
  })
}

/** What changes where a node is disturbed, or disturbs others. */
const disturbances = (nodes: readonly NodeStatus[]) =>
  nodes.map(({ id, role, term, leader, metrics }) => {
    const { elections, preElections, leaderships, persistStalls, framesDropped } = metrics
    return { id, role, term, leader, elections, preElections, leaderships, persistStalls, framesDropped }
  })

describe('under a steady load, while nothing fails', () => {
  for (const durability of ['memory', 'flush-before-ack'] as const) {
    it(`nobody asks for votes and no frame is dropped or refused: ${durability}`, async () => {
      await using cluster = await Cluster.start({ durability, raft })
      await using client = await cluster.client({ retransmitMs: 60_000 })
      await until('everybody follows', async () => {
        const nodes = await running(cluster)
        return nodes.every(({ leader, applied }) => leader === cluster.leader && applied > 0)
      })
      const before = disturbances(await running(cluster))
      const ledger = new Ledger(client)
      const since = performance.now()
      ledger.start(64)
      await until(
        'there was load for a while',
        () => {
          return ledger.acknowledged > 500 && performance.now() - since > LOAD_MS
        },
        60_000,
      )
      await ledger.stop()
      assert.deepEqual(disturbances(await running(cluster)), before)
      const { commandsResent, sessionsLost } = client.metrics
      assert.deepEqual({ commandsResent, sessionsLost }, { commandsResent: 0, sessionsLost: 0 })
      assert.equal(ledger.unknown, 0)
      await ledger.verify()
      await assertEqualReplicas(cluster)
    })
  }
})
