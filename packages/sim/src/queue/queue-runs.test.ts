/** Whole runs with a queue: few here, many by `troupe sim --workload queue`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { planOf } from '../plan.ts'
import { runSeed } from '../run-seed.ts'

describe('seeds with a queue', () => {
  test('are clean, take everything in the end, and do the same twice', () => {
    const sums = { sends: 0, deliveries: 0, redeliveries: 0, acks: 0 }
    for (let seed = 1; seed <= 8; seed++) {
      const options = { seed, seconds: 2, workload: 'queue' } as const
      const { verdict, failure, reproduce, traceHash, coverage } = runSeed(options)
      assert.equal(verdict, 'pass', `${failure?.message}\n${reproduce}`)
      if (seed <= 3) assert.equal(runSeed(options).traceHash, traceHash)
      for (const what of Object.keys(sums) as (keyof typeof sums)[]) sums[what] += coverage[what] ?? 0
    }
    for (const [what, count] of Object.entries(sums)) assert.ok(count > 0, `no ${what}`)
  })

  test('say how to see them again', () => {
    const { reproduce } = runSeed({ seed: 1, seconds: 0.1, nodes: 1, workload: 'queue' })
    assert.equal(reproduce, 'pnpm troupe sim --seed 1 --nodes 1 --seconds 0.1 --workload queue --timeline')
  })

  test('are the same cluster as those without', () => {
    const { queue: _, workload, stateOnDisk: _disk, ...rest } = planOf({ seed: 5 })
    const { queue, workload: other, stateOnDisk, ...same } = planOf({ seed: 5, workload: 'queue' })
    assert.deepEqual(same, rest)
    assert.deepEqual(other, workload)
    assert.deepEqual([queue.isOn, stateOnDisk], [true, false])
  })
})
