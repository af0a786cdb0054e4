import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseText } from './document.ts'
import { ScenarioError } from './problems.ts'
import { casesOf } from './read-scenario.ts'

/** What is wrong with the rest of a file: path, and what is expected there. */
async function wrong(rest: string): Promise<string[]> {
  const text = rest.includes('phases:') ? rest : `${rest}\nphases: [{ wait: 1s }]`
  try {
    await casesOf(parseText('a.yaml', `name: a\n${text}\n`), { sources: [] })
    return []
  } catch (error) {
    assert.ok(error instanceof ScenarioError, String(error))
    return error.problems.map(({ path, expected }) => `${path.join('.')}: ${expected}`)
  }
}

async function isRefused(rest: string, ...expected: readonly RegExp[]): Promise<void> {
  const problems = await wrong(rest)
  assert.equal(problems.length, expected.length, `${rest}: ${problems.join('; ')}`)
  for (const [at, one] of expected.entries()) assert.match(problems[at] as string, one)
}

describe('what no engine of a file would read', () => {
  test('is refused: options of engines that it does not name', async () => {
    await isRefused('engine: [tcp]\nseeds: { runs: 3 }', /^seeds: seeds under overrides/)
    await isRefused('engine: [threads, tcp]\nsim: { exceedBudget: true }', /^sim: engine: sim with it/)
    await isRefused(
      'engine: [tcp]\nproof: { broken: { sim: { exceedBudget: true } } }',
      /^proof\.broken\.sim: engine: sim with it/,
    )
    await isRefused('overrides: { tcp: { seeds: { runs: 2 } } }', /^overrides\.tcp: engine: tcp with it/)
    assert.deepEqual(await wrong('engine: [sim, tcp]\nseeds: { runs: 3 }\nsim: { exceedBudget: true }'), [])
    assert.deepEqual(await wrong('engine: [mine]\nseeds: { runs: 3 }\nsim: { exceedBudget: true }'), [])
  })

  test('is refused: assertions for other engines, the time of a search that has none', async () => {
    await isRefused(
      'engine: [sim, threads]\nassert: [{ only: { engines: [thread], assert: [{ sometimes: [split vote] }] } }]',
      /^assert\.0\.only\.engines\.0: one of the file's engines: sim, threads/,
    )
    const budget = 'assert: [{ linearizable: { budget: 10s } }]'
    await isRefused(budget, /^assert\.0\.linearizable\.budget: steps/)
    assert.deepEqual(await wrong(`engine: [sim, tcp]\n${budget}`), [])
    const step = 'phases: [{ wipe: { target: n1, mayBeRefused: true } }]'
    await isRefused(step, /^phases\.0\.wipe\.mayBeRefused: engine: threads or tcp/)
    assert.deepEqual(await wrong(`engine: [sim, threads]\n${step}`), [])
  })
})

describe('what clients do not do', () => {
  test('is refused where they use a queue: what they draw, a state on the disk, reads of keys', async () => {
    const queue = 'workload: { kind: queue, '
    await isRefused(`${queue}mix: { read: 1, write: 0 } }`, /^workload\.mix: workload\.kind: kv with it/)
    await isRefused(`${queue}consistencies: [stale] }`, /^workload\.consistencies: workload\.kind: kv/)
    await isRefused(
      `${queue}keys: 2 }\ncluster: { stateOnDisk: true }`,
      /^cluster\.stateOnDisk: workload\.kind: kv with it: the machine of a queue keeps its state in memory/,
    )
    await isRefused(`${queue}clients: 2 }\nassert: [{ linearizable: true }]`, /linearizable: .*books/)
    await isRefused(
      `${queue}clients: 2 }\nassert: [{ liveness: { convergeWithin: 9s, freshReads: 2 } }]`,
      /^assert\.0\.liveness\.freshReads: .*emptied/,
    )
    await isRefused(
      `${queue}clients: 2 }\nassert: [{ figures: { acknowledgedLost: { max: 0 } } }]`,
      /^assert\.0\.figures\.acknowledgedLost: workload\.kind: kv/,
    )
    assert.deepEqual(await wrong(`${queue}keys: 2, think: 5ms }\ncluster: { stateOnDisk: false }`), [])
  })

  test('is refused where they use a kv: options and figures of a queue', async () => {
    await isRefused('workload: { queue: { prefetch: 2 } }', /^workload\.queue: workload\.kind: queue with it/)
    await isRefused(
      'assert: [{ figures: { redeliveries: { max: 0 } } }]',
      /^assert\.0\.figures\.redeliveries: workload\.kind: queue/,
    )
    await isRefused('phases: [{ statusCheck: { figure: acks, max: 1 } }]', /statusCheck\.figure: workload/)
  })

  test('stands where it is written: on one engine, or in what breaks the case', async () => {
    const queue = 'engine: [sim, threads]\nworkload: { kind: queue }\n'
    await isRefused(
      `${queue}overrides: { threads: { cluster: { stateOnDisk: true } } }`,
      /^overrides\.threads\.cluster\.stateOnDisk: /,
    )
    await isRefused(
      `${queue}proof: { broken: { workload: { mix: { read: 1, write: 0 } } } }`,
      /^proof\.broken\.workload\.mix: /,
    )
    await isRefused(
      'engine: [sim, threads]\ncluster: { stateOnDisk: true }\noverrides: { threads: { workload: { kind: queue } } }',
      /^cluster\.stateOnDisk: /,
    )
  })
})

describe('what cannot be looked at on the way', () => {
  test('is refused: figures that are known when all is over, and a node that does not answer a read', async () => {
    const check = (figure: string) => `phases: [{ statusCheck: { figure: ${figure}, max: 1 } }]`
    for (const figure of ['longestGapMs', 'electionsAfter', 'healToLeaderMs', 'leadershipsPerNode'])
      await isRefused(check(figure), /^phases\.0\.statusCheck\.figure: one that is known while/)
    assert.deepEqual(await wrong(check('failureRateDuring')), [])
    const read = (more: string) => `phases: [{ read: { node: n1${more} } }]`
    await isRefused(read(''), /^phases\.0\.read\.node: consistency: follower or stale/)
    await isRefused(read(', consistency: lease'), /^phases\.0\.read\.node: /)
    assert.deepEqual(await wrong(read(', consistency: stale')), [])
  })
})
