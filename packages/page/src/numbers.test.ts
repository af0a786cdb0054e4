import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bounds, compact, exact, logSplits } from './browser/numbers.ts'

test('numbers beside an axis are short', () => {
  const shown = [0, 0.05, 0.453, 12.34, 950, 1500, 1234, 12_345, 400_000, 999_600, 2_500_000, 1.2e9].map(
    compact,
  )
  const expected = [
    '0',
    '0.05',
    '0.453',
    '12.3',
    '950',
    '1.5k',
    '1234',
    '12.3k',
    '400k',
    '1M',
    '2.5M',
    '1.2G',
  ]
  assert.deepEqual(shown, expected)
  assert.deepEqual([exact(null), exact(1234.6), exact(0.4534)], ['–', '1,235', '0.453'])
})

test('amounts begin at nothing, and a log axis has air by factors', () => {
  assert.deepEqual(bounds([10, 20], false), [0, 21])
  assert.deepEqual(bounds([], false), [0, 1])
  const [low, high] = bounds([0, 1, 100], true)
  assert.ok(low > 0.7 && low < 1 && high > 100 && high < 140)
})

test('a log axis has its numbers at 1, 2 and 5, wherever it begins', () => {
  assert.deepEqual(logSplits(0.9, 60), [1, 2, 5, 10, 20, 50])
  assert.deepEqual(logSplits(700, 3e6), [1000, 10_000, 100_000, 1_000_000])
  assert.deepEqual(logSplits(0.9, 60, true), [1, 10])
  assert.deepEqual(logSplits(0.25, 0.7), [0.3, 0.4, 0.5, 0.6, 0.7])
})
