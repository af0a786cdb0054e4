import assert from 'node:assert/strict'
import { test } from 'node:test'
import { threadUsage, utilizationBetween } from './thread-usage.ts'

const usage = (eventLoopActiveMs: number, eventLoopIdleMs: number, threadCpuMs: number | null) => ({
  eventLoopActiveMs,
  eventLoopIdleMs,
  threadCpuMs,
})

test('shares are of the time between the two readings', () => {
  const shares = utilizationBetween(usage(100, 900, 50), usage(175, 925, 75))
  assert.deepEqual(shares, { eventLoop: 0.75, cpu: 0.25 })
})

test('where nobody counts processor time there is no share of it', () => {
  assert.deepEqual(utilizationBetween(usage(0, 0, null), usage(1, 1, null)), { eventLoop: 0.5, cpu: null })
})

test('nothing is told of no time, and of a thread that began to count anew', () => {
  const none = { eventLoop: null, cpu: null }
  assert.deepEqual(utilizationBetween(usage(5, 5, 5), usage(5, 5, 5)), none)
  assert.deepEqual(utilizationBetween(usage(500, 5, 500), usage(1, 2000, 1)), none)
  assert.deepEqual(utilizationBetween(usage(5, 500, 5), usage(2000, 1, 1)), none)
})

test('a thread that computes uses processor time, and its event loop is active', async () => {
  // The loop's own clock stands still until it has begun to turn.
  await new Promise((resume) => setImmediate(resume))
  const before = threadUsage()
  while ((threadUsage().threadCpuMs ?? Number.POSITIVE_INFINITY) - (before.threadCpuMs ?? 0) < 20);
  const after = threadUsage()
  assert.ok(after.threadCpuMs !== null && before.threadCpuMs !== null)
  assert.ok(after.eventLoopActiveMs - before.eventLoopActiveMs >= 15)
  assert.equal(after.eventLoopIdleMs, before.eventLoopIdleMs)
})
