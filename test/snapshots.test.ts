/** Snapshots and compaction on real files: restarts, followers that lag, nodes that join. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Client, Cluster, type NodeStatus } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  followerOf,
  Ledger,
  leaderOf,
  until,
  withDirectory,
} from './support.ts'

after(assertNothingRuns)

async function statusOf(cluster: Cluster, id: string): Promise<NodeStatus> {
  const { nodes } = await cluster.status()
  const status = nodes.find((node) => node.id === id)
  assert.ok(status?.running, `${id} does not run`)
  return status
}

async function write(client: Client, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index++) {
    await client.propose(kv.set(`k${index % 20}`, `${index}`.repeat(20)))
  }
}

const small = { snapshotEntries: 50, keepEntries: 10 } as const

describe('a snapshot', () => {
  it('is taken by policy, compacts the log, and a restart goes on from it', () =>
    withDirectory(async (directory) => {
      const first = await Cluster.start({ directory, raft: small })
      await using writer = await first.client()
      await write(writer, 300)
      for (const id of first.ids) {
        await until(`${id} has compacted`, async () => (await statusOf(first, id)).base > 150)
        const { base, snapshot, lastIndex } = await statusOf(first, id)
        assert.ok(base <= snapshot && snapshot <= lastIndex)
      }
      const before = await first.digests()
      await first.stop()

      await using again = await Cluster.start({ directory, raft: small })
      await again.converged()
      const reader = await again.client()
      const entry = await reader.query<{ value: string; version: number }>(kv.get('k19'))
      assert.equal(entry.value, '299'.repeat(20))
      assert.equal(entry.version, 15)
      await assertEqualReplicas(again)
      assert.equal((await again.digests()).size, before.size)
      await reader.close()
    }))

  it('is taken when it is asked for', async () => {
    await using cluster = await Cluster.start({ raft: { keepEntries: 0 } })
    await using client = await cluster.client()
    await write(client, 10)
    for (const id of cluster.ids) {
      await cluster.takeSnapshot(id)
      const { snapshot, applied } = await statusOf(cluster, id)
      assert.ok(snapshot > 0 && snapshot <= applied)
    }
  })

  for (const durability of ['flush-before-ack', 'memory'] as const) {
    it(`brings a follower back that was away for longer than the log goes back (${durability})`, async () => {
      await using cluster = await Cluster.start({ raft: small, durability })
      await using client = await cluster.client()
      await write(client, 20)
      const away = followerOf(cluster)
      await cluster.crash(away)
      await write(client, 300, 20)
      const ledger = new Ledger(client, 'during')
      ledger.start(8)
      if (durability === 'memory') await cluster.members.replace(away)
      else await cluster.restart(away)
      await until('it has installed a snapshot', async () => {
        const { metrics } = await statusOf(cluster, away)
        return metrics.snapshotsInstalled > 0
      })
      await ledger.stop()
      await ledger.verify()
      await assertEqualReplicas(cluster)
    })
  }

  it('of some size is sent in chunks while commands go on', async () => {
    const raft = { snapshotEntries: 0, keepEntries: 0, snapshotChunkBytes: 64 << 10 }
    await using cluster = await Cluster.start({ raft })
    await using client = await cluster.client()
    const block = 'x'.repeat(10_000)
    for (let round = 0; round < 8; round++) {
      await client.proposeMany(Array.from({ length: 100 }, (_, i) => kv.set(`b${round}/${i}`, block)))
    }
    for (const id of cluster.ids) await cluster.takeSnapshot(id)
    const ledger = new Ledger(client, 'during')
    ledger.start(8)
    await cluster.members.add('n4')
    await ledger.stop()
    await ledger.verify()
    const { metrics } = await statusOf(cluster, 'n4')
    assert.ok(metrics.snapshotsInstalled > 0)
    await assertEqualReplicas(cluster)
  })

  it('keeps sessions and members: a retried command is not applied twice behind it', async () => {
    await using cluster = await Cluster.start({ raft: { ...small, forwardProposals: true } })
    await using client = await cluster.client({ retransmitMs: 50 })
    const ledger = new Ledger(client)
    ledger.start(16)
    for (let round = 0; round < 3; round++) {
      const leader = await leaderOf(cluster)
      const goal = ledger.acknowledged + 200
      await until('more is acknowledged', () => ledger.acknowledged > goal)
      await cluster.crash(leader)
      await cluster.restart(leader)
    }
    await ledger.stop()
    await ledger.verify()
    await assertEqualReplicas(cluster)
  })
})
