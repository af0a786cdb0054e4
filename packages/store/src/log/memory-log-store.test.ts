import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logStoreConformance, StoreProbe, sampleEntry } from '../conformance.ts'
import { openMemoryLogStore } from './memory-log-store.ts'

logStoreConformance('memory', async (events, { base }) => {
  const store = openMemoryLogStore({ events, base })
  return { store, cleanup: () => store.close() }
})

test('memory: the scheduler decides when requests complete', async () => {
  const probe = new StoreProbe()
  const tasks: (() => void)[] = []
  const store = openMemoryLogStore({ events: probe, schedule: (task) => void tasks.push(task) })
  probe.hand(store, { entries: [sampleEntry(1, 1)] })
  probe.hand(store, { entries: [sampleEntry(2, 1)] })
  await Promise.resolve()
  assert.deepEqual(probe.persisted, [])
  tasks.shift()?.()
  assert.deepEqual(probe.persisted, [1])
  tasks.shift()?.()
  assert.deepEqual(probe.persisted, [1, 2])
  await store.close()
})
