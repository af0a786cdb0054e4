/** What any node tells of all: by what they spread with their heartbeats, also where nobody leads, or nobody else lives. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import {
  Cluster,
  type ClusterMember,
  type ClusterStatus,
  type NodeStatus,
  RemoteCluster,
} from '@troupe/cluster'
import { kv } from '@troupe/machines'
import { withProcesses } from './node-processes.ts'
import { assertNothingRuns, leaderOf, until } from './support.ts'

after(assertNothingRuns)

const three = ['n1', 'n2', 'n3']
const raft = { electionTimeoutMinMs: 400, electionTimeoutMaxMs: 800, heartbeatIntervalMs: 30 }

interface Asked {
  status(): Promise<ClusterStatus>
}

const memberOf = ({ view }: ClusterStatus, id: string): ClusterMember =>
  view.find((member) => member.id === id) as ClusterMember

/** Waits until every node that answers has heard of all. */
async function allHeard(cluster: Asked, ids: readonly string[] = three): Promise<void> {
  await until('all have heard of all', async () => {
    const { nodes } = await cluster.status()
    const running = nodes.filter((node) => node.running)
    return (
      running.length === ids.length &&
      running.every(({ view }) => view.length === ids.length && view.every(({ news }) => news !== null))
    )
  })
}

describe('nodes on threads', () => {
  it('each knows all; what is left of a dead one is its last word, which ages, and those that suspect it', async () => {
    await using cluster = await Cluster.start({ raft, seed: 3, startTimeoutMs: 120_000 })
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await client.propose(kv.set('a', 1))
    await allHeard(cluster)
    const leader = await leaderOf(cluster)
    await until('all know who leads', async () => {
      const { nodes } = await cluster.status()
      return nodes.every((node) => node.running && node.view.every(({ news }) => news?.leader === leader))
    })
    await until('each has measured the way to each other', async () => {
      const text = await cluster.metrics()
      const ways = text.matchAll(
        /^troupe_network_peer_round_trip_time_seconds_count\{node="(n\d)",To="(n\d)"\} (\d+)$/gm,
      )
      const measured = [...ways].filter(([, , , count]) => Number(count) > 0)
      return measured.length === 6
    })
    const calm = await cluster.status()
    assert.deepEqual(
      calm.view.map(({ id, standing, suspectedBy }) => [id, standing, suspectedBy]),
      three.map((id) => [id, 'voter', []]),
    )
    assert.deepEqual(
      calm.view.filter(({ news }) => news?.role === 'leader').map(({ id }) => id),
      [leader],
    )
    await cluster.crash(leader)
    const others = three.filter((id) => id !== leader)
    await until('the others suspect it', async () => {
      const { suspectedBy, suspicion, news } = memberOf(await cluster.status(), leader)
      assert.equal(news?.role, 'leader')
      return suspectedBy.join() === others.join() && suspicion !== null
    })
    const { ageMs: earlier } = memberOf(await cluster.status(), leader)
    const { ageMs: later } = memberOf(await cluster.status(), leader)
    assert.ok((later as number) > (earlier as number))
    await cluster.restart(leader)
    await until('it is heard again', async () => {
      const { suspectedBy, ageMs } = memberOf(await cluster.status(), leader)
      return suspectedBy.length === 0 && ageMs === 0
    })
  })

  it('a node that is cut off from one other is told of by the third; one that is cut off from all is silent', async () => {
    await using cluster = await Cluster.start({ durability: 'memory', faults: true, raft, seed: 5 })
    await allHeard(cluster)
    await using client = await cluster.client({ timeoutMs: 60_000 })
    const [one, other] = three.filter((id) => id !== cluster.leader) as [string, string]
    const cut = await cluster.inject({ kind: 'link', mode: 'drop', links: { from: [one], to: [other] } })
    await client.propose(kv.set('a', 1))
    await until('what the one has applied since comes to the other all the same', async () => {
      const { nodes } = await cluster.status()
      const applied = nodes.find(({ id }) => id === one) as NodeStatus
      const [seen] = nodes.flatMap((node) =>
        node.running && node.id === other ? node.view.filter(({ id }) => id === one) : [],
      )
      return (seen?.news?.applied ?? 0) >= applied.applied && seen?.suspicion === null
    })
    await cluster.heal(cut.id)
    const leader = await leaderOf(cluster)
    const fault = await cluster.inject({ kind: 'partition', split: 'primaries' })
    await until('both sides suspect each other', async () => {
      const { view } = await cluster.status()
      const others = three.filter((id) => id !== leader)
      const suspect = (id: string): string => memberOf({ view } as ClusterStatus, id).suspectedBy.join()
      return suspect(leader) === others.join() && others.every((id) => suspect(id) === leader)
    })
    await cluster.heal(fault.id)
    await until('nobody is suspected', async () =>
      (await cluster.status()).view.every(({ suspectedBy }) => suspectedBy.length === 0),
    )
  })

  it('a node that waits to be a member is seen as a guest, then as a learner, and is forgotten when it is removed', async () => {
    await using cluster = await Cluster.start({ durability: 'memory', raft, seed: 6 })
    await cluster.members.add('n4', { learner: true })
    await until('all see a learner', async () => {
      const { nodes } = await cluster.status()
      return nodes.every(
        (node) => node.running && node.view.some(({ id, standing }) => id === 'n4' && standing === 'learner'),
      )
    })
    await cluster.members.remove('n4')
    await until('it is forgotten', async () => !(await cluster.status()).view.some(({ id }) => id === 'n4'))
  })
})

describe('nodes in processes', () => {
  it(
    'the last one that lives tells of all, although nobody leads; so does whoever is asked while all live',
    withProcesses(
      three,
      async (processes) => {
        await processes.startAll()
        await using client = await processes.client({ timeoutMs: 60_000 })
        await client.propose(kv.set('a', 1))
        const cluster = await RemoteCluster.connect([processes.peers['n2'] as string])
        try {
          await allHeard(cluster)
          const { view } = await cluster.status()
          assert.ok(
            view.every(({ suspectedBy, news }) => suspectedBy.length === 0 && (news?.commit ?? 0) > 0),
          )
          await processes.nodes.get('n1')?.end('SIGKILL')
          await processes.nodes.get('n3')?.end('SIGKILL')
          await until('it suspects both, and itself knows no leader', async () => {
            const status = await cluster.status()
            if (status.leader !== undefined) return false
            return ['n1', 'n3'].every((id) => memberOf(status, id).suspectedBy.join() === 'n2')
          })
          const status = await cluster.status()
          assert.deepEqual(
            status.view.map(({ id, news }) => [id, news !== null && news.commit > 0]),
            three.map((id) => [id, true]),
          )
          assert.equal(memberOf(status, 'n2').ageMs, 0)
          assert.equal(memberOf(status, 'n2').suspicion, null)
        } finally {
          cluster.close()
        }
      },
      () => ({ raft }),
    ),
  )
})
