/** Steps that no other test plays: each once, in the simulator, by what came of it there. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CaseRun } from '../engine.ts'
import type { RunEvent } from '../events/run-event.ts'
import { parseText } from '../scenario/document.ts'
import { casesOf } from '../scenario/read-scenario.ts'
import { runScenarioSeed } from '../sim/sim-worker.ts'

type Fault = Extract<RunEvent, { readonly kind: 'fault' }>

/** One run, with the faults that were applied in it. */
async function played(phases: string, more = ''): Promise<{ run: CaseRun; faults: Fault[] }> {
  const text = `name: a\nworkload: { clients: 2 }\n${more}phases:\n${phases}`
  const [item] = await casesOf(parseText('a.yaml', text), { sources: [] })
  assert.ok(item !== undefined)
  const faults: Fault[] = []
  const identity = { case: 'a', file: 'a.yaml', engine: 'sim', seed: 1, nodes: [], clients: [] }
  const tell = (event: RunEvent): void => {
    if (event.kind === 'fault') faults.push(event)
  }
  const run = runScenarioSeed(item.scenario, 1, 0, { tell, identity })
  assert.notEqual(run.verdict, 'fail', run.failure?.message ?? '')
  return { run, faults }
}

const timesOf = (faults: readonly Fault[], what: string, edge: 'begin' | 'end' | 'once' = 'once'): number[] =>
  faults
    .filter((fault) => fault.what.startsWith(what) && (fault.edge ?? 'once') === edge)
    .map(({ atMs }) => Math.round(atMs))

describe('a status check', () => {
  test('that does not hold gives the run up: unknown, with the figure and its bound', async () => {
    const below = await played('  - wait: 50ms\n  - statusCheck: { figure: crashes, min: 1 }\n')
    assert.equal(below.run.verdict, 'unknown')
    assert.match(below.run.reason ?? '', /^crashes is 0, below 1$/)
    const phases = [
      '  - kill: { target: follower, downFor: 50ms }',
      '  - statusCheck: { figure: crashes, max: 0 }',
      '  - kill: { target: follower, downFor: 50ms }',
    ]
    const above = await played(`${phases.join('\n')}\n`)
    assert.equal(above.run.verdict, 'unknown')
    assert.match(above.run.reason ?? '', /^crashes is 1, above 0$/)
    assert.equal(timesOf(above.faults, 'crash').length, 1, 'nothing is done behind it')
  })

  test('that holds is nothing', async () => {
    const { run } = await played('  - wait: 50ms\n  - statusCheck: { figure: crashes, max: 0 }\n')
    assert.equal(run.verdict, 'pass', run.reason ?? '')
  })
})

