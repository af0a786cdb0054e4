/** What every SnapshotStore must do, as tests. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { SnapshotEvents, SnapshotMeta, SnapshotStore } from '@troupe/core'
import { damageCases } from './snapshot-damage-conformance.ts'
import {
  quiescent,
  receiveAll,
  type SampleSnapshot,
  SnapshotProbe,
  sampleSnapshot,
  wholeOf,
  writeAll,
} from './snapshot-probe.ts'

/** A store under test. */
export interface OpenedSnapshotStore {
  readonly store: SnapshotStore
  /** Closes what is open and opens the same data again; leave it out where nothing outlives a close. */
  readonly reopen?: ((events: SnapshotEvents) => Promise<SnapshotStore>) | undefined
  /** Where its files are, one for each snapshot: then what happens to them is tested too. Needs `reopen`. */
  readonly directory?: string | undefined
  /** Closes and removes everything. */
  cleanup(): Promise<void>
}

/** Opens a new, empty store. */
export type OpenSnapshotStore = (events: SnapshotEvents) => Promise<OpenedSnapshotStore>

interface Bench extends OpenedSnapshotStore {
  readonly probe: SnapshotProbe
}

type Case = (bench: Bench, t: TestContext) => Promise<void>

/** Registers the conformance tests with node:test, each named after `name`. */
export function snapshotStoreConformance(name: string, open: OpenSnapshotStore): void {
  const all = { ...savingCases, ...receivingCases, ...keepingCases, ...fileCases }
  for (const [title, run] of Object.entries(all)) {
    test(`${name}: ${title}`, async (t) => {
      const probe = new SnapshotProbe()
      const opened = await open(probe)
      try {
        await run({ ...opened, probe }, t)
        assert.deepEqual(probe.failures, [])
      } finally {
        await opened.cleanup()
      }
    })
  }
}

/** Checks that a snapshot can be read whole, now and after a close. */
async function isThere(bench: Bench, store: SnapshotStore, sample: SampleSnapshot): Promise<SnapshotStore> {
  assert.ok(wholeOf(store, sample.meta)?.equals(sample.data))
  if (bench.reopen === undefined) return store
  const again = await bench.reopen(bench.probe)
  assert.ok(wholeOf(again, sample.meta)?.equals(sample.data))
  return again
}

async function save(bench: Bench, store: SnapshotStore, sample: SampleSnapshot): Promise<void> {
  writeAll(store, sample)
  await bench.probe.saved(sample.meta)
}

const fileCases: Record<string, Case> = Object.fromEntries(
  Object.entries(damageCases).map(([title, run]) => [
    title,
    async ({ store, probe, directory, reopen }, t) => {
      if (!directory || !reopen) return t.skip('keeps no files')
      await run({ store, probe, directory, reopen })
    },
  ]),
)

