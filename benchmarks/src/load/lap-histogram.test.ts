import assert from 'node:assert/strict'
import { createHistogram } from 'node:perf_hooks'
import { test } from 'node:test'
import { summarizeHistogram } from '../latency.ts'
import { LapHistogram } from './lap-histogram.ts'

const NS_PER_MS = 1e6

test('a lap is what came since the last one, the total is all of them', () => {
  const histogram = new LapHistogram()
  for (let ms = 1; ms <= 100; ms++) histogram.record(ms * NS_PER_MS)
  const first = histogram.lap()
  assert.equal(first.samples, 100)
  assert.ok(Math.abs((first.p99 ?? 0) - 99) < 0.2)
  histogram.record(7 * NS_PER_MS)
  assert.equal(histogram.lap().samples, 1)
  assert.deepEqual(histogram.lap(), summarizeHistogram(createHistogram()))
  histogram.record(500 * NS_PER_MS)
  const total = histogram.total()
  assert.equal(total.count, 102)
  assert.ok(Math.abs(total.max / NS_PER_MS - 500) < 1)
})

test('what is aside is in its lap and in no total', () => {
  const histogram = new LapHistogram()
  histogram.recordAside(9 * NS_PER_MS)
  histogram.record(5 * NS_PER_MS)
  assert.equal(histogram.lap().samples, 2)
  assert.equal(histogram.lap().samples, 0)
  histogram.recordAside(900 * NS_PER_MS)
  const total = histogram.total()
  assert.equal(total.count, 1)
  assert.ok(total.max / NS_PER_MS < 6)
})
