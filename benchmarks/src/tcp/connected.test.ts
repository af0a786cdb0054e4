/** Sweeps on nodes that are processes, and sweeps and comparisons of a cluster that runs already. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { kv } from '@troupe/machines'
import type { Bench } from '../bench.ts'
import { compareCommandOf } from '../compare/compare.ts'
import { troupeConnected } from '../compare/troupe-contestant.ts'
import { written } from '../in-process.fixture.ts'
import { sweepCommand } from '../sweep/sweep.ts'
import { ProcessCluster } from './process-cluster.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-connected-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const small = { keys: 100, seed: 3, seconds: 0.2, 'warmup-seconds': 0.05, repeat: 1 }

const skip = process.env['TROUPE_FULL'] === '1' ? false : 'with --full'

test('a sweep starts processes, slows their flushes down and looks into them', { skip }, async () => {
  const axes = { nodes: [1], window: [4], 'flush-ms': [0, 3] }
  const results = join(scratch, 'tcp.jsonl')
  const { code, document, stdout } = await written(sweepCommand, {
    ...{ ...small, ...axes, results, engine: 'tcp', explain: true },
    'stage-seconds': 0.2,
  })
  assert.equal(code, 0, stdout)
  assert.match(stdout, /2 points, throughput against p99, processes over TCP/)
  const [plain, slow] = document.runs
  assert.ok(slow.p50Ms >= 3, 'each flush takes longer')
  for (const { conditions, utilisation, stagesMs, checked } of [plain, slow]) {
    assert.deepEqual([conditions.engine, conditions.tls, checked], ['tcp', false, 'pass'])
    assert.ok(utilisation.leader > 0 && utilisation.processors > 0)
    assert.ok(stagesMs.flushed > 0)
  }
})

test('a cluster that runs already is swept and compared by what its client sets, and left as it was', async () => {
  const options = { nodes: 1, machine: 'kv', seed: 5 } as const
  const cluster = await ProcessCluster.start({ directory: join(scratch, 'nodes'), options, tls: false })
  try {
    await using client = await cluster.client({ timeoutMs: 60_000 })
    await client.propose(kv.set('k0', 'of somebody else'))
    const connect = cluster.seeds.join(',')
    const results = join(scratch, 'connected.jsonl')
    const swept = await written(sweepCommand, { ...small, window: [2, 4], connect, results })
    assert.equal(swept.code, 0, swept.stdout)
    for (const { conditions, nodes, maxBatchBytes, utilisation, stagesMs, checked } of swept.document.runs) {
      assert.deepEqual([conditions.engine, nodes, maxBatchBytes, checked], ['connected', 1, null, 'pass'])
      assert.ok(utilisation.leader > 0)
      assert.deepEqual([utilisation.processors, stagesMs], [null, undefined])
    }
    const command = compareCommandOf(() => [
      troupeConnected({ engine: 'threads', durability: 'flush-before-ack', connect }),
    ])
    const { code, document, stdout } = await written(command, { ...small, window: [2], connect })
    assert.equal(code, 0, stdout)
    const [{ commands, lost, duplicated }] = document.runs
    assert.ok(commands > 0)
    assert.deepEqual([lost, duplicated], [0, 0])
    assert.equal(await client.query(kv.count()), 1, 'what they wrote is gone again')
  } finally {
    await cluster.stop()
  }
})

test('another durability than that of the others is not compared', async () => {
  const status = async () => ({ nodes: [{ running: true, id: 'n1', durability: 'acked-before-flush' }] })
  const bench = { env: {}, connect: async () => ({ status }), or: (work: Promise<unknown>) => work }
  const { start } = troupeConnected({ engine: 'threads', durability: 'flush-before-ack', connect: 'h:1' })
  const workload = { machine: 'kv', keys: 1, sizeBytes: 64, seed: 1 } as const
  await assert.rejects(
    start(bench as unknown as Bench, { workload, windows: [1] }),
    /expected nodes with flush-before-ack: n1 has acked-before-flush/,
  )
})
