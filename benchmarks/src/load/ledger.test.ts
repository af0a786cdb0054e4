import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Workload } from '../workload.ts'
import { keyCounts, keyCountsBuffer, Ledger, Positions, UNSURE } from './ledger.ts'

const keys = 10

test('counts acknowledged and unknown writes of each key', () => {
  const workload = new Workload({ machine: 'kv', keys, sizeBytes: 64, seed: 1 })
  const counts = keyCounts(keyCountsBuffer(keys))
  const ledger = new Ledger(workload, counts)
  ledger.acknowledge(3, undefined)
  ledger.acknowledgeMany(13, [undefined, undefined])
  ledger.lose(23, 1)
  assert.equal(ledger.acknowledged, 3)
  assert.equal(ledger.unknown, 1)
  assert.equal(counts.acknowledged[workload.keyAt(3)], 2)
  assert.equal(counts.acknowledged[workload.keyAt(14)], 1)
  assert.equal(counts.unknown[workload.keyAt(3)], 1)
})

test('counts are seen through the shared memory', () => {
  const buffer = keyCountsBuffer(keys)
  keyCounts(buffer).acknowledged[4] = 5
  keyCounts(buffer).unknown[9] = 7
  const { acknowledged, unknown } = keyCounts(buffer)
  assert.deepEqual([acknowledged[4], acknowledged[9], unknown[4], unknown[9]], [5, 0, 0, 7])
})

test('positions given out twice are found', () => {
  const positions = new Positions()
  for (const position of [0, 1, 2, 2, 31, 32, 31]) positions.add(position)
  assert.deepEqual(positions.findings(33), { repeated: 2, beyond: 0, reordered: 0 })
})

test('positions behind the end are found, far ones too', () => {
  const positions = new Positions()
  for (const position of [0, 9, 10, 11, 5_000_000]) positions.add(position)
  assert.deepEqual(positions.findings(10), { repeated: 0, beyond: 3, reordered: 0 })
})

test('positions that are not in the order of the proposals are counted', () => {
  const inOrder = new Positions()
  for (const [sequence, position] of [
    [0, 0],
    [1, 5],
    [7, 6],
  ] as const)
    inOrder.addInOrder(sequence, position)
  assert.equal(inOrder.findings(10).reordered, 0)
  const swapped = new Positions()
  for (const [sequence, position] of [
    [0, 0],
    [1, 2],
    [2, 1],
    [3, 3],
  ] as const)
    swapped.addInOrder(sequence, position)
  assert.equal(swapped.findings(10).reordered, 1)
})

test('it knows the last write of a key, unless its place among the others is not known', () => {
  const workload = new Workload({ machine: 'kv', keys, sizeBytes: 64, seed: 1 })
  const counts = keyCounts(keyCountsBuffer(keys))
  const ledger = new Ledger(workload, counts)
  const last = (sequence: number): number | undefined => counts.last[workload.keyAt(sequence)]
  ledger.acknowledge(4, undefined)
  ledger.acknowledge(14, undefined)
  assert.equal(last(4), 15)
  assert.equal(last(5), 0)
  ledger.acknowledgeRetried(4, [undefined])
  ledger.acknowledge(24, undefined)
  assert.equal(last(4), UNSURE)
  ledger.lose(5, 1)
  assert.equal(last(5), UNSURE)
  assert.equal(ledger.floorOf(34), 4)
})
