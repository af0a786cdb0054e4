import assert from 'node:assert/strict'
import { test } from 'node:test'
import { amount, axes, clusterKey, conditionKey, describe, keyWithout, pointsOf, variedAxes } from './axes.ts'
import { gridOf } from './sweep.fixture.ts'

const points = pointsOf(
  gridOf({ window: [64, 1, 64], maxInflightMessages: [8, 1], delayMs: [0, 5], sizeBytes: [16, 64] }),
)

test('every combination is a point, once', () => {
  assert.equal(points.length, 2 * 2 * 2 * 2)
  assert.equal(new Set(points.map((point) => keyWithout(point))).size, points.length)
  assert.ok(points.every(({ nodes, lingerMs }) => nodes === 3 && lingerMs === 0))
})

test('what one cluster serves stands in a row, and windows rise within it', () => {
  const clusters = points.map(clusterKey)
  const changes = clusters.filter((key, index) => index > 0 && key !== clusters[index - 1]).length
  assert.equal(changes, new Set(clusters).size - 1)
  assert.equal(new Set(clusters).size, 4)
  assert.deepEqual(
    points.slice(0, 4).map(({ delayMs, window }) => [delayMs, window]),
    [
      [0, 1],
      [0, 64],
      [5, 1],
      [5, 64],
    ],
  )
})

test('conditions are what points must share to compete', () => {
  assert.equal(new Set(points.map(conditionKey)).size, 4)
  assert.deepEqual(
    axes.filter(({ role }) => role === 'condition').map(({ name }) => name),
    ['nodes', 'sizeBytes', 'delayMs', 'flushMs'],
  )
})

test('points are told apart by the axes that vary', () => {
  const [first] = points
  assert.ok(first !== undefined)
  assert.equal(
    describe(first, variedAxes(points)),
    'payload 16 B, in flight 1, network delay 0 ms, outstanding 1',
  )
  assert.deepEqual(variedAxes([first]), [])
})

test('amounts are told as people read them', () => {
  assert.deepEqual([0.5, 1024, 65_536, 1 << 20].map(amount), ['0.5', '1,024', '65,536', '1 Mi'])
})
