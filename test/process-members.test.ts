/** Members of a cluster of processes that come and go, when something is in the way. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RemoteCluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import { freePorts, type NodeProcesses, withProcesses } from './node-processes.ts'
import { failure, until } from './support.ts'

const three = ['n1', 'n2', 'n3']

/** Starts n4, that is to be added, and connects an operator to the others. */
async function withFourth(
  processes: NodeProcesses,
  run: (
    cluster: RemoteCluster,
    address: string,
    start: () => ReturnType<NodeProcesses['launch']>,
  ) => Promise<void>,
): Promise<void> {
  await processes.startAll()
  const [port] = await freePorts(1)
  const address = `127.0.0.1:${port}`
  const start = () => processes.launch('n4', { peers: { ...processes.peers, n4: address }, join: true })
  await start().started()
  const cluster = await RemoteCluster.connect(Object.values(processes.peers))
  try {
    await run(cluster, address, start)
  } finally {
    cluster.close()
  }
}

async function votersOf(cluster: RemoteCluster): Promise<string[]> {
  const { leader, nodes } = await cluster.status()
  const leading = nodes.find(({ id }) => id === leader)
  return leading?.running === true ? leading.configuration.voters.map(({ id }) => id) : []
}

describe('a node that is added', () => {
  it(
    'in too short a time is added by the same call later; another one of its name is refused',
    withProcesses(three, (processes) =>
      withFourth(processes, async (cluster, address) => {
        await using client = await processes.client({ timeoutMs: 60_000 })
        await client.propose(kv.set('a', 1))
        const late = await failure('TIMEOUT', cluster.add('n4', address, {}, { timeoutMs: 0.001 }))
        assert.match(late.message, /run the same again, and it goes on from there/)
        await cluster.add('n4', address, {}, { timeoutMs: 60_000 })
        await cluster.add('n4', address, {}, { timeoutMs: 60_000 })
        await until('it votes', async () => (await votersOf(cluster)).includes('n4'))
        const directory = `${processes.directory}/another`
        const peers = { ...processes.peers, n4: address }
        const other = processes.launch('n4', { peers, join: true, directory, listen: '127.0.0.1:0' })
        await other.started()
        const [{ address: there } = {}] = other.logged('listening')
        const known = await failure('INVALID_OPTIONS', cluster.add('n4', String(there)))
        assert.match(known.message, /another node of this name has to be removed first/)
      }),
    ),
  )
})

describe('a node that is removed while it does not run', () => {
  it(
    'asks the others when it is back, and stops by itself',
    withProcesses(three, (processes) =>
      withFourth(processes, async (cluster, address, start) => {
        await cluster.add('n4', address, {}, { timeoutMs: 60_000 })
        await processes.nodes.get('n4')?.end('SIGKILL')
        await cluster.members.remove('n4', { timeoutMs: 60_000 })
        const back = await start().started()
        await until('it has ended', () => back.exitCode !== undefined)
        assert.equal(back.exitCode, 0)
        assert.equal(back.logged('this node was removed from the cluster: it stops').length, 1)
        assert.deepEqual(await votersOf(cluster), three)
      }),
    ),
  )
})
