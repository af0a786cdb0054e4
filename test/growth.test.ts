/** A cluster that grows by configuration alone: from threads to processes, and from one host to two (docs/growth.md). */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Client, Cluster, RemoteCluster } from '@troupe/cluster'
import type { TlsFiles } from '@troupe/transport'
import { type AnotherHost, loopbackHost, namespaceHost } from './another-host.ts'
import { assertEqualDigests, certificatesFor, freePorts, NodeProcesses } from './node-processes.ts'
import { Ledger, leaderOf, until, withDirectory } from './support.ts'

const three = ['n1', 'n2', 'n3']

/** A cluster of threads, with some state in a snapshot and some behind it. Gives what was written. */
async function beginInThreads(directory: string): Promise<Ledger> {
  await using cluster = await Cluster.start({ directory, nodes: 3 })
  await using client = await cluster.client({ timeoutMs: 60_000 })
  const ledger = new Ledger(client, 'thread')
  ledger.start(8)
  await until('writes are acknowledged', () => ledger.acknowledged > 100)
  await cluster.takeSnapshot(await leaderOf(cluster), { timeoutMs: 60_000 })
  const { acknowledged } = ledger
  await until('there are some behind the snapshot', () => ledger.acknowledged > acknowledged + 100)
  await ledger.stop()
  return ledger
}

/** What each phase has written is there, each write once. */
async function assertNothingLost(client: Client, ledgers: readonly Ledger[]): Promise<void> {
  for (const ledger of ledgers) {
    await ledger.verify(client)
    assert.equal(ledger.unknown, 0)
  }
}

async function grow(directory: string, { near, far, command }: AnotherHost): Promise<void> {
  const inThreads = await beginInThreads(directory)

  const files = certificatesFor(directory, [...three, 'somebody'])
  const somebody = files['somebody'] as TlsFiles
  const ports = await freePorts(3, near)
  const peers = Object.fromEntries(three.map((id, index) => [id, `${near}:${ports[index]}`]))
  const processes = new NodeProcesses(directory, peers, {})
  // The cluster's name is that which its directories have.
  const own = (id: string) => ({ tls: files[id] as TlsFiles, cluster: undefined as never })
  try {
    await Promise.all(three.map((id) => processes.launch(id, own(id)).started()))
    await until('the sessions of before are known', async () => {
      const status = await processes.nodes.get('n1')?.ask('status')
      const metrics = status?.['metrics'] as { sessions: number } | undefined
      return metrics !== undefined && metrics.sessions > 0
    })
    await using client = await processes.client({ tls: somebody, timeoutMs: 60_000 })
    await assertNothingLost(client, [inThreads])

    const inProcesses = new Ledger(client, 'process')
    inProcesses.start(8)
    await until('writes are acknowledged', () => inProcesses.acknowledged > 100)
    // n3 moves: it is stopped, its directory is brought to the other host, and started there with an address of that.
    assert.equal(await processes.nodes.get('n3')?.end('SIGTERM'), 0)
    const there = join(directory, 'another-host', 'n3')
    cpSync(join(directory, 'n3'), there, { recursive: true })
    rmSync(join(directory, 'n3'), { recursive: true })
    const address = `${far}:${ports[2]}`
    const moved = { ...own('n3'), directory: there, peers: { ...peers, n3: address } }
    const n3 = await processes.launch('n3', moved, command).started()
    const operator = await RemoteCluster.connect([peers['n1'] as string], { tls: somebody })
    await operator
      .add('n3', address, { tls: somebody }, { timeoutMs: 60_000 })
      .finally(() => operator.close())
    const { acknowledged } = inProcesses
    await until('writes go on', () => inProcesses.acknowledged > acknowledged + 100)
    await inProcesses.stop()
    await until('n3 follows', async () => {
      const [mine, theirs] = await Promise.all([n3.ask('status'), processes.nodes.get('n1')?.ask('status')])
      return Number(mine['applied']) > 0 && mine['applied'] === theirs?.['applied']
    })
    await assertEqualDigests(processes)
    // Whoever knows only the new address finds everything by it.
    await using late = await Client.connect([address], { tls: somebody, timeoutMs: 60_000 })
    await assertNothingLost(late, [inThreads, inProcesses])
  } finally {
    await processes.killAll()
  }
}

describe('a cluster that is begun in threads', () => {
  it('goes on in processes, and one of them on another address; no command is lost or doubled', () =>
    withDirectory((directory) => grow(directory, loopbackHost)))

  it('goes on in processes, and one of them behind another network stack', async (t: TestContext) => {
    const host = namespaceHost()
    if (typeof host === 'string') return t.skip(`no network namespace can be made here: ${host}`)
    try {
      await withDirectory((directory) => grow(directory, host))
    } finally {
      host.close()
    }
  })
})
