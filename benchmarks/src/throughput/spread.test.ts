import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spreadsOf } from './load-spread.ts'
import { spreadOf } from './spread.ts'

test('the median of equal runs, and how far the others are from it', () => {
  assert.deepEqual(spreadOf([100, 95, 104]), {
    ...{ runs: 3, median: 100, least: 95, most: 104 },
    ...{ spread: 0.09, isTooWide: false },
  })
  assert.equal(spreadOf([100, 90, 106]).isTooWide, true)
  assert.deepEqual([spreadOf([5]).spread, spreadOf([0, 0]).spread], [0, 0])
})

test('runs of the same load belong together', () => {
  const run = (window: number, opsPerSecond: number) => ({ window, batch: 1, opsPerSecond })
  const spreads = spreadsOf([run(1, 10), run(64, 100), run(1, 11), run(64, 300), run(1, 12)])
  assert.deepEqual(
    spreads.map(({ window, median, runs, isTooWide }) => [window, median, runs, isTooWide]),
    [
      [1, 11, 3, true],
      [64, 100, 2, true],
    ],
  )
})
