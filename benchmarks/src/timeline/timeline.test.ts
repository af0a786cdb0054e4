import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { hrtimeMs } from '@troupe/actor'
import type { ClusterEvents, ClusterStatus } from '@troupe/cluster'
import { summarize } from '../latency.ts'
import { intervalMsFor, TimelineRecorder, type WatchedCluster } from './timeline.ts'

/** A cluster whose snapshots and events a test decides, and a load that does 100 operations between two looks. */
function world() {
  const events = new EventEmitter<ClusterEvents>()
  const nodes = [{ id: 'n1', running: true, snapshot: 0 }]
  let asked = 0
  const status = async (): Promise<ClusterStatus> => {
    asked++
    return { leader: 'n1', term: 1, nodes } as unknown as ClusterStatus
  }
  const cluster = Object.assign(events, { status }) as unknown as WatchedCluster
  let operations = 0
  const enough = Promise.withResolvers<void>()
  const load = {
    lap: async () => summarize([1, 2, 3]),
    totals: async () => {
      operations += 100
      if (operations >= 500) enough.resolve()
      return { acknowledged: operations - 30, reads: 30 }
    },
  }
  return { events, cluster, load, enough: enough.promise, asked: () => asked }
}

test('each interval has its throughput and latency', async () => {
  const { cluster, load, enough } = world()
  const recorder = new TimelineRecorder(cluster, load, 2)
  await enough
  const { points, intervalSeconds } = await recorder.stop()
  assert.equal(intervalSeconds, 0.002)
  assert.ok(points.length >= 3)
  for (const [index, { atSeconds, opsPerSecond, p50Ms, maxMs }] of points.entries()) {
    assert.ok(opsPerSecond > 0 && atSeconds >= (points[index - 1]?.atSeconds ?? 0))
    assert.deepEqual([p50Ms, maxMs], [2, 3])
  }
})

test('a status that nobody answers does not hold up the samples', async () => {
  const { cluster, load, enough } = world()
  const answered = Promise.withResolvers<void>()
  let asked = 0
  const silent = Object.assign(cluster, {
    status: async () => {
      asked++
      await answered.promise
      return { nodes: [] }
    },
  }) as unknown as WatchedCluster
  const recorder = new TimelineRecorder(silent, load, 2)
  await enough
  assert.equal(asked, 1)
  answered.resolve()
  const { points } = await recorder.stop()
  assert.ok(points.length >= 3)
})

test('events are there in the order in which they happened', async () => {
  const { events, cluster, load } = world()
  const recorder = new TimelineRecorder(cluster, load, 60_000)
  recorder.mark('fault', 'crash')
  events.emit('leader', { id: 'n2', term: 3, atMs: hrtimeMs() + 5 })
  recorder.mark('heal', 'healed', hrtimeMs() + 3)
  const { events: found } = await recorder.stop()
  assert.deepEqual(
    found.map(({ kind }) => kind),
    ['fault', 'heal', 'election'],
  )
  assert.equal(found.at(-1)?.text, 'n2 leads term 3')
  assert.equal(events.listenerCount('leader'), 0)
})

test('intervals are a second, of short runs less', () => {
  assert.deepEqual([500, 8000, 60_000].map(intervalMsFor), [100, 200, 1000])
})
