/** Stages of commands on a real cluster, in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Client, Cluster, type ClusterOptions } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import type { Joined } from './join.ts'
import { startStages, takeSamples } from './measure.ts'
import { stageNames } from './stage.ts'
import { summarizeStages } from './summary.ts'

const memory = { nodes: 3, durability: 'memory' } as const

/** Samples of what `work` has the client do, once it has a session. */
async function sampled(options: ClusterOptions, work: (client: Client) => Promise<void>): Promise<Joined> {
  await using cluster = await Cluster.start({ ...memory, ...options })
  await using client = await cluster.client()
  await client.propose(kv.set('first', 0))
  await startStages(cluster, client)
  await work(client)
  // Awaited: the cluster ends with this block.
  return await takeSamples(cluster, client)
}

async function oneByOne(client: Client, count: number): Promise<void> {
  for (let done = 0; done < count; done++) await client.propose(kv.set('key', done))
}

/** The stage with the greatest median: a share of the whole would be that of one command that a busy machine held up. */
function longest(joined: Joined): { readonly stage: string; readonly p50Ms: number } {
  const { stages } = summarizeStages(joined) ?? { stages: [] }
  const [first] = stages.toSorted((left, right) => right.p50Ms - left.p50Ms)
  assert.ok(first !== undefined, 'there are samples')
  return first
}

test('each stage ends after it began, and they sum up to the latency of the command', async () => {
  let latencyMs = 0
  const { samples, leftOut } = await sampled({}, async (client) => {
    for (let done = 0; done < 50; done++) {
      const startMs = performance.now()
      await client.propose(kv.set('key', done))
      latencyMs += performance.now() - startMs
    }
  })
  // The first one may have no turn or flush before it to tell its own by.
  assert.ok(samples.length >= 45 && samples.length + leftOut === 50, `${samples.length} and ${leftOut}`)
  for (const { times, totalMs, nodes, commandCount } of samples) {
    const values = stageNames.map((stage) => times[stage])
    assert.ok(values.every((ms) => ms >= 0))
    assert.ok(Math.abs(values.reduce((sum, ms) => sum + ms, 0) - totalMs) < 1e-6)
    assert.equal(commandCount, 1)
    assert.ok(nodes.length >= 2 && nodes.some(({ isLeader }) => isLeader))
  }
  const totalMs = samples.reduce((sum, sample) => sum + sample.totalMs, 0)
  assert.ok(totalMs <= latencyMs, `${totalMs} of ${latencyMs} ms`)
})

test('frames of many commands, many at a time: their entries are found', async () => {
  const { samples, leftOut } = await sampled({}, async (client) => {
    const caller = async (): Promise<void> => {
      for (let done = 0; done < 20; done++) await client.propose(kv.set('key', done))
    }
    await Promise.all(Array.from({ length: 3000 }, caller))
  })
  assert.ok(samples.length > 0 && samples.length > leftOut)
  const commands = samples.reduce((sum, { commandCount }) => sum + commandCount, 0)
  assert.ok(commands > 30_000, `${commands} of 60,000`)
  const { stages } = summarizeStages({ samples, leftOut }) ?? { stages: [] }
  const shares = stages.reduce((sum, { share }) => sum + share, 0)
  assert.ok(Math.abs(shares - 1) < 0.01)
})

test('a busy state machine shows where it is applied', async () => {
  const machine = new URL('slow-machine.fixture.ts', import.meta.url)
  // One node alone: followers that apply the command before hold up the flush of the next.
  const options = { nodes: 1, machine, machineOptions: { busyMs: 20 } }
  const joined = await sampled(options, (client) => oneByOne(client, 15))
  const { stage, p50Ms } = longest(joined)
  assert.equal(stage, 'applied')
  assert.ok(p50Ms >= 20)
})

test('lingering shows where frames wait for their entry', async () => {
  const joined = await sampled({ batching: { lingerMs: 40 } }, (client) => oneByOne(client, 10))
  const { stage, p50Ms } = longest(joined)
  assert.equal(stage, 'waiting')
  assert.ok(p50Ms > 30 && p50Ms < 41 * 10)
})

test('nothing is written down that nobody has asked for', async () => {
  await using cluster = await Cluster.start(memory)
  await using client = await cluster.client()
  await oneByOne(client, 3)
  assert.deepEqual(await takeSamples(cluster, client), { samples: [], leftOut: 0 })
  assert.equal((await cluster.instruments.takeTraces()).size, 0)
})
