import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ratiosOf } from './engines-report.ts'

/** All of them have kept two threads half busy. */
const runs = (window: number, ...speeds: readonly number[]) =>
  speeds.map((opsPerSecond, at) => {
    const actors = [{ cpuUtilization: 0.5 }, { cpuUtilization: 0.5 }]
    return { window, batch: 1, repeat: at + 1, opsPerSecond, actors }
  })

test('a ratio is the median of those within a repeat: what drifts touches both sides', () => {
  const tcp = { engine: 'tcp', runs: runs(64, 60, 30, 80) }
  const threads = { engine: 'threads', runs: runs(64, 100, 50, 100) }
  const [ratio, ...others] = ratiosOf(tcp, threads)
  assert.deepEqual(others, [])
  assert.deepEqual(ratio, {
    engines: 'tcp : threads',
    ...{ window: 64, batch: 1, opsRatio: 0.6, cpuRatio: 0.6, least: 0.6, most: 0.8, repeats: 3, goal: 0.6 },
  })
})

test('processor time of an operation is compared where it is known of all threads', () => {
  const busy = (engine: string, ...shares: readonly (number | null)[]) => {
    const actors = shares.map((cpuUtilization) => ({ cpuUtilization }))
    return { engine, runs: [{ window: 1, batch: 1, repeat: 1, opsPerSecond: 1000, actors }] }
  }
  const cpuRatio = (above: Parameters<typeof ratiosOf>[0]): unknown =>
    ratiosOf(above, busy('threads', 0.3, 0.3))[0]?.cpuRatio
  assert.equal(cpuRatio(busy('tcp', 0.5, 0.3)), 0.75)
  assert.equal(cpuRatio(busy('tcp', 0.5, null)), null)
  assert.equal(cpuRatio(busy('tcp')), null)
})

test('what only one of them has had has no ratio, and who has no goal has none', () => {
  const tls = { engine: 'tls', runs: [...runs(1, 5), ...runs(64, 50, 60)] }
  const threads = { engine: 'threads', runs: runs(64, 100) }
  assert.deepEqual(
    ratiosOf(tls, threads).map(({ window, repeats, goal }) => [window, repeats, goal]),
    [[64, 1, null]],
  )
})
