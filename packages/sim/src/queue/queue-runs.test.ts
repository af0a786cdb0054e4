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

  test('are the same cluster as those without, but for the pieces of frequent snapshots', () => {
    let others = 0
    for (let seed = 1; seed <= 60; seed++) {
      const plain = planOf({ seed })
      const { queue, stateOnDisk, knobs, ...same } = planOf({ seed, workload: 'queue' })
      const { snapshotChunkBytes } = plain.knobs
      assert.deepEqual([queue.isOn, stateOnDisk], [true, false])
      const { queue: _, stateOnDisk: _disk, knobs: _knobs, ...rest } = plain
      assert.deepEqual(same, rest)
      assert.deepEqual({ ...knobs, snapshotChunkBytes }, plain.knobs)
      if (knobs.snapshotChunkBytes !== snapshotChunkBytes) others++
    }
    // Most seeds that are written down stay what they were.
    assert.ok(others > 0 && others < 30, `${others} of 60`)
  })

  test('take no snapshot every few entries in pieces of some bytes: no follower would come out of them', () => {
    for (const seed of [112, 175]) {
      const { snapshotEntries, snapshotChunkBytes } = planOf({ seed, workload: 'queue' }).knobs
      assert.ok(snapshotEntries > 0 && snapshotEntries <= 20)
      assert.ok(snapshotChunkBytes >= 4096 && snapshotChunkBytes <= 16_384)
    }
  })
})
