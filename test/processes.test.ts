/** Nodes in processes of their own, over TCP: what dies, what comes back, and what must not. */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Client, type NodeOptions, RemoteCluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import type { TlsFiles } from '@troupe/transport'
import { assertEqualDigests, certificatesFor, freePorts, withProcesses } from './node-processes.ts'
import { failure, Ledger, patient, until } from './support.ts'

const three = ['n1', 'n2', 'n3']

describe('three processes', () => {
  it(
    'write and read; when the leader is killed the others go on; it comes back, and nothing is lost',
    withProcesses(three, async (processes) => {
      await processes.startAll()
      await using client = await processes.client({ timeoutMs: 60_000 })
      await client.propose(kv.set('before', 1))
      const ledger = new Ledger(client)
      ledger.start(16)
      await until('writes are acknowledged', () => ledger.acknowledged > 200)
      const leader = await processes.leader()
      await leader.end('SIGKILL')
      const { acknowledged } = ledger
      await until('writes go on', () => ledger.acknowledged > acknowledged + 200)
      await processes.launch(leader.id).started()
      await ledger.stop()
      await ledger.verify()
      assert.equal((await client.query<{ value: number }>(kv.get('before'))).value, 1)
      await assertEqualDigests(processes)
    }),
  )

  it(
    'are restarted one after the other under load: each hands over, ends with code 0, and nothing is lost',
    withProcesses(three, async (processes, t) => {
      await processes.startAll()
      await using client = await processes.client({ timeoutMs: 60_000 })
      const ledger = new Ledger(client)
      ledger.start(16)
      for (const id of three) {
        const { acknowledged } = ledger
        await until('writes are acknowledged', () => ledger.acknowledged > acknowledged + 100)
        const node = processes.nodes.get(id)
        const wasLeader = (await processes.leader()).id === id
        assert.equal(await node?.end('SIGTERM'), 0)
        if (wasLeader) assert.equal(node?.logged('leadership handed over').length, 1)
        await processes.launch(id).started()
      }
      await ledger.stop()
      await ledger.verify()
      assert.equal(ledger.unknown, 0)
      await assertEqualDigests(processes)
      const { acknowledged, longestPauseMs } = ledger
      t.diagnostic(`${acknowledged} writes; the longest pause between two: ${longestPauseMs.toFixed(0)} ms`)
    }),
  )
})

describe('processes that are told to stop in one moment', () => {
  it(
    'end with code 0, and none waits for somebody who could lead instead',
    withProcesses(
      three,
      async (processes) => {
        await processes.startAll()
        await processes.leader()
        const codes = await Promise.all([...processes.nodes.values()].map((node) => node.end('SIGTERM')))
        assert.deepEqual(codes, [0, 0, 0])
      },
      // Far above the bound of a test.
      () => ({ handOverTimeoutMs: 3_600_000, raft: { ...patient, transferTimeoutMs: 3_600_000 } }),
    ),
  )
})

describe('TLS', () => {
  it(
    'between the nodes; a client proves itself by a certificate or the token, an operator by his own',
    withProcesses(three, async (processes) => {
      const files = certificatesFor(processes.directory, [...three, 'somebody'])
      const tokens: NodeOptions['tokens'] = { client: 'open', control: 'sesame' }
      const nodes = three.map((id) => processes.launch(id, { tls: files[id] as TlsFiles, tokens }))
      await Promise.all(nodes.map((node) => node.started()))
      const { authority } = files['somebody'] as TlsFiles
      await using byToken = await processes.client({ tls: { authority }, token: 'open', timeoutMs: 60_000 })
      await byToken.propose(kv.set('a', 1))
      await using byFile = await processes.client({ tls: files['somebody'] as TlsFiles, timeoutMs: 60_000 })
      assert.equal((await byFile.query<{ value: number }>(kv.get('a'))).value, 1)
      const wrong = await failure('NODE_UNAVAILABLE', processes.client({ tls: { authority }, token: 'shut' }))
      assert.match(wrong.message, /a client with a wrong token/)
      const plain = await failure('NODE_UNAVAILABLE', processes.client({ connectTimeoutMs: 300 }))
      assert.match(plain.message, /no node was reached/)
      const seeds = Object.values(processes.peers)
      const asClient = RemoteCluster.connect(seeds, { tls: { authority }, token: 'open' })
      assert.match((await failure('NODE_UNAVAILABLE', asClient)).message, /a control with a wrong token/)
      const operator = await RemoteCluster.connect(seeds, { tls: { authority }, token: 'sesame' })
      const { nodes: seen } = await operator.status().finally(() => operator.close())
      assert.deepEqual(
        seen.map(({ id, running }) => [id, running]),
        three.map((id) => [id, true]),
      )
    }),
  )
})

