import assert from 'node:assert/strict'
import { test } from 'node:test'
import { variedAxes } from './axes.ts'
import { compareDepth, depthSentences, regions, winners } from './findings.ts'
import { pointOf } from './sweep.fixture.ts'

test('each budget has its winner, and only budgets that say something are named', () => {
  const small = pointOf({ window: 1 }, 100, 3)
  const large = pointOf({ window: 64 }, 1000, 15)
  const beaten = pointOf({ window: 128 }, 900, 16)
  const unknown = pointOf({ window: 256 }, 5000, null)
  assert.deepEqual(winners([large, beaten, unknown, small]), [
    { budgetMs: 2, point: undefined },
    { budgetMs: 5, point: small },
    { budgetMs: 20, point: large },
  ])
  assert.deepEqual(winners([unknown]), [{ budgetMs: 1000, point: undefined }])
})

test('depth is compared where everything else is equal', () => {
  const at = (maxInflightMessages: number, delayMs: number, ops: number, p99: number) =>
    pointOf({ maxInflightMessages, delayMs }, ops, p99)
  const points = [
    ...[at(1, 0, 100, 10), at(8, 0, 500, 11), at(64, 0, 105, 30)],
    ...[at(1, 5, 100, 20), at(64, 5, 250, 18)],
    ...[at(1, 10, 100, 20), at(64, 10, 200, 80)],
    ...[at(1, 20, 100, 20), at(64, 20, 101, 21)],
    at(64, 30, 100, 20),
  ]
  const comparisons = compareDepth(points, 'maxInflightMessages')
  assert.deepEqual(
    comparisons.map(({ opsRatio, p99Ratio, verdict }) => [opsRatio, p99Ratio, verdict]),
    [
      [1.05, 3, 'ruins'],
      [2.5, 0.9, 'helps'],
      [2, 4, 'costs'],
      [1.01, 1.05, 'neither'],
    ],
  )
  const places = variedAxes(points).filter(({ name }) => name === 'delayMs')
  assert.deepEqual(depthSentences(comparisons, places), [
    'From 1 to 64 messages in flight throughput rises by a fifth or more in 2 of 4 places, most at network delay 5 ms: × 2.5, with p99 × 0.9.',
    'In 1 it lengthens the tail by half or more for nothing, most at network delay 0 ms: p99 × 3, throughput × 1.05.',
  ])
})

test('neighbouring windows with the same limit are one region', () => {
  const busy = { client: 0.2, leader: 0.99, followers: 0.5, processors: 0.5 }
  const line = [
    { ...pointOf({ window: 8192 }, 500, 9), utilisation: busy },
    pointOf({ window: 1 }, 1, 1),
    pointOf({ window: 64 }, 64, 2),
    { ...pointOf({ window: 1024 }, 400, 4), utilisation: busy },
  ]
  assert.deepEqual(
    regions(line).map(({ kind, points }) => [kind, points.map(({ window }) => window)]),
    [
      ['window', [1, 64]],
      ['leader', [1024, 8192]],
    ],
  )
})
