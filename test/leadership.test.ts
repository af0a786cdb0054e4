/** Leadership that is handed over; reads by lease, by followers; proposals that followers forward. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  failure,
  followerOf,
  Ledger,
  leaderOf,
  patient,
  until,
} from './support.ts'

after(assertNothingRuns)

describe('a transfer of leadership', () => {
  it('to the named follower, and to the best one, loses nothing under load', async () => {
    await using cluster = await Cluster.start({ raft: patient })
    await using client = await cluster.client()
    const ledger = new Ledger(client)
    ledger.start(32)
    for (let round = 0; round < 3; round++) {
      const target = followerOf(cluster)
      await cluster.transferLeadership(target)
      await until('the target leads', () => cluster.leader === target)
      const before = cluster.leader
      await cluster.transferLeadership()
      await until('another leads', () => cluster.leader !== undefined && cluster.leader !== before)
    }
    await ledger.stop()
    await ledger.verify()
    assert.equal(ledger.unknown, 0)
    await assertEqualReplicas(cluster)
  })

  it('is refused where it makes no sense, and given up where the target does not answer', async () => {
    const raft = { ...patient, transferTimeoutMs: 100 }
    await using cluster = await Cluster.start({ durability: 'memory', raft })
    const leader = cluster.leader as string
    assert.equal((await failure('REFUSED_CHANGE', cluster.transferLeadership(leader))).reason, 'INVALID')
    const target = followerOf(cluster)
    await cluster.crash(target)
    assert.equal((await failure('REFUSED_CHANGE', cluster.transferLeadership(target))).reason, 'ABANDONED')
    await using client = await cluster.client()
    await client.propose(kv.set('a', 1))
  })
})

describe('reads', () => {
  it('by lease, by a follower and by any replica say how they were served', async () => {
    await using cluster = await Cluster.start({ raft: { ...patient, leaseReads: true } })
    await using client = await cluster.client()
    const follower = followerOf(cluster)
    for (let value = 0; value < 50; value++) {
      await client.propose(kv.set('a', value))
      const [lease, linearizable, read] = await Promise.all([
        client.ask<{ value: number }>(kv.get('a'), { consistency: 'lease' }),
        client.ask<{ value: number }>(kv.get('a')),
        client.ask<{ value: number }>(kv.get('a'), { consistency: 'follower', node: follower }),
      ])
      for (const { answer } of [lease, linearizable, read]) assert.equal(answer.value, value)
      assert.equal(linearizable.served, 'linearizable')
      assert.equal(read.served, 'follower')
      assert.ok(lease.served === 'lease' || lease.served === 'linearizable')
    }
    await until('a lease is held', async () => {
      const { served } = await client.ask(kv.get('a'), { consistency: 'lease' })
      return served === 'lease'
    })
    const stale = await client.ask(kv.get('a'), { consistency: 'stale', node: follower })
    assert.equal(stale.served, 'stale')
  })

  it('by lease are linearizable where there are no leases', async () => {
    await using cluster = await Cluster.start({ durability: 'memory' })
    await using client = await cluster.client()
    await client.propose(kv.set('a', 1))
    const { answer, served } = await client.ask<{ value: number }>(kv.get('a'), { consistency: 'lease' })
    assert.equal(answer.value, 1)
    assert.equal(served, 'linearizable')
  })

  it('see every acknowledged write while leaders with leases crash', async () => {
    await using cluster = await Cluster.start({ raft: { leaseReads: true } })
    await using client = await cluster.client({ timeoutMs: 60_000 })
    let value = 0
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 10; count++) {
        await client.propose(kv.set('a', ++value))
        const found = await client.query<{ value: number }>(kv.get('a'), { consistency: 'lease' })
        assert.equal(found.value, value)
      }
      const leader = await leaderOf(cluster)
      await cluster.crash(leader)
      await cluster.restart(leader)
    }
  })
})

describe('proposals at a follower', () => {
  it('are forwarded where that is on, and each applied once through a leader change', async () => {
    await using cluster = await Cluster.start({ raft: { ...patient, forwardProposals: true } })
    const via = followerOf(cluster)
    await using client = await cluster.client({ via })
    const ledger = new Ledger(client)
    ledger.start(8)
    const target = cluster.ids.find((id) => id !== via && id !== cluster.leader) as string
    await until('something is acknowledged', () => ledger.acknowledged > 50)
    await cluster.transferLeadership(target)
    const before = ledger.acknowledged
    await until('more is acknowledged', () => ledger.acknowledged > before + 50)
    await ledger.stop()
    await ledger.verify()
    await assertEqualReplicas(cluster)
  })

  it('are refused where it is off: nothing happens', async () => {
    await using cluster = await Cluster.start({ durability: 'memory', raft: patient })
    await using client = await cluster.client({ via: followerOf(cluster), timeoutMs: 200 })
    await assert.rejects(client.propose(kv.set('a', 1)))
    await using other = await cluster.client()
    assert.equal(await other.query(kv.get('a')), undefined)
  })
})

describe('election priority', () => {
  it('of a node decides who leads sooner or later, and can be wrong', async () => {
    const priorities = { n1: 0, n2: 0 }
    await using cluster = await Cluster.start({ durability: 'memory', priorities })
    await until('n3, which asks first, leads', async () => {
      const leader = cluster.leader
      if (leader === 'n3') return true
      if (leader !== undefined) await cluster.members.replace(leader)
      return false
    })
    for (const wrong of [-1, 101, Number.NaN, '5' as never]) {
      const { field } = await failure('INVALID_OPTIONS', Cluster.start({ priorities: { n1: wrong } }))
      assert.equal(field, 'priorities.n1')
    }
  })
})
