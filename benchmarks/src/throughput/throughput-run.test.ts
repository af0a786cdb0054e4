import assert from 'node:assert/strict'
import { test } from 'node:test'
import { summarize } from '../latency.ts'
import { renderTable } from '../terminal/table.ts'
import { headlineRun, medianRun, type ThroughputRun, throughputColumns } from './throughput-run.ts'

const run = (window: number, opsPerSecond: number, more: Partial<ThroughputRun> = {}): ThroughputRun => ({
  window,
  batch: 1,
  sizeBytes: 64,
  repeat: 1,
  seconds: 1,
  commands: opsPerSecond,
  opsPerSecond,
  latencyMs: summarize([1, 2, 3]),
  elections: 0,
  commandsPerEntry: 1.5,
  entriesPerFlush: 1,
  flushesPerSecond: 1234,
  mailboxGreatestDepth: 3,
  entriesPerAppend: 1,
  actors: [],
  ...more,
})

test('of equal runs the middle one counts', () => {
  assert.equal(medianRun([run(1, 30), run(1, 10), run(1, 20)]).opsPerSecond, 20)
})

test('the headline is the fastest load by the median of its runs, not by its luckiest', () => {
  const runs = [run(1, 10), run(64, 100), run(64, 110), run(64, 999), run(8, 200), run(8, 210), run(8, 220)]
  assert.equal(headlineRun(runs)?.opsPerSecond, 210)
  assert.equal(headlineRun([]), undefined)
})

test('the table shows the rig only where there was one', () => {
  const alone = [run(64, 1_234_567)]
  assert.ok(!renderTable(throughputColumns(alone), alone)[0]?.includes('rig'))
  const rig = { opsPerSecond: 2_000_000, latencyMs: summarize([1]) }
  const beside = [run(64, 1_234_567, { rig, opsRatioToRig: 0.617, p50RatioToRig: 2 })]
  const [titles, , line] = renderTable(throughputColumns(beside), beside)
  assert.match(titles ?? '', /rig op\/s +rig p50 +op\/s : rig +p50 : rig$/)
  assert.match(line ?? '', /^ +64 +1,234,567 +2.000 +– +3.000 .* 2,000,000 +1.000 +0.62 +2.00$/)
})
