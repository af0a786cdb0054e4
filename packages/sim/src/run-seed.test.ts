import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Coverage, noCoverage } from './coverage.ts'
import { faultKinds, planOf } from './plan.ts'
import { reproduceLine, runSeed } from './run-seed.ts'

const isFull = process.env.TROUPE_FULL !== undefined
const seedCount = isFull ? 2000 : 60
const seconds = isFull ? 30 : 10

/** Fails with what to type to see it again. */
function check({ verdict, failure, reproduce }: ReturnType<typeof runSeed>): void {
  assert.equal(verdict, 'pass', `${failure?.invariant}: ${failure?.message}\n${reproduce}`)
}

describe('seeds', () => {
  const coverage: Coverage = noCoverage()

  test(`${seedCount} of ${seconds} virtual seconds`, () => {
    for (let seed = 1; seed <= seedCount; seed++) {
      const result = runSeed({ seed, seconds })
      check(result)
      for (const name of Object.keys(coverage) as (keyof Coverage)[]) coverage[name] += result.coverage[name]
    }
  })

  test('reach the dangerous places', () => {
    // What a small number of seeds need not reach.
    const rare: readonly (keyof Coverage)[] = ['damageCrashes', 'framesCorrupted', 'undecidedHistories']
    for (const [name, count] of Object.entries(coverage)) {
      assert.ok(count > 0 || rare.includes(name as keyof Coverage), `${name} never happened`)
    }
  })

  test('the same seed does the same, line for line', () => {
    for (let seed = 101; seed <= 120; seed++) {
      const [first, second] = [1, 2].map(() => {
        const lines: string[] = []
        const result = runSeed({ seed, seconds: 1, trace: (line) => lines.push(line) })
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
    const all = { seed: 7, nodes: 5, seconds: 3, exceedBudget: true }
    assert.match(reproduceLine(all), /--nodes 5 --seconds 3 --exceed-budget --timeline$/)
  })
})
