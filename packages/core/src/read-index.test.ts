import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadIndex } from './read-index.ts'
import type { ReadGrant } from './ready.ts'

const confirmed = (reads: ReadIndex, round: number): ReadGrant[] => {
  const granted: ReadGrant[] = []
  reads.confirm(round, granted)
  return granted
}

test('all reads of a drain share one round', () => {
  const reads = new ReadIndex()
  reads.add(1)
  reads.add(2)
  assert.equal(reads.hasWaiting, true)
  reads.begin(7)
  assert.equal(reads.hasWaiting, false)
  assert.deepEqual(confirmed(reads, reads.round), [
    { id: 1, index: 7 },
    { id: 2, index: 7 },
  ])
})

test('an answer to an earlier round proves nothing for a later read', () => {
  const reads = new ReadIndex()
  reads.add(1)
  reads.begin(7)
  const first = reads.round
  reads.add(2)
  assert.deepEqual(confirmed(reads, first), [{ id: 1, index: 7 }])
  reads.begin(8)
  assert.ok(reads.round > first)
  assert.deepEqual(confirmed(reads, first), [])
  assert.deepEqual(confirmed(reads, reads.round), [{ id: 2, index: 8 }])
})

test('an answer to a later round confirms the earlier ones, each read once and at its own index', () => {
  const reads = new ReadIndex()
  reads.add(1)
  reads.begin(7)
  reads.add(2)
  reads.begin(9)
  assert.deepEqual(confirmed(reads, reads.round), [
    { id: 1, index: 7 },
    { id: 2, index: 9 },
  ])
  assert.deepEqual(confirmed(reads, reads.round), [])
})

test('whoever gives up names every read that was not granted', () => {
  const reads = new ReadIndex()
  reads.add(1)
  reads.begin(7)
  reads.add(2)
  assert.deepEqual(reads.clear(), [1, 2])
  assert.deepEqual(reads.clear(), [])
  assert.deepEqual(confirmed(reads, 9), [])
})
