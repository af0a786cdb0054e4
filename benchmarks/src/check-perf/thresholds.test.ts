import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { bars, thresholdsAt } from './bars.ts'
import { checkThresholds, readThresholds } from './thresholds.ts'

const good = { opsPerSecond: 1000, maxMs: 12.3, stddevMs: 1, errors: 0, lost: 0, duplicated: 0 }

describe('thresholds', () => {
  test('are kept by whoever reaches them exactly', () => {
    const atTheLimit = { ...good, opsPerSecond: 900, maxMs: 500, stddevMs: 100 }
    assert.equal(checkThresholds(atTheLimit, thresholdsAt(1000)).verdict, 'pass')
  })

  test('fail one by one, each with its figure and its limit', () => {
    const broken = { opsPerSecond: 899, maxMs: 501, stddevMs: 101, errors: 1, lost: 1, duplicated: 1 }
    for (const [measure, value] of Object.entries(broken)) {
      const { verdict, findings } = checkThresholds({ ...good, [measure]: value }, thresholdsAt(1000))
      assert.equal(verdict, 'fail', measure)
      const failed = findings.filter((finding) => finding.verdict === 'fail')
      assert.deepEqual(
        failed.map(({ measured }) => measured),
        [value],
        measure,
      )
    }
  })

  test('say what was measured and what is wanted', () => {
    const { findings } = checkThresholds(good, { minOpsPerSecond: 15_000, maxLatencyMs: 500 })
    assert.deepEqual(
      findings.map(({ text }) => text),
      ['throughput 1,000 op/s, at least 15,000 op/s', 'slowest request 12.3 ms, at most 500 ms'],
    )
  })

  test('without a figure are not decided, and a failure outweighs that', () => {
    assert.equal(checkThresholds({}, { maxP99Ms: 5 }).verdict, 'unknown')
    assert.equal(checkThresholds({ p99Ms: null }, { maxP99Ms: 5 }).verdict, 'unknown')
    assert.equal(checkThresholds({ p99Ms: Number.NaN }, { maxP99Ms: 5 }).verdict, 'unknown')
    assert.equal(checkThresholds({ errors: 1 }, { maxP99Ms: 5, maxErrors: 0 }).verdict, 'fail')
  })

  test('that are not set are not checked', () => {
    assert.deepEqual(checkThresholds(good, {}), { verdict: 'pass', findings: [] })
  })

  test('written by hand are read with care', () => {
    assert.deepEqual(readThresholds({ maxP99Ms: 20, maxLost: 0 }), { maxP99Ms: 20, maxLost: 0 })
    for (const wrong of [
      { maxP98Ms: 1 },
      { maxP99Ms: -1 },
      { maxP99Ms: '5' },
      { maxP99Ms: Number.NaN },
      [],
      5,
    ]) {
      assert.throws(
        () => readThresholds(wrong),
        (error) => RaftError.is(error, 'INVALID_OPTIONS'),
      )
    }
    assert.throws(
      () => readThresholds({ maxP98Ms: 1 }, 'throughput.thresholds'),
      /^RaftError: throughput\.thresholds\.maxP98Ms is 1; expected one of minOpsPerSecond, maxP50Ms, /,
    )
  })
})

test('the bars are those of etcdctl check perf', () => {
  const found = Object.values(bars).map(({ ratePerSecond, clients }) => [ratePerSecond, clients])
  assert.deepEqual(found, [
    [150, 50],
    [1000, 200],
    [8000, 500],
    [15_000, 1000],
  ])
  assert.equal(thresholdsAt(8000).minOpsPerSecond, 7200)
})