describe('an operator', () => {
  it(
    'sees all nodes from any, transfers leadership, takes a snapshot, adds a node and removes it',
    withProcesses(
      three,
      async (processes) => {
        await processes.startAll()
        await using client = await processes.client({ timeoutMs: 60_000 })
        await client.propose(kv.set('a', 1))
        const cluster = await RemoteCluster.connect([processes.peers['n2'] as string])
        try {
          const before = await cluster.status()
          assert.deepEqual(
            before.nodes.map(({ id, running }) => [id, running]),
            three.map((id) => [id, true]),
          )
          const next = three.find((id) => id !== before.leader) as string
          await cluster.transferLeadership(next)
          await until('it leads', async () => (await cluster.status()).leader === next)
          await client.propose(kv.set('a', 2))
          await cluster.takeSnapshot('n1')
          const [port] = await freePorts(1)
          const address = `127.0.0.1:${port}`
          const peers = { ...processes.peers, n4: address }
          await processes.launch('n4', { peers, join: true }).started()
          await cluster.add('n4', address)
          const { nodes } = await cluster.status()
          assert.equal(nodes.length, 4)
          const leading = nodes.find(({ id }) => id === next)
          assert.ok(leading?.running)
          assert.equal(leading.configuration.voters.length, 4)
          // A node that was told of the fourth still knows where it is after a start with the list of three.
          assert.equal(await processes.nodes.get('n1')?.end('SIGTERM'), 0)
          await processes.launch('n1').started()
          // Whoever knew only the first three learns of the fourth.
          await using late = await Client.connect([processes.peers['n1'] as string], { timeoutMs: 60_000 })
          const asked = (): Promise<unknown> => late.query(kv.get('a'), { consistency: 'stale', node: 'n4' })
          await until('the new node is known to a client', () =>
            asked().then(
              () => true,
              () => false,
            ),
          )
          await cluster.members.remove('n4')
          const fourth = processes.nodes.get('n4')
          await until('it has ended by itself', () => fourth?.exitCode !== undefined)
          assert.equal(fourth?.exitCode, 0)
          assert.equal(fourth.logged('this node was removed from the cluster: it stops').length, 1)
          const again = await processes.launch('n4', { peers, join: true }).failed()
          assert.match(again, /INVALID_DIRECTORY: .*its node was removed from the cluster/)
          const after = (await cluster.status()).nodes.find(({ id }) => id === next)
          assert.ok(after?.running)
          assert.equal(after.configuration.voters.length, 3)
        } finally {
          cluster.close()
        }
      },
      () => ({ raft: patient }),
    ),
  )
})