const savingCases: Record<string, Case> = {
  'a new store has no snapshot': async ({ store }) => {
    const { meta } = sampleSnapshot(5, 100)
    assert.equal(store.latest, undefined)
    assert.equal(store.pendingBytes, 0)
    assert.equal(store.read(5, meta.checksum, 0, 100), undefined)
    assert.equal(store.received(meta), 0)
  },

  'a snapshot of pieces of any size is read back': async (bench) => {
    const { store, probe } = bench
    const sample = sampleSnapshot(7, 700_001)
    store.begin()
    const sizes = [0, 1, 9, 70_000, 0, 200_000, 65_472, 65_471, 131_072, 5]
    let offset = 0
    for (const size of sizes) {
      store.write(sample.data.subarray(offset, offset + size))
      offset += size
      if (size % 2 === 1) await quiescent(store)
    }
    store.write(sample.data.subarray(offset))
    store.finish(sample.meta)
    await probe.saved(sample.meta)
    assert.deepEqual(store.latest, sample.meta)
    const again = await isThere(bench, store, sample)
    assert.deepEqual(again.latest, sample.meta)
    for (const [from, count] of [
      [0, 1],
      [65_470, 10],
      [123_456, 300_000],
      [700_000, 100],
      [700_001, 100],
    ] as const) {
      const bytes = again.read(7, sample.meta.checksum, from, count)
      assert.ok(bytes && Buffer.from(bytes).equals(sample.data.subarray(from, from + count)), `from ${from}`)
    }
    assert.equal(again.read(7, sample.meta.checksum + 1, 0, 10), undefined)
    assert.equal(again.read(8, sample.meta.checksum, 0, 10), undefined)
  },

  'an empty snapshot is one too': async (bench) => {
    const sample = sampleSnapshot(3, 0)
    await save(bench, bench.store, sample)
    assert.deepEqual(bench.store.latest, sample.meta)
    await isThere(bench, bench.store, sample)
  },

  'nothing is reported or visible from within a call': async ({ store, probe }) => {
    const sample = sampleSnapshot(4, 1000)
    writeAll(store, sample)
    assert.deepEqual(probe.events, [])
    assert.equal(store.latest, undefined)
    assert.equal(store.read(4, sample.meta.checksum, 0, 10), undefined)
    await probe.saved(sample.meta)
    assert.deepEqual(store.latest, sample.meta)
    assert.equal(store.pendingBytes, 0)
  },

  'bytes are pending until they are on the disk': async ({ store, probe }) => {
    const { data } = sampleSnapshot(4, 300_000)
    store.begin()
    store.write(data)
    assert.equal(store.pendingBytes, 300_000)
    store.write(data.subarray(0, 10))
    assert.equal(store.pendingBytes, 300_010)
    await quiescent(store)
    store.write(data)
    store.abort()
    await quiescent(store)
    assert.deepEqual(probe.events, [])
  },

  'an unfinished snapshot gives way to the next one': async (bench) => {
    const { store, probe } = bench
    const [first, second, third] = [4, 5, 6].map((index) => sampleSnapshot(index, 100_000)) as [
      SampleSnapshot,
      SampleSnapshot,
      SampleSnapshot,
    ]
    store.begin()
    store.write(first.data)
    await quiescent(store)
    store.write(first.data)
    writeAll(store, second)
    store.begin()
    store.write(third.data.subarray(50))
    store.abort()
    store.abort()
    await probe.saved(second.meta)
    const again = await isThere(bench, store, second)
    await save(bench, again, third)
    await isThere(bench, again, third)
    assert.deepEqual(probe.events, [
      ['saved', 5],
      ['saved', 6],
    ])
  },

  'an unfinished snapshot is gone after a restart': async (bench, t) => {
    if (!bench.reopen) return t.skip('keeps nothing')
    const first = sampleSnapshot(4, 50_000)
    await save(bench, bench.store, first)
    bench.store.begin()
    bench.store.write(sampleSnapshot(9, 200_000).data)
    const again = await bench.reopen(bench.probe)
    assert.deepEqual(again.latest, first.meta)
    const next = sampleSnapshot(10, 80_000)
    await save(bench, again, next)
    const last = await isThere(bench, again, next)
    await isThere(bench, last, first)
  },

  'a description that does not fit the bytes is refused': async ({ store }) => {
    const { data, meta } = sampleSnapshot(4, 1000)
    const begun = (): void => {
      store.begin()
      store.write(data)
    }
    begun()
    assert.throws(() => store.finish({ ...meta, bytes: 999 }))
    begun()
    assert.throws(() => store.finish({ ...meta, checksum: meta.checksum ^ 1 }))
    store.abort()
    assert.throws(() => store.write(data))
    assert.throws(() => store.finish(meta))
  },

  'a close waits for what was handed over': async ({ store, probe, reopen }) => {
    const sample = sampleSnapshot(8, 400_000)
    writeAll(store, sample)
    const closed = store.close()
    assert.throws(() => store.begin())
    await closed
    await store.close()
    assert.deepEqual(probe.events, [['saved', 8]])
    if (!reopen) return
    assert.deepEqual((await reopen(probe)).latest, sample.meta)
  },
}

