import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultKinds, planOf } from './plan.ts'
import { reproduceLine, runSeed } from './run-seed.ts'

// Many seeds, each run twice, are test/sim-cli.test.ts: it has all cores.
describe('seeds', () => {
  test('the same seed does the same, line for line', () => {
    for (let seed = 101; seed <= 120; seed++) {
      const [first, second] = [1, 2].map(() => {
        const lines: string[] = []
        const result = runSeed({ seed, seconds: 1, trace: (line) => lines.push(line) })
        assert.equal(result.verdict, 'pass', `${result.failure?.message}\n${result.reproduce}`)
        return { lines, hash: result.traceHash, events: result.events }
      })
      assert.deepEqual(second, first)
    }
  })

  test('whoever listens changes nothing', () => {
    const silent = runSeed({ seed: 7, seconds: 2 })
    const told = runSeed({ seed: 7, seconds: 2, trace: () => {} })
    assert.equal(told.traceHash, silent.traceHash)
  })
})

describe('on a calm day', () => {
  test('the first leader stays, whatever the knobs are, and nothing is dropped', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { verdict, failure, reproduce, coverage } = runSeed({ seed, seconds: 3, calm: true })
      assert.equal(verdict, 'pass', `${failure?.message}\n${reproduce}`)
      assert.equal(coverage.faults, 0)
    }
  })
})

describe('a plan', () => {
  test('follows from its seed alone', () => {
    for (let seed = 0; seed < 50; seed++) assert.deepEqual(planOf({ seed }), planOf({ seed }))
    assert.notDeepEqual(planOf({ seed: 1 }), planOf({ seed: 2 }))
  })

  test('over many seeds has every fault, on and off, and every size', () => {
    const plans = Array.from({ length: 300 }, (_, seed) => planOf({ seed }))
    for (const kind of faultKinds) {
      assert.ok(plans.some(({ rates }) => rates[kind] > 0) && plans.some(({ rates }) => rates[kind] === 0))
    }
    assert.deepEqual([...new Set(plans.map(({ voters }) => voters))].sort(), [1, 2, 3, 4, 5, 6, 7])
  })

  test('with leases has no clock that jumps', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { knobs, rates } = planOf({ seed })
      assert.ok(!knobs.leaseReads || rates.jump === 0)
    }
  })

  test('says how to see a run again', () => {
    assert.equal(reproduceLine({ seed: 7 }), 'pnpm troupe sim --seed 7 --timeline')
    const all = { seed: 7, nodes: 5, seconds: 3, exceedBudget: true, calm: true }
    assert.match(reproduceLine(all), /--nodes 5 --seconds 3 --exceed-budget --calm --timeline$/)
  })
})
