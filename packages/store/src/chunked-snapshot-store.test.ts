/** A crash after every single commit, with stores on a backend that remembers its commits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkedSnapshotStore, type SnapshotBatch } from './chunked-snapshot-store.ts'
import { quiescent, type SampleSnapshot, SnapshotProbe, sampleSnapshot, wholeOf } from './conformance.ts'
import { MemorySnapshotBackend } from './memory-snapshot-store.ts'

class RememberingBackend extends MemorySnapshotBackend {
  readonly batches: SnapshotBatch[] = []
  readonly #probe: SnapshotProbe
  /** How many snapshots were reported when each commit was done. */
  readonly reportedBefore: number[] = []

  constructor(probe: SnapshotProbe) {
    super(queueMicrotask)
    this.#probe = probe
  }

  override commit(batch: SnapshotBatch, done: (error?: unknown) => void): void {
    this.batches.push({
      chunks: [...batch.chunks],
      records: new Map(batch.records),
      removed: [...batch.removed],
    })
    this.reportedBefore.push(this.#probe.events.length)
    super.commit(batch, done)
  }
}

const samples = [3, 4, 5, 6, 7].map((index) => sampleSnapshot(index, 40_000 * index))
const [own, received, lost, next, last] = samples as [
  SampleSnapshot,
  SampleSnapshot,
  SampleSnapshot,
  SampleSnapshot,
  SampleSnapshot,
]

/** Some of everything, in small commits. */
async function live(store: ChunkedSnapshotStore, probe: SnapshotProbe): Promise<void> {
  const take = async ({ data, meta }: SampleSnapshot): Promise<void> => {
    store.begin()
    for (let from = 0; from < meta.bytes; from += 33_000) {
      store.write(data.subarray(from, from + 33_000))
      await quiescent(store)
    }
    store.finish(meta)
    await probe.saved(meta)
  }
  const fetch = async ({ data, meta }: SampleSnapshot, to: number): Promise<void> => {
    for (let from = 0; from < to; from += 37_000) {
      store.receive(meta, from, data.subarray(from, from + 37_000))
      await quiescent(store)
    }
  }
  await take(own)
  await fetch(received, received.meta.bytes)
  await fetch(lost, 100_000)
  store.begin()
  store.write(lost.data)
  await quiescent(store)
  await take(next)
  await fetch(last, last.meta.bytes)
  await probe.received(last.meta)
}

/** The store of a node that starts after a crash behind `count` commits. */
async function afterCrash(commits: readonly SnapshotBatch[]) {
  const backend = new MemorySnapshotBackend(queueMicrotask)
  for (const commit of commits) backend.apply(commit)
  const probe = new SnapshotProbe()
  return { backend, probe, store: new ChunkedSnapshotStore(backend, probe, queueMicrotask) }
}

test('after a crash between any two commits what is complete is whole, and what is not goes on or goes', async () => {
  const probe = new SnapshotProbe()
  const remembering = new RememberingBackend(probe)
  const store = new ChunkedSnapshotStore(remembering, probe, queueMicrotask)
  await live(store, probe)
  await store.close()
  const { batches, reportedBefore } = remembering
  assert.ok(batches.length > 20)
  const order = probe.events.map(([, index]) => index)
  assert.deepEqual(order, [3, 4, 6, 7])
  for (let count = 0; count <= batches.length; count++) {
    const reported = reportedBefore[count] ?? probe.events.length
    await checkStart(batches.slice(0, count), order[reported - 1] ?? 0, `after ${count} commits`)
  }
})

async function checkStart(
  commits: readonly SnapshotBatch[],
  reported: number,
  context: string,
): Promise<void> {
  const { store, backend, probe } = await afterCrash(commits)
  const index = store.latest?.index ?? 0
  assert.ok(index >= reported, `${context}: ${reported} was reported, ${index} is there`)
  const kept = samples.filter(({ meta }) => wholeOf(store, meta) !== undefined)
  for (const { meta, data } of kept) assert.ok(wholeOf(store, meta)?.equals(data), context)
  assert.ok(kept.length <= 2 && kept.some(({ meta }) => meta.index === index) === index > 0, context)
  for (const { meta, data } of samples) {
    const from = store.received(meta)
    if (from === 0 || from === meta.bytes) continue
    store.receive(meta, from, data.subarray(from))
    await probe.received(meta)
    assert.ok(meta.index < index || wholeOf(store, meta)?.equals(data), context)
  }
  await settled(backend)
  const records = [...backend.records()].map(([id]) => id)
  assert.deepEqual(
    backend.chunkIds(),
    records.toSorted((a, b) => a - b),
    `${context}: leftovers`,
  )
  await store.close()
}

/** Waits until the sweeping has nothing left to do; everything runs on microtasks. */
async function settled(backend: MemorySnapshotBackend): Promise<void> {
  const shape = (): string =>
    JSON.stringify(backend.chunkIds().map((id) => backend.chunkOffsets(id, 9999).length))
  for (let before = ''; before !== shape(); ) {
    before = shape()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
