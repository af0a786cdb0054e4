import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ratiosOf } from './engines-report.ts'

const runs = (window: number, ...speeds: readonly number[]) =>
  speeds.map((opsPerSecond, at) => ({ window, batch: 1, repeat: at + 1, opsPerSecond }))

test('a ratio is the median of those within a repeat: what drifts touches both sides', () => {
  const tcp = { engine: 'tcp', runs: runs(64, 60, 30, 80) }
  const threads = { engine: 'threads', runs: runs(64, 100, 50, 100) }
  const [ratio, ...others] = ratiosOf(tcp, threads)
  assert.deepEqual(others, [])
  assert.deepEqual(ratio, {
    engines: 'tcp : threads',
    ...{ window: 64, batch: 1, opsRatio: 0.6, least: 0.6, most: 0.8, repeats: 3, goal: 0.6 },
  })
})

test('what only one of them has had has no ratio, and who has no goal has none', () => {
  const tls = { engine: 'tls', runs: [...runs(1, 5), ...runs(64, 50, 60)] }
  const threads = { engine: 'threads', runs: runs(64, 100) }
  assert.deepEqual(
    ratiosOf(tls, threads).map(({ window, repeats, goal }) => [window, repeats, goal]),
    [[64, 1, null]],
  )
})
