/** Members that come and go in a running cluster, on worker threads and real files. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Client, Cluster, type NodeStatus } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  failure,
  followerOf,
  Ledger,
  patient,
  refusedOption,
  until,
  withDirectory,
} from './support.ts'

after(assertNothingRuns)

async function leaderStatus(cluster: Cluster): Promise<NodeStatus> {
  let found: NodeStatus | undefined
  await until('there is a leader', async () => {
    const { nodes } = await cluster.status()
    found = nodes.find((node) => node.running && node.role === 'leader') as NodeStatus | undefined
    return found !== undefined
  })
  return found as NodeStatus
}

const idsOf = (members: readonly { readonly id: string }[]): string[] => members.map(({ id }) => id).sort()

describe('members, under load', () => {
  let cluster: Cluster
  let client: Client
  before(async () => {
    cluster = await Cluster.start({ durability: 'memory', raft: patient })
    client = await cluster.client()
  })
  after(async () => {
    await client.close()
    await cluster.stop()
  })

  const underLoad = async (act: () => Promise<void>): Promise<void> => {
    const ledger = new Ledger(client, `load${performance.now()}`)
    ledger.start(16)
    await act()
    await ledger.stop()
    await ledger.verify()
    assert.equal(ledger.unknown, 0)
    assert.ok(ledger.acknowledged > 0)
    await assertEqualReplicas(cluster)
  }

  it('a learner joins, receives the log and does not vote, then is promoted', async () => {
    await underLoad(async () => {
      await cluster.members.add('n4', { learner: true })
      const asLearner = await leaderStatus(cluster)
      assert.deepEqual(idsOf(asLearner.configuration.learners), ['n4'])
      assert.deepEqual(idsOf(asLearner.configuration.voters), ['n1', 'n2', 'n3'])
      await cluster.members.promote('n4')
    })
    const { configuration } = await leaderStatus(cluster)
    assert.deepEqual(idsOf(configuration.voters), ['n1', 'n2', 'n3', 'n4'])
  })

  it('a new voter joins, serves clients that were there before, and leaves again', async () => {
    await underLoad(async () => {
      await cluster.members.add('n5')
      await cluster.converged()
      assert.equal(typeof (await client.query(kv.count(), { consistency: 'stale', node: 'n5' })), 'number')
      await cluster.members.remove('n5')
    })
    assert.deepEqual(cluster.ids, ['n1', 'n2', 'n3', 'n4'])
  })

  it('several change at once through a joint configuration, left when it is asked for', async () => {
    await underLoad(async () => {
      await cluster.members.add('n5', { learner: true })
      const leader = cluster.leader
      const out = cluster.ids.find((id) => id !== leader && id !== 'n5') as string
      await until('the learner has caught up', async () => {
        const { match = {}, lastIndex = 1 } = await leaderStatus(cluster)
        return (match.n5 ?? 0) >= lastIndex - 32
      })
      await cluster.members.change(
        [
          { kind: 'promote', id: 'n5' },
          { kind: 'demote', id: out },
        ],
        { leave: 'explicit' },
      )
      const joint = await leaderStatus(cluster)
      assert.ok(joint.configuration.outgoing.length > 0)
      await failure('TIMEOUT', cluster.members.remove(out, { timeoutMs: 50 }))
      await cluster.members.leaveJoint()
      const { configuration } = await leaderStatus(cluster)
      assert.deepEqual(configuration.outgoing, [])
      assert.deepEqual(idsOf(configuration.learners), [out])
      await cluster.members.remove(out)
    })
  })

  it('the leader itself is removed: another takes over', async () => {
    const before = cluster.leader as string
    await underLoad(async () => {
      await cluster.members.remove(before)
      await until('another leads', () => cluster.leader !== undefined && cluster.leader !== before)
    })
    assert.ok(!cluster.ids.includes(before))
  })

  it('a node that lost its memory comes back as a new incarnation', async () => {
    const lost = followerOf(cluster)
    const { nodes } = await cluster.status()
    const before = nodes.find(({ id }) => id === lost) as NodeStatus
    await underLoad(async () => {
      await cluster.crash(lost)
      await failure('INVALID_OPTIONS', cluster.restart(lost))
      await cluster.members.replace(lost)
    })
    const { configuration } = await leaderStatus(cluster)
    const member = configuration.voters.find(({ id }) => id === lost)
    assert.ok(member !== undefined && member.incarnation !== before.incarnation)
  })

  it('what makes no sense is refused with its reason, and nothing changes', async () => {
    const before = (await leaderStatus(cluster)).configuration
    await refusedOption(cluster.members.add('n 9'), 'id', '"n 9"', /a name of letters/)
    await refusedOption(cluster.members.remove('n99'), 'id', '"n99"', /one of/)
    await refusedOption(cluster.members.change('x' as never), 'changes', '"x"', /an array/)
    await refusedOption(
      cluster.members.change([{ kind: 'kick', id: 'n1' } as never]),
      'changes[0].kind',
      '"kick"',
      /addLearner/,
    )
    const id = cluster.ids[0] as string
    const twice = [
      { kind: 'demote', id },
      { kind: 'remove', id },
    ] as const
    assert.equal((await failure('REFUSED_CHANGE', cluster.members.change(twice))).reason, 'INVALID')
    assert.equal((await failure('REFUSED_CHANGE', cluster.members.leaveJoint())).reason, 'NOT_JOINT')
    const last = cluster.ids.map((id) => ({ kind: 'remove', id }) as const)
    assert.equal((await failure('REFUSED_CHANGE', cluster.members.change(last))).reason, 'INVALID')
    assert.deepEqual((await leaderStatus(cluster)).configuration, before)
  })
})

describe('members on the disk', () => {
  it('are found again: those that joined, not those that left', () =>
    withDirectory(async (directory) => {
      const first = await Cluster.start({ directory })
      await using writer = await first.client()
      await writer.propose(kv.set('a', 1))
      await first.members.add('n4')
      await first.members.remove(followerOf(first))
      const ids = [...first.ids]
      await first.stop()
      assert.ok(readdirSync(directory).some((name) => name.endsWith('.old-1')))

      await using again = await Cluster.start({ directory })
      assert.deepEqual(again.ids, ids)
      await using reader = await again.client()
      assert.equal((await reader.query<{ value: number }>(kv.get('a'))).value, 1)
      assert.deepEqual(idsOf((await leaderStatus(again)).configuration.voters), [...ids].sort())
      await assertEqualReplicas(again)
    }))

  it('one whose directory is gone is refused, or replaced where that is asked for', () =>
    withDirectory(async (directory) => {
      const first = await Cluster.start({ directory })
      await using writer = await first.client()
      for (let count = 0; count < 20; count++) await writer.propose(kv.set(`k${count}`, count))
      await first.stop()
      rmSync(join(directory, 'n2'), { recursive: true })
      const { reason } = await failure('INVALID_DIRECTORY', Cluster.start({ directory }))
      assert.match(reason, /n2 is gone/)

      await using again = await Cluster.start({ directory, replaceLost: true })
      assert.ok(existsSync(join(directory, 'n2')))
      await assertEqualReplicas(again)
      assert.deepEqual(idsOf((await leaderStatus(again)).configuration.voters), ['n1', 'n2', 'n3'])
      await again.crash('n1')
      await using reader = await again.client()
      assert.equal((await reader.query<{ value: number }>(kv.get('k7'))).value, 7)
    }))
})