describe('a start that cannot be', () => {
  it(
    'a founder that has lost its data is refused, and the others go on',
    withProcesses(three, async (processes) => {
      await processes.startAll()
      await using client = await processes.client({ timeoutMs: 60_000 })
      await client.propose(kv.set('a', 1))
      // All have had links to all.
      await until('all are seen', async () => {
        const statuses = await Promise.all([...processes.nodes.values()].map((node) => node.ask('status')))
        return statuses.every((status) => (status['metrics'] as Record<string, number>)['links'] === 2)
      })
      await processes.nodes.get('n2')?.end('SIGKILL')
      rmSync(join(processes.directory, 'n2'), { recursive: true })
      const reason = await processes.launch('n2').failed()
      assert.match(reason, /^INVALID_DIRECTORY: .*n2 cannot begin, says n[13]: .*has lost its data/)
      await client.propose(kv.set('a', 2))
    }),
  )

  it(
    'a list of other founders',
    withProcesses(['n1', 'n2'], async (processes) => {
      const n1 = processes.launch('n1')
      const { n1: first = '', n2: second = '' } = processes.peers
      const n2 = processes.launch('n2', { peers: { n1: first, n2: second, n3: '127.0.0.1:1' } })
      // Whichever asks first ends first, and the other one waits for it.
      await until('one of them ends', () => (n1.failure ?? n2.failure) !== undefined)
      const [ended, other] = n1.failure === undefined ? [n2, n1] : [n1, n2]
      const why = new RegExp(`INVALID_DIRECTORY: .*${ended.id} cannot begin, says ${other.id}: .*no founder`)
      assert.match(await ended.failed(), why)
      await until('the other end says so too', () =>
        other.logged('connection refused').some(({ reason }) => /no founder "n\d"/.test(String(reason))),
      )
    }),
  )

  it(
    'an address in use, a host that is not known, a list without oneself, no name of the cluster',
    withProcesses(['n1'], async (processes) => {
      await processes.startAll()
      const { n1: address = '' } = processes.peers
      const other = { directory: join(processes.directory, 'other') }
      const taken = await processes.launch('n2', { ...other, peers: { n2: address } }).failed()
      assert.match(taken, new RegExp(`INVALID_OPTIONS.*listen is "${address}".*free.*EADDRINUSE`))
      const nowhere = await processes
        .launch('n2', { ...other, peers: { n2: 'nowhere.invalid:7400' } })
        .failed()
      assert.match(nowhere, /INVALID_OPTIONS.*listen is "nowhere.invalid".*a host that has an address/)
      const without = await processes.launch('n2', { ...other, peers: { n1: address } }).failed()
      assert.match(without, /INVALID_OPTIONS.*peers is "n1"; expected .*that of this node \(n2\) too/)
      const unnamed = { directory: other.directory, peers: { n2: '127.0.0.1:1' }, listen: '127.0.0.1:0' }
      const nameless = await processes.launch('n2', { ...unnamed, cluster: undefined as never }).failed()
      assert.match(nameless, /INVALID_OPTIONS.*cluster is undefined; expected the name of the cluster/)
      const used = await processes.launch('n1', { listen: '127.0.0.1:0' }).failed()
      assert.match(used, /INVALID_DIRECTORY.*it is in use by/)
    }),
  )

  it(
    'a peer that is not reached is told of once while the node waits, and a client says why it finds nobody',
    withProcesses(['n1'], async (processes) => {
      const peers = { ...processes.peers, n2: 'nowhere.invalid:7400' }
      const n1 = processes.launch('n1', { peers })
      await until('it says so', () => n1.logged('waiting for a founder').length > 0)
      const [{ peer, reason } = {}] = n1.logged('waiting for a founder')
      assert.equal(peer, 'n2')
      assert.match(String(reason), /nowhere.invalid:7400: no such host/)
      assert.equal(await n1.end('SIGTERM'), 1)
      assert.match(n1.failure ?? '', /SHUTTING_DOWN/)
      const unreached = await failure('NODE_UNAVAILABLE', processes.client({ connectTimeoutMs: 50 }))
      assert.match(unreached.message, /no node was reached: 127.0.0.1:\d+: ECONNREFUSED/)
    }),
  )

  it(
    'two nodes with one name: one of them is refused, and both ends say so',
    withProcesses(three, async (processes) => {
      await processes.startAll()
      const n3 = processes.nodes.get('n3')
      await n3?.end('SIGKILL')
      const copy = join(processes.directory, 'copy')
      cpSync(join(processes.directory, 'n3'), copy, { recursive: true })
      await processes.launch('n3').started()
      const twin = await processes.launch('n3', { directory: copy, listen: '127.0.0.1:0' }).started()
      await until('it is refused', () =>
        twin
          .logged('connection refused')
          .some(({ reason }) => /two nodes run with the name/.test(String(reason))),
      )
      const n1 = processes.nodes.get('n1')
      await until('the other end says so too', () =>
        (n1?.logged('connection refused') ?? []).some(({ reason }) => /two nodes run/.test(String(reason))),
      )
    }),
  )
})
