/** A whole cluster from outside: start and stop, commands and queries, state and events, machines, durability. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Cluster, type NodeReport } from '@troupe/cluster'
import { kv, type LogAnswer, type LogRecord, log } from '@troupe/machines'
import {
  assertEqualReplicas,
  assertNothingRuns,
  failure,
  fixture,
  followerOf,
  leavingNothing,
  patient,
  until,
  withDirectory,
} from './support.ts'

const memory = { durability: 'memory', raft: patient } as const

describe('a cluster', () => {
  it(
    'starts with a temporary directory, replicates, and leaves nothing when it stops',
    leavingNothing(async () => {
      const cluster = await Cluster.start()
      const directory = cluster.directory as string
      assert.deepEqual(cluster.ids, ['n1', 'n2', 'n3'])
      assert.ok(cluster.leader !== undefined && cluster.ids.includes(cluster.leader))
      assert.deepEqual(readdirSync(directory).sort(), ['cluster.json', 'n1', 'n2', 'n3'])
      const client = await cluster.client()
      assert.equal(await client.propose(kv.set('a', 'one')), undefined)
      assert.equal(await client.propose(kv.compareAndSet('a', 'one', 'two')), true)
      assert.deepEqual(await client.query(kv.get('a')), { key: 'a', value: 'two', version: 2 })
      await assertEqualReplicas(cluster)
      await Promise.all([cluster.stop(), cluster.stop()])
      await cluster.stop()
      assert.equal(existsSync(directory), false)
      assert.throws(() => cluster.clientPort(), { code: 'SHUTTING_DOWN' })
      await failure('SHUTTING_DOWN', cluster.client())
      await failure('SHUTTING_DOWN', cluster.restart('n1'))
      await failure('NODE_UNAVAILABLE', cluster.crash('n1'))
      await failure('SHUTTING_DOWN', client.propose(kv.set('a', 1)))
      await assertNothingRuns()
    }),
  )

  it(
    'is stopped by `await using`',
    leavingNothing(async () => {
      let stopped: Cluster
      {
        await using cluster = await Cluster.start({ nodes: 1 })
        await using client = await cluster.client()
        await client.propose(kv.set('a', 1))
        stopped = cluster
      }
      await failure('SHUTTING_DOWN', stopped.client())
      await assertNothingRuns()
    }),
  )

  for (const nodes of [1, 3, 5]) {
    it(`of ${nodes} replicates to every node`, async () => {
      await using cluster = await Cluster.start({ ...memory, nodes })
      await using client = await cluster.client()
      const commands = Array.from({ length: 300 }, (_, index) => client.propose(kv.set(`k${index}`, index)))
      await Promise.all(commands)
      await cluster.converged()
      for (const node of cluster.ids) {
        assert.equal(await client.query(kv.count(), { consistency: 'stale', node }), 300)
      }
      assert.equal((await cluster.digests()).size, nodes)
      await assertEqualReplicas(cluster)
    })
  }

  it('tells its state: one leader, equal terms and indexes, and who does not run', async () => {
    await using cluster = await Cluster.start({ nodes: ['left', 'middle', 'right'], ...memory })
    await using client = await cluster.client()
    await client.proposeMany([kv.set('a', 1), kv.set('b', 2)])
    await cluster.converged()
    const { leader, term, nodes } = await cluster.status()
    assert.equal(leader, cluster.leader)
    assert.deepEqual(
      nodes.map(({ id }) => id),
      ['left', 'middle', 'right'],
    )
    for (const node of nodes) {
      assert.ok(node.running)
      assert.deepEqual([node.term, node.leader, node.durability], [term, leader, 'memory'])
      assert.equal(node.role, node.id === leader ? 'leader' : 'follower')
      assert.ok(node.commit === node.lastIndex && node.applied === node.lastIndex)
      assert.equal(node.metrics.commandsApplied, 2)
      assert.equal(node.metrics.sessions, 1)
      assert.ok(node.metrics.eventLoopActiveMs > 0 && (node.metrics.threadCpuMs as number) > 0)
    }
    const crashed = followerOf(cluster)
    await cluster.crash(crashed)
    const isDown = (node: NodeReport): boolean => node.id === crashed && !node.running && node.reason !== ''
    assert.ok((await cluster.status()).nodes.some(isDown))
    assert.equal((await cluster.digests()).has(crashed), false)
  })

  it('tells of leaders and of exits, once each', async () => {
    await using cluster = await Cluster.start(memory)
    const leaders: { id: string; term: number }[] = []
    const exits: { id: string; expected: boolean }[] = []
    cluster.on('leader', ({ id, term }) => leaders.push({ id, term }))
    cluster.on('exit', ({ id, expected }) => exits.push({ id, expected }))
    const { term } = await cluster.status()
    const first = cluster.leader as string
    const info = await cluster.crash(first)
    assert.deepEqual([info.id, info.expected, info.code], [first, true, 1])
    await until('another node leads', () => leaders.length > 0)
    assert.notEqual(leaders[0]?.id, first)
    assert.ok((leaders[0]?.term ?? 0) > term)
    assert.equal(cluster.leader, leaders[0]?.id)
    await cluster.stop()
    assert.equal(exits.filter(({ id }) => id === first).length, 1)
    assert.equal(exits.length, 3)
    assert.ok(exits.every(({ expected }) => expected))
  })

  it('hands its news to a logger, and nothing to the console', async () => {
    const events: string[] = []
    const levels = new Set<string>()
    const logger = (level: string, event: string, detail: object): void => {
      levels.add(level)
      events.push(`${event} ${'node' in detail ? String(detail.node) : ''}`.trim())
    }
    const cluster = await Cluster.start({ ...memory, logger })
    await cluster.stop()
    for (const event of ['cluster starting', 'node started n2', 'role changed n1', 'cluster stopped']) {
      assert.ok(events.includes(event), `no "${event}" among ${events.join(', ')}`)
    }
    assert.deepEqual([...levels], ['info'])
  })
})

describe('commands and queries', () => {
  it('of one client are applied in the order they were proposed', async () => {
    await using cluster = await Cluster.start({ ...memory, machine: 'log' })
    await using client = await cluster.client()
    const positions: Promise<unknown>[] = []
    for (let index = 0; index < 3000; index += 3) {
      positions.push(client.propose(log.append(index)))
      positions.push(client.proposeMany([log.append(index + 1), log.append(index + 2)]))
      // Now and then a turn ends in between.
      if (index % 300 === 0) await new Promise(setImmediate)
    }
    assert.deepEqual((await Promise.all(positions)).flat(), [...Array(3000).keys()])
    const records = await client.query<LogRecord[]>(log.read(0, 3000))
    assert.deepEqual(
      records.map(({ record }) => record),
      [...Array(3000).keys()],
    )
  })

  it('see each other: a linearizable query finds what another client was acknowledged', async () => {
    await using cluster = await Cluster.start(memory)
    await using writer = await cluster.client()
    await using reader = await cluster.client()
    for (let index = 0; index < 50; index++) {
      await writer.propose(kv.set('a', index))
      const found = await reader.query<{ value: number }>(kv.get('a'))
      assert.equal(found.value, index)
    }
  })

  it('that the machine refuses are refused one by one, and the rest of their batch is done', async () => {
    await using cluster = await Cluster.start(memory)
    await using client = await cluster.client()
    await client.propose(kv.set('a', 1))
    const refused = client.propose(['nonsense'])
    const fine = client.propose(kv.set('a', 2))
    assert.match((await failure('REJECTED', refused)).reason, /kv/)
    await fine
    const results = await client.proposeMany([kv.delete('a'), 17, kv.delete('a')])
    assert.equal(results[0], true)
    assert.equal((results[1] as { code?: string }).code, 'REJECTED')
    assert.equal(results[2], false)
    await failure('REJECTED', client.query(['nonsense']))
    await assertEqualReplicas(cluster)
  })

  it('stale ones are answered by the node that they name, without a leader too', async () => {
    await using cluster = await Cluster.start(memory)
    await using client = await cluster.client()
    await client.propose(kv.set('a', 1))
    await cluster.converged()
    const survivor = followerOf(cluster)
    for (const id of cluster.ids) if (id !== survivor) await cluster.crash(id)
    const stale = { consistency: 'stale', node: survivor } as const
    assert.deepEqual(await client.query(kv.get('a'), stale), { key: 'a', value: 1, version: 1 })
    await failure('TIMEOUT', client.query(kv.get('a'), { timeoutMs: 100 }))
    const dead = cluster.ids.find((id) => id !== survivor) as string
    await failure('TIMEOUT', client.query(kv.get('a'), { consistency: 'stale', node: dead, timeoutMs: 100 }))
  })

  it('come from a client in another thread as well, which follows a node that comes back', async () => {
    await using cluster = await Cluster.start({ raft: patient })
    const worker = new Worker(new URL('fixtures/client-worker.ts', import.meta.url))
    // Asked for now: a worker's last messages and its exit may come in one turn, and `once` would be too late.
    const exited = once(worker, 'exit')
    const port = cluster.clientPort()
    worker.postMessage(port, [port])
    assert.deepEqual(await once(worker, 'message'), [{ key: 'w42', value: 42, version: 1 }])
    const down = cluster.leader as string
    await cluster.crash(down)
    await cluster.restart(down)
    worker.postMessage('go on')
    assert.deepEqual(await once(worker, 'message'), [{ key: 'w42', value: 'again', version: 2 }])
    assert.deepEqual(await exited, [0])
    await using client = await cluster.client()
    assert.equal(await client.query(kv.count()), 100)
  })
})

describe('a machine', () => {
  it('`log` gives positions and reads them back', async () => {
    await using cluster = await Cluster.start({ nodes: 3, machine: 'log', ...memory })
    await using client = await cluster.client()
    assert.deepEqual(await client.proposeMany(['a', { b: [1] }, null].map(log.append)), [0, 1, 2])
    assert.deepEqual(await client.query<LogAnswer>(log.range()), { first: 0, next: 3 })
    assert.deepEqual(await client.query<LogRecord[]>(log.read(1)), [
      { position: 1, record: { b: [1] } },
      { position: 2, record: null },
    ])
    await assertEqualReplicas(cluster)
  })

  for (const [how, nodes, machine] of [
    ['URL', 3, new URL(fixture('register-machine.ts'))],
    ['URL as text', 1, fixture('register-machine.ts')],
    ['path', 1, fileURLToPath(fixture('register-machine.ts'))],
  ] as const) {
    it(`of a user's own is given by its ${how}, with options`, async () => {
      const machineOptions = { initial: 'empty', longest: 5 }
      await using cluster = await Cluster.start({ ...memory, nodes, machine, machineOptions })
      await using client = await cluster.client()
      assert.deepEqual(await client.query('read'), { text: 'empty', writes: 0 })
      assert.equal(await client.propose('one'), 1)
      assert.deepEqual(await client.proposeMany(['two', 'three']), [2, 3])
      const { reason } = await failure('REJECTED', client.propose('much too long'))
      assert.equal(reason, 'a register holds at most 5 characters')
      assert.deepEqual(await client.query('read'), { text: 'three', writes: 3 })
      await assertEqualReplicas(cluster)
    })
  }
})

describe('durability', () => {
  for (const durability of ['flush-before-ack', 'acked-before-flush'] as const) {
    it(`${durability}: a given directory is kept, and the next start finds everything`, () =>
      withDirectory(async (path) => {
        const directory = join(path, 'deep', 'data')
        let before: string[] = []
        {
          await using cluster = await Cluster.start({ directory, durability })
          await using client = await cluster.client()
          const writes = Array.from({ length: 500 }, (_, index) => client.propose(kv.set(`k${index}`, index)))
          await Promise.all(writes)
          await cluster.converged()
          before = [...(await cluster.digests()).values()].map(({ sha256 }) => sha256)
        }
        assert.ok(existsSync(join(directory, 'cluster.json')))
        for (let start = 0; start < 2; start++) {
          await using cluster = await Cluster.start({ directory, durability })
          await using client = await cluster.client()
          assert.equal(await client.query(kv.count()), 500)
          assert.deepEqual(await client.query(kv.get('k499')), { key: 'k499', value: 499, version: 1 })
          await assertEqualReplicas(cluster)
        }
        assert.equal(before.length, 3)
      }))
  }

  it(
    'memory: nothing is written to any disk',
    leavingNothing(async () => {
      await using cluster = await Cluster.start(memory)
      await using client = await cluster.client()
      await client.propose(kv.set('a', 1))
      assert.equal(cluster.directory, undefined)
    }),
  )
})