describe('steps in virtual time', () => {
  test('schedule does each at its time, in whatever order they are written', async () => {
    const { faults } = await played(
      '  - schedule:\n' +
        '      - { at: 300ms, do: [{ kill: { target: n1, downFor: 20ms } }] }\n' +
        '      - { at: 100ms, do: [{ pause: { target: n2, for: 50ms } }] }\n',
    )
    const [paused = 0] = timesOf(faults, 'pause', 'begin')
    const [killed = 0] = timesOf(faults, 'crash')
    assert.equal(killed - paused, 200)
  })

  test('warmup waits for so many more writes, however many there were', async () => {
    const { faults, run } = await played(
      '  - warmup: { writes: 30, within: 10s }\n' +
        '  - pause: { target: n1, for: 1ms }\n' +
        '  - warmup: { writes: 20, within: 10s }\n' +
        '  - pause: { target: n1, for: 1ms }\n',
    )
    const [first = 0, second = 0] = timesOf(faults, 'pause', 'begin')
    assert.ok(second - first >= 10, `${second - first} ms`)
    assert.equal(run.verdict, 'pass', run.reason ?? '')
  })

  test('swizzle jams one node after the other until all are, and releases them one by one', async () => {
    const { faults, run } = await played('  - swizzle: { target: all, interval: 40ms }\n')
    const begins = timesOf(faults, 'jam', 'begin')
    const ends = timesOf(faults, 'jam', 'end').sort((left, right) => left - right)
    assert.equal(begins.length, 3)
    assert.deepEqual(
      [...begins, ...ends].map((atMs) => atMs - (begins[0] ?? 0)),
      [0, 40, 80, 120, 160, 200],
    )
    assert.equal(run.verdict, 'pass', run.reason ?? '')
  })

  test('bounce, storm and attrition kill, and whoever died is back', async () => {
    const bounced = await played('  - bounce: { target: leader }\n  - wait: 400ms\n')
    assert.deepEqual([bounced.run.figures.crashes, bounced.run.verdict], [[1], 'pass'])
    const storm = '  - restartStorm: { interval: 30ms, downFor: 20ms, for: 600ms }\n  - wait: 300ms\n'
    const stormed = await played(storm)
    assert.ok((stormed.run.figures.crashes?.[0] ?? 0) >= 5)
    assert.equal(stormed.run.verdict, 'pass')
    const attrition = '  - attrition: { kill: 40, leave: 2, interval: 10ms, downFor: 1s }\n  - wait: 100ms\n'
    const worn = await played(attrition, 'cluster: { voters: 5 }\n')
    assert.deepEqual(worn.run.figures.crashes, [3], 'two are left: the others are not killed')
    assert.equal(worn.run.skipped, 37)
  })

  test('a clock that strobes jumps there and back', async () => {
    const { faults } = await played(
      '  - clock: { target: n1, mode: strobe, by: 200ms, every: 50ms, for: 220ms }\n',
    )
    const jumps = faults.filter(({ what }) => what.startsWith('jump')).map(({ what }) => what)
    assert.deepEqual(jumps.slice(0, 4), [
      'jump n1 by 200.0 ms',
      'jump n1 by -200.0 ms',
      'jump n1 by 200.0 ms',
      'jump n1 by -200.0 ms',
    ])
  })

  test('loss in bursts, and with a correlation, loses frames and nothing else', async () => {
    const burst = await played(
      '  - network: { burst: { toBad: 5%, toGood: 20%, lossInBad: 90%, lossInGood: 0% }, for: 600ms }\n',
    )
    assert.ok((burst.run.figures.framesLost?.[0] ?? 0) >= 10)
    const correlated = await played(
      '  - network: { loss: { percent: 20%, correlation: 75% }, delay: { time: 2ms, jitter: 4ms, correlation: 50% }, for: 600ms }\n',
    )
    assert.ok((correlated.run.figures.framesLost?.[0] ?? 0) >= 10)
    for (const { run } of [burst, correlated]) assert.equal(run.verdict, 'pass', run.reason ?? '')
  })

  test('a third at most is cut off by minority-third', async () => {
    const { faults, run } = await played(
      '  - partition: { split: minority-third, for: 200ms }\n',
      'cluster: { voters: 7 }\n',
    )
    const [cut] = faults.filter(({ what, edge }) => what.startsWith('cut') && edge === 'begin')
    const links = (cut?.what.split(' ') ?? []).filter((word) => word.includes('>'))
    const peers = Map.groupBy(links, (link) => link.split('>')[0] ?? '')
    // Who is isolated is cut off from all that are not: from more than half of the others.
    const isolated = [...peers].filter(([, cuts]) => cuts.length > 3).map(([node]) => node)
    assert.ok(isolated.length === 1 || isolated.length === 2, isolated.join())
    assert.equal(run.verdict, 'pass', run.reason ?? '')
  })

  test('what its budget does not allow is counted as refused, and the run goes on to count', async () => {
    const { run } = await played(
      '  - term: { target: n1, becomes: 1000, downFor: 20ms }\n  - wait: 500ms\n  - term: { target: n1, becomes: 3, downFor: 20ms }\n',
    )
    assert.deepEqual([run.figures.refusedDeeds, run.figures.crashes, run.skipped], [[1], [1], 1])
    assert.equal(run.verdict, 'pass', run.reason ?? '')
  })

  test('so many of the nodes, or a share of them, are drawn anew each time, of whom it says', async () => {
    const kill = (target: string) => `  - kill: { target: ${target}, downFor: 20ms }\n  - wait: 900ms\n`
    const { faults } = await played(
      ['{ fixed: 2 }', '{ percent: 40%, of: followers }', '{ maxPercent: 20% }'].map(kill).join(''),
      'cluster: { voters: 7 }\n',
    )
    const killed = Map.groupBy(
      faults.filter(({ what }) => what.startsWith('crash')),
      ({ atMs }) => Math.round(atMs),
    )
    // 40 % of six followers are 2.4 of them.
    assert.deepEqual(
      [...killed.values()].map((all) => new Set(all.flatMap(({ nodes }) => nodes)).size),
      [2, 2, 1],
    )
  })
})
