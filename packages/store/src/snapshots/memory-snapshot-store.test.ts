import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  receiveAll,
  SnapshotProbe,
  sampleSnapshot,
  snapshotStoreConformance,
  wholeOf,
  writeAll,
} from '../conformance.ts'
import { openMemorySnapshotStore } from './memory-snapshot-store.ts'

snapshotStoreConformance('memory', async (events) => {
  const store = openMemorySnapshotStore({ events })
  return { store, cleanup: () => store.close() }
})

test('memory: the scheduler decides when snapshots are complete', () => {
  const probe = new SnapshotProbe()
  const tasks: (() => void)[] = []
  const store = openMemorySnapshotStore({ events: probe, schedule: (task) => void tasks.push(task) })
  const [own, received] = [sampleSnapshot(4, 100_000), sampleSnapshot(5, 100_000)]
  writeAll(store, own)
  receiveAll(store, received)
  assert.equal(tasks.length, 1)
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
  assert.deepEqual(probe.events, [
    ['saved', 4],
    ['received', 5],
  ])
  assert.ok(wholeOf(store, own.meta)?.equals(own.data))
})
