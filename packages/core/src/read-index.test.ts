import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadIndex } from './read-index.ts'

type Grant = readonly [read: string, index: number]

const confirmed = (reads: ReadIndex<string>, round: number): Grant[] => {
  const granted: Grant[] = []
  reads.confirm(round, (read, index) => granted.push([read, index]))
  return granted
}

function readsOf(...names: string[]): ReadIndex<string> {
  const reads = new ReadIndex<string>()
  for (const name of names) reads.add(name)
  return reads
}

test('all reads of a drain share one round', () => {
  const reads = readsOf('x', 'y')
  assert.equal(reads.hasWaiting, true)
  reads.begin(3, 7)
  assert.equal(reads.hasWaiting, false)
  assert.deepEqual(confirmed(reads, 3), [
    ['x', 7],
    ['y', 7],
  ])
})

test('an answer to an earlier round proves nothing for a later read', () => {
  const reads = readsOf('x')
  reads.begin(3, 7)
  reads.add('y')
  assert.deepEqual(confirmed(reads, 2), [])
  assert.deepEqual(confirmed(reads, 3), [['x', 7]])
  reads.begin(5, 8)
  assert.deepEqual(confirmed(reads, 4), [])
  assert.deepEqual(confirmed(reads, 5), [['y', 8]])
})

test('an answer to a later round confirms the earlier ones, each read once and at its own index', () => {
  const reads = readsOf('x')
  reads.begin(3, 7)
  reads.add('y')
  reads.begin(4, 9)
  assert.deepEqual(confirmed(reads, 9), [
    ['x', 7],
    ['y', 9],
  ])
  assert.deepEqual(confirmed(reads, 9), [])
})

test('whoever gives up names every read that was not granted', () => {
  const reads = readsOf('x')
  reads.begin(3, 7)
  reads.add('y')
  assert.deepEqual(reads.clear(), ['x', 'y'])
  assert.deepEqual(reads.clear(), [])
  assert.deepEqual(confirmed(reads, 9), [])
})
