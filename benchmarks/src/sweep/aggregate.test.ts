import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aggregate, byCondition, finalists, frontPoints, isWide } from './aggregate.ts'
import { pointOf, runOf, settingsOf } from './sweep.fixture.ts'

test('a point has the medians of its runs, and tells how far these are apart', () => {
  const point = aggregate(settingsOf(), [
    runOf(100, 8),
    runOf(300, 2, { entriesPerFlush: 7, elections: 1 }),
    runOf(200, 4, { entriesPerFlush: 5 }),
  ])
  assert.deepEqual([point.runs, point.opsPerSecond, point.p99Ms, point.p50Ms], [3, 200, 4, 2])
  assert.deepEqual([point.opsSpread, point.p99Spread], [1, 1.5])
  assert.equal(point.rates.entriesPerFlush, 5, 'of the median run')
  assert.equal(point.elections, 1)
  assert.ok(isWide(point))
  assert.ok(!isWide(aggregate(settingsOf(), [runOf(100, 8), runOf(110, 9)])))
})

test('a single run has no spread, and too few samples no p99', () => {
  const point = aggregate(settingsOf(), [runOf(100, null)])
  assert.deepEqual([point.opsSpread, point.p99Spread, point.p99Ms], [null, null, null])
})

test('points compete only under equal conditions', () => {
  const near = [pointOf({ window: 1 }, 10, 1), pointOf({ window: 64 }, 100, 2)]
  const far = [pointOf({ window: 1, delayMs: 5 }, 5, 10), pointOf({ window: 64, delayMs: 5 }, 4, 11)]
  const groups = byCondition([...near, ...far])
  assert.deepEqual(groups, [near, far])
  assert.deepEqual(groups.map(frontPoints), [near, far.slice(0, 1)])
})

test('finalists are on the front or near it, and lack runs', () => {
  const front = pointOf({ window: 1 }, 100, 10)
  const near = pointOf({ window: 2 }, 95, 10.5)
  const beaten = pointOf({ window: 4 }, 80, 20)
  const unknown = pointOf({ window: 8 }, 500, null)
  const done = pointOf({ window: 16 }, 120, 12, 3)
  const elsewhere = pointOf({ window: 1, flushMs: 4 }, 1, 100)
  assert.deepEqual(finalists([front, near, beaten, unknown, done, elsewhere], 3), [front, near, elsewhere])
  assert.deepEqual(finalists([done], 3), [])
})
