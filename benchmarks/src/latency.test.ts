import assert from 'node:assert/strict'
import { createHistogram } from 'node:perf_hooks'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  distributionOf,
  distributionOfValues,
  median,
  percentile,
  summarize,
  summarizeHistogram,
} from './latency.ts'

describe('percentiles', () => {
  test('are by nearest rank: a value that was measured, never one in between', () => {
    const sorted = [15, 20, 35, 40, 50]
    assert.deepEqual(
      [0, 5, 30, 40, 50, 99, 100].map((percent) => percentile(sorted, percent)),
      [15, 15, 20, 20, 35, 50, 50],
    )
  })

  test('at least that share of the values is not above them', () => {
    const values = fc.array(fc.double({ noNaN: true }), { minLength: 1 })
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 100 }), (list, percent) => {
        const sorted = list.sort((left, right) => left - right)
        const found = percentile(sorted, percent)
        const share = sorted.filter((value) => value <= found).length / sorted.length
        assert.ok(sorted.includes(found) && share * 100 >= percent - 1e-9)
      }),
    )
  })

  test('the median does not disturb its argument', () => {
    const values = [3, 1, 2]
    assert.equal(median(values), 2)
    assert.deepEqual(values, [3, 1, 2])
  })
})

describe('a summary', () => {
  test('names no 99th percentile of fewer than 100 samples, but says how many there are', () => {
    const few = summarize([1, 2, 3])
    assert.deepEqual(few, { p50: 2, p99: null, max: 3, mean: 2, samples: 3 })
    const many = summarize(Array.from({ length: 100 }, (_, index) => index + 1))
    assert.equal(many.p99, 99)
  })

  test('names it where it is asked for: of 20 samples it is the largest', () => {
    const values = Array.from({ length: 20 }, (_, index) => index + 1)
    assert.equal(summarize(values, { alwaysP99: true }).p99, 20)
  })

  test('of nothing is nothing', () => {
    const nothing = { p50: null, p99: null, max: null, mean: null, samples: 0 }
    assert.deepEqual(summarize([]), nothing)
    assert.deepEqual(summarizeHistogram(createHistogram()), {
      ...nothing,
      p90: null,
      p999: null,
      p9999: null,
    })
  })

  test('of a histogram of nanoseconds is in milliseconds', () => {
    const histogram = createHistogram()
    for (let sample = 1; sample <= 100; sample++) histogram.record(sample * 1_000_000)
    const { p50, p99, max, samples } = summarizeHistogram(histogram)
    assert.equal(samples, 100)
    for (const [found, expected] of [
      [p50, 50],
      [p99, 99],
      [max, 100],
    ] as const) {
      assert.ok(Math.abs((found ?? 0) - expected) < expected / 500, `${found} is about ${expected}`)
    }
  })
})

test('a distribution goes as far as its samples tell percentages apart, and ends at the largest', () => {
  const histogram = createHistogram()
  assert.deepEqual(distributionOf(histogram), [])
  for (let sample = 1; sample <= 1001; sample++) histogram.record(sample * 1_000_000)
  const points = distributionOf(histogram)
  assert.deepEqual(
    points.map(({ percent }) => percent),
    [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 100],
  )
  assert.ok(points.every(({ ms }, index) => index === 0 || ms >= (points[index - 1]?.ms ?? 0)))
  assert.equal(summarizeHistogram(histogram).p9999, null)
})

test('few values are drawn one by one, by the share of those that are no larger', () => {
  assert.deepEqual(distributionOfValues([]), [])
  assert.deepEqual(distributionOfValues([30, 10, 20, 40]), [
    { percent: 0, ms: 10 },
    { percent: 25, ms: 10 },
    { percent: 50, ms: 20 },
    { percent: 75, ms: 30 },
    { percent: 100, ms: 40 },
  ])
})
