import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge } from '../judge.ts'
import { runScenarioSeed } from '../sim/sim-worker.ts'
import { boundsOf } from './bounds.ts'
import { parseText } from './document.ts'
import { onEngine } from './knobs.ts'
import { casesOf } from './read-scenario.ts'

async function read(assertions: string, phase = 'wait: 50ms') {
  const text = `name: a\nengine: [sim, threads]\nworkload: { clients: 1 }\nphases: [{ ${phase} }]\nassert:\n${assertions}`
  const [item] = await casesOf(parseText('a.yaml', text), { sources: [] })
  assert.ok(item !== undefined)
  return item
}

describe('bounds of the checks', () => {
  test('stand in the assertions, also in those of one engine', async () => {
    const { scenario } = await read(
      '  - linearizable: { budget: 30s, steps: 1000 }\n' +
        '  - only: { engines: [threads], assert: [{ liveness: { convergeWithin: 10s, freshWrites: 10 } }] }\n',
    )
    const given = { budget: 30_000, steps: 1000 }
    assert.deepEqual(boundsOf(onEngine(scenario, 'sim')), { linearizable: given, liveness: {} })
    assert.deepEqual(boundsOf(onEngine(scenario, 'threads')), {
      linearizable: given,
      liveness: { convergeWithin: 10_000, freshWrites: 10 },
    })
  })

  test('a history that is not decided within its steps is unknown, or what the file says', async () => {
    const verdictWith = async (spec: string): Promise<string> => {
      const item = await read(`  - linearizable: ${spec}\n`)
      return judge(item, [runScenarioSeed(item.scenario, 1)]).verdict
    }
    assert.equal(await verdictWith('true'), 'pass')
    assert.equal(await verdictWith('{ steps: 1 }'), 'unknown')
    assert.equal(await verdictWith('{ steps: 1, onTimeout: fail }'), 'fail')
  })

  test('a cluster that takes longer to find together fails, and so many answers are waited for', async () => {
    const late = await read('  - liveness: { convergeWithin: 50ms }\n', 'kill: { target: all, downFor: 10s }')
    const lateRun = runScenarioSeed(late.scenario, 1)
    assert.equal(lateRun.failure?.invariant, 'liveness')
    const { asserted } = judge(late, [lateRun])
    assert.ok(asserted.some(({ name, verdict }) => name === 'liveness' && verdict === 'fail'))
    const [plain, many] = await Promise.all(
      ['{}', '{ freshWrites: 7, freshReads: 3 }'].map(async (spec) => {
        const { scenario } = await read(`  - liveness: ${spec}\n`)
        return runScenarioSeed(scenario, 1)
      }),
    )
    const after = (name: 'writesAfter' | 'readsAfter'): number =>
      (many?.figures[name]?.[0] ?? 0) - (plain?.figures[name]?.[0] ?? 0)
    assert.equal(after('writesAfter'), 6)
    assert.equal(after('readsAfter'), 4, 'of two consistencies')
  })
})