const receivingCases: Record<string, Case> = {
  'a received snapshot is complete when all of it is there and fits': async (bench) => {
    const { store, probe } = bench
    const sample = sampleSnapshot(12, 500_000)
    for (let from = 0; from < 500_000; from += 130_000) {
      assert.equal(store.received(sample.meta), from)
      store.receive(sample.meta, from, sample.data.subarray(from, from + 130_000))
    }
    assert.equal(store.received(sample.meta), 500_000)
    assert.deepEqual(probe.events, [])
    assert.equal(store.latest, undefined)
    await probe.received(sample.meta)
    assert.deepEqual(store.latest, sample.meta)
    assert.equal(store.received(sample.meta), 500_000)
    store.receive(sample.meta, 390_000, sample.data.subarray(390_000))
    await quiescent(store)
    await isThere(bench, store, sample)
    assert.deepEqual(probe.events, [['received', 12]])
  },

  'bytes that do not follow are ignored': async ({ store, probe }) => {
    const { data, meta } = sampleSnapshot(12, 1000)
    const give = (from: number, to: number): void => store.receive(meta, from, data.subarray(from, to))
    give(100, 200)
    assert.equal(store.received(meta), 0)
    give(0, 300)
    give(0, 300)
    give(0, 100)
    give(301, 400)
    give(900, 1000)
    store.receive(meta, 300, new Uint8Array(701))
    assert.equal(store.received(meta), 300)
    give(200, 500)
    assert.equal(store.received(meta), 500)
    give(500, 1000)
    await probe.received(meta)
    assert.ok(wholeOf(store, meta)?.equals(data))
  },

  'bytes that do not fit the checksum are dropped': async (bench) => {
    const { store, probe } = bench
    const { data, meta } = sampleSnapshot(12, 200_000)
    const bad = Buffer.from(data)
    bad[70_000] = (bad[70_000] as number) ^ 1
    receiveAll(store, { meta, data: bad })
    assert.equal(store.received(meta), 0)
    await quiescent(store)
    store.receive(meta, 0, bad.subarray(0, 150_000))
    await quiescent(store)
    store.receive(meta, 150_000, bad.subarray(150_000))
    assert.equal(store.received(meta), 0)
    await quiescent(store)
    assert.equal(store.latest, undefined)
    receiveAll(store, { meta, data })
    await probe.received(meta)
    await isThere(bench, store, { meta, data })
  },

  'a transfer goes on after a restart': async (bench, t) => {
    const { probe, reopen } = bench
    if (!reopen) return t.skip('keeps nothing')
    const { data, meta } = sampleSnapshot(12, 400_000)
    let { store } = bench
    for (const [from, to] of [
      [0, 1000],
      [1000, 150_000],
      [150_000, 399_999],
    ] as const) {
      store.receive(meta, from, data.subarray(from, to))
      await quiescent(store)
      store = await reopen(probe)
      assert.equal(store.latest, undefined)
      assert.equal(store.received({ ...meta }), to)
    }
    store.receive(meta, 399_999, data.subarray(399_999))
    await probe.received(meta)
    const again = await isThere(bench, store, { meta, data })
    assert.deepEqual(again.latest, meta)
    assert.equal(again.received(meta), 400_000)
  },

  'another snapshot is another one, however alike': async (bench) => {
    const { probe } = bench
    let { store } = bench
    const { data, meta } = sampleSnapshot(12, 1000)
    store.receive(meta, 0, data.subarray(0, 600))
    await quiescent(store)
    if (bench.reopen) store = await bench.reopen(probe)
    const [voter] = meta.configuration.voters
    const others: SnapshotMeta[] = [
      { ...meta, index: 13 },
      { ...meta, term: meta.term + 1 },
      { ...meta, bytes: 1001 },
      { ...meta, checksum: meta.checksum ^ 1 },
      { ...meta, timeMs: meta.timeMs + 1 },
      { ...meta, configurationIndex: 1 },
      {
        ...meta,
        configuration: { ...meta.configuration, voters: voter ? [{ ...voter, incarnation: 9 }] : [] },
      },
    ]
    for (const other of others) {
      assert.equal(store.received(other), 0)
      store.receive(other, 600, data.subarray(600))
      assert.equal(store.received(meta), 600, 'asking for another drops nothing')
    }
    const next = sampleSnapshot(14, 500)
    store.receive(next.meta, 0, next.data.subarray(0, 100))
    assert.equal(store.received(meta), 0)
    store.receive(meta, 600, data.subarray(600))
    assert.equal(store.received(next.meta), 100)
    store.receive(next.meta, 100, next.data.subarray(100))
    await probe.received(next.meta)
    assert.deepEqual(probe.events, [['received', 14]])
    await isThere(bench, store, next)
  },

  'one is taken while another is received': async (bench) => {
    const { store, probe } = bench
    const own = sampleSnapshot(12, 300_000)
    const received = sampleSnapshot(20, 300_000)
    store.begin()
    for (let from = 0; from < 300_000; from += 50_000) {
      store.write(own.data.subarray(from, from + 50_000))
      store.receive(received.meta, from, received.data.subarray(from, from + 50_000))
      if (from === 150_000) await quiescent(store)
    }
    await probe.received(received.meta)
    store.finish(own.meta)
    await probe.saved(own.meta)
    assert.deepEqual(store.latest, received.meta, 'the latest is the one that stands for most')
    const again = await isThere(bench, store, own)
    await isThere(bench, again, received)
  },
}

const keepingCases: Record<string, Case> = {
  'the latest two are kept': async (bench) => {
    let { store } = bench
    const samples = Array.from({ length: 6 }, (_, i) => sampleSnapshot(10 + i, 150_000 + i))
    for (const [i, sample] of samples.entries()) {
      if (i % 2 === 0) writeAll(store, sample)
      else receiveAll(store, sample)
      await bench.probe.reported(i + 1)
      assert.deepEqual(store.latest, sample.meta)
      for (const [j, older] of samples.slice(0, i + 1).entries()) {
        const whole = wholeOf(store, older.meta)
        assert.equal(whole?.equals(older.data), j >= i - 1 ? true : undefined, `${j} after ${i}`)
      }
      if (i === 3 && bench.reopen) store = await bench.reopen(bench.probe)
    }
    const again = await isThere(bench, store, samples[4] as SampleSnapshot)
    await isThere(bench, again, samples[5] as SampleSnapshot)
  },

  'the same snapshot taken twice counts once': async (bench) => {
    const [first, second] = [sampleSnapshot(4, 1000), sampleSnapshot(5, 90_000)]
    await save(bench, bench.store, first)
    await save(bench, bench.store, second)
    writeAll(bench.store, second)
    await bench.probe.reported(3)
    const again = await isThere(bench, bench.store, first)
    await isThere(bench, again, second)
  },
}
