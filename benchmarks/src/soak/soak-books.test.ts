import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PositionFindings } from '../load/ledger.ts'
import type { Books } from '../verify.ts'
import type { WorkloadSpec } from '../workload.ts'
import { SoakBooks } from './soak-books.ts'

const workload: WorkloadSpec = { machine: 'kv', keys: 3, sizeBytes: 64, seed: 1 }

/** A load that has ended with these counts of each key. */
function load(acknowledged: number[], unknown: number[], found: PositionFindings): Books {
  const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0)
  return {
    workload,
    counts: {
      acknowledged: Uint32Array.from(acknowledged),
      unknown: Uint32Array.from(unknown),
      last: new Uint32Array(acknowledged.length),
    },
    totals: async () => ({ acknowledged: sum(acknowledged), unknown: sum(unknown) }),
    positions: async () => found,
  }
}

test('what earlier loads came to is counted on', async () => {
  const books = new SoakBooks(workload)
  await books.add(load([5, 0, 2], [0, 1, 0], { repeated: 1, beyond: 0, reordered: 0 }))
  assert.deepEqual(await books.positions(9), { repeated: 1, beyond: 0, reordered: 0 })
  books.release()
  await books.add(load([1, 1, 1], [0, 0, 4], { repeated: 0, beyond: 2, reordered: 0 }))
  assert.deepEqual(await books.totals(), { acknowledged: 10, unknown: 5 })
  assert.deepEqual([...books.counts.acknowledged], [6, 1, 3])
  assert.deepEqual([...books.counts.unknown], [0, 1, 4])
  assert.deepEqual(await books.positions(9), { repeated: 1, beyond: 2, reordered: 0 })
})

test('a load that is closed is not asked again', async () => {
  const books = new SoakBooks(workload)
  let asked = 0
  const positions = async () => ({ repeated: ++asked, beyond: 0, reordered: 0 })
  await books.add({ ...load([0, 0, 0], [0, 0, 0], { repeated: 0, beyond: 0, reordered: 0 }), positions })
  await books.positions(1)
  books.release()
  assert.deepEqual(await books.positions(1), { repeated: 1, beyond: 0, reordered: 0 })
  assert.equal(asked, 1)
})
