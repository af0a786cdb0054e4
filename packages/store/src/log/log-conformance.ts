/**
 * What every LogStore must do, as tests: call `logStoreConformance` from a `*.test.ts`. Whoever writes a
 * store of their own runs the same suite as the two of this package.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry, LogPosition, StoreEvents } from '@troupe/core'
import { compactionCases } from './log-compaction-conformance.ts'
import { forgettingCases } from './log-forgetting-conformance.ts'
import {
  type Bench,
  type Case,
  contentOf,
  type OpenedStore,
  placesOf,
  StoreProbe,
  sampleEntries,
  sampleEntry,
  sampleHardState,
} from './log-probe.ts'

/** Opens a new, empty store that begins behind `base`. */
export type OpenStore = (events: StoreEvents, options: { readonly base: LogPosition }) => Promise<OpenedStore>

export interface LogConformanceOptions {
  /** Whether the store remembers what was forgotten. @default true */
  readonly forgets?: boolean
}

/** Registers the conformance tests with node:test, each named after `name`. */
export function logStoreConformance(
  name: string,
  open: OpenStore,
  { forgets = true }: LogConformanceOptions = {},
): void {
  const conforms = (title: string, base: LogPosition, run: Case): void => {
    test(`${name}: ${title}`, async (t) => {
      const probe = new StoreProbe()
      const opened = await open(probe, { base })
      try {
        await run({ ...opened, probe }, t)
        assert.deepEqual(probe.failures, [])
      } finally {
        await opened.cleanup()
      }
    })
  }
  const newLog = { index: 0, term: 0 }
  const all = { ...cases, ...compactionCases, ...(forgets ? forgettingCases : {}) }
  for (const [title, run] of Object.entries(all)) conforms(title, newLog, run)
  conforms('indexes beyond 2^32 keep their order', { index: 2 ** 32 - 3, term: 2 }, keepsLargeIndexesInOrder)
  conforms('a log may begin anywhere', { index: 999, term: 7 }, beginsAnywhere)
}

async function keepsLargeIndexesInOrder({ store, probe, reopen }: Bench): Promise<void> {
  const from = 2 ** 32 - 2
  const entries = sampleEntries(from, from + 5, 3)
  await probe.write(store, { entries: entries.slice(0, 3) })
  await probe.write(store, { entries: entries.slice(3) })
  assert.equal(store.lastIndex, from + 5)
  assert.deepEqual(contentOf(store), placesOf(entries))
  await probe.write(store, { truncateFrom: 2 ** 32, entries: sampleEntries(2 ** 32, 2 ** 32 + 1, 4) })
  const expected = [...placesOf(entries.slice(0, 2)), ...placesOf(sampleEntries(2 ** 32, 2 ** 32 + 1, 4))]
  assert.deepEqual(contentOf(store), expected)
  if (reopen) assert.deepEqual(contentOf(await reopen(probe)), expected)
}

async function beginsAnywhere({ store, probe, reopen }: Bench): Promise<void> {
  const base = { index: 999, term: 7 }
  assert.deepEqual(store.base, base)
  assert.equal(store.lastIndex, 999)
  assert.throws(() => probe.hand(store, { entries: [sampleEntry(1, 7)] }), /1000/)
  await probe.write(store, { entries: sampleEntries(1000, 1003, 7) })
  assert.deepEqual(store.base, base)
  assert.deepEqual(contentOf(store), placesOf(sampleEntries(1000, 1003, 7)))
  if (!reopen) return
  const again = await reopen(probe)
  assert.deepEqual(again.base, base)
  assert.equal(contentOf(again).length, 4)
}

const cases: Record<string, Case> = {
  'a new store is empty': async ({ store }) => {
    assert.deepEqual(store.base, { index: 0, term: 0 })
    assert.equal(store.lastIndex, 0)
    assert.equal(store.termAt(0), 0)
    assert.equal(store.termAt(1), undefined)
    assert.deepEqual(store.damaged, [])
    assert.deepEqual(store.hardState, { term: 0, vote: '', voteIncarnation: 0 })
  },

  'what is appended is read back byte for byte': async ({ store, probe }) => {
    const entries = [
      sampleEntry(1, 1, 0),
      sampleEntry(2, 1, 1),
      sampleEntry(3, 2, 5000),
      sampleEntry(4, 2, 300_000),
    ]
    await probe.write(store, { entries })
    const found = store.read(1, 4, Number.POSITIVE_INFINITY)
    assert.equal(found.length, 4)
    for (const [i, entry] of found.entries()) {
      assert.ok(Buffer.from(entry.record).equals(Buffer.from((entries[i] as Entry).record)))
      assert.deepEqual({ ...entry, record: undefined }, { ...entries[i], record: undefined })
    }
  },

  'what was read stays as it is after later reads and writes': async ({ store, probe }) => {
    await probe.write(store, { entries: sampleEntries(1, 3, 1, 200) })
    const found = store.read(1, 3, Number.POSITIVE_INFINITY)
    const copies = found.map((entry) => Buffer.from(entry.record))
    await probe.write(store, { truncateFrom: 1, entries: sampleEntries(1, 3, 2, 900) })
    store.read(1, 3, Number.POSITIVE_INFINITY)
    for (const [i, copy] of copies.entries()) assert.ok(copy.equals(Buffer.from((found[i] as Entry).record)))
  },

  'truncation, entries and hard state are one step': async ({ store, probe, reopen }) => {
    await probe.write(store, { entries: sampleEntries(1, 6, 1) })
    const hardState = { term: 7, vote: 'nøde-2', voteIncarnation: 2 ** 52 + 3 }
    await probe.write(store, { hardState, truncateFrom: 4, entries: sampleEntries(4, 5, 7) })
    const expected = [...placesOf(sampleEntries(1, 3, 1)), ...placesOf(sampleEntries(4, 5, 7))]
    assert.deepEqual(contentOf(store), expected)
    assert.deepEqual(store.hardState, hardState)
    if (!reopen) return
    const again = await reopen(probe)
    assert.deepEqual(contentOf(again), expected)
    assert.deepEqual(again.hardState, hardState)
  },

  'truncation alone shortens the log, down to nothing': async ({ store, probe, reopen }) => {
    await probe.write(store, { entries: sampleEntries(1, 4, 1) })
    await probe.write(store, { truncateFrom: 3 })
    assert.equal(store.lastIndex, 2)
    await probe.write(store, { truncateFrom: 1 })
    assert.equal(store.lastIndex, 0)
    assert.equal(store.termAt(1), undefined)
    if (reopen) assert.equal((await reopen(probe)).lastIndex, 0)
  },

  'nothing completes from within persist': async ({ store, probe }) => {
    probe.hand(store)
    assert.equal(probe.persisted.length, 0)
    const { token } = probe.hand(store, { entries: [sampleEntry(1, 1)] })
    assert.ok(!probe.persisted.includes(token))
    await probe.until(token)
  },

  'the log changes when a request completes, hard state when it is handed over': async ({ store, probe }) => {
    const { token } = probe.hand(store, { entries: [sampleEntry(1, 1)], hardState: sampleHardState(1, 'a') })
    assert.equal(store.lastIndex, 0)
    assert.equal(store.termAt(1), undefined)
    assert.deepEqual(store.hardState, sampleHardState(1, 'a'))
    await probe.until(token)
    assert.equal(store.lastIndex, 1)
  },

  'tokens complete in order': async ({ store, probe }) => {
    let last = 0
    for (let index = 1; index <= 50; index++) {
      last = probe.hand(store, {
        entries: index % 7 === 0 ? [] : [sampleEntry(store.lastIndex + 1, 1)],
      }).token
      if (index % 3 === 0 || index % 7 !== 0) await probe.until(last)
    }
    await probe.until(last)
    assert.deepEqual(
      probe.persisted,
      probe.persisted.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(probe.persisted).size, probe.persisted.length)
  },

  'what arrives during a flush is one flush': async ({ store, probe }) => {
    const before = store.metrics.flushes
    for (let index = 1; index <= 20; index++) probe.hand(store, { entries: [sampleEntry(index, 1)] })
    await probe.until(20)
    assert.deepEqual(contentOf(store), placesOf(sampleEntries(1, 20, 1)))
    assert.equal(store.metrics.flushes - before, 2)
    assert.equal(store.metrics.entriesFlushed, 20)
    assert.equal(store.metrics.bytesFlushed, 20 * sampleEntry(1, 1).record.byteLength)
    assert.equal(probe.persisted.length, 2)
  },

  'a merged truncation drops what was not written yet': async ({ store, probe, reopen }) => {
    await probe.write(store, { entries: sampleEntries(1, 10, 1) })
    probe.hand(store, { entries: sampleEntries(11, 12, 1) })
    probe.hand(store, { entries: sampleEntries(13, 16, 2), hardState: sampleHardState(2, 'a') })
    probe.hand(store, {
      truncateFrom: 15,
      entries: sampleEntries(15, 20, 3),
      hardState: sampleHardState(3, 'b'),
    })
    probe.hand(store, { truncateFrom: 9, entries: sampleEntries(9, 9, 4), hardState: sampleHardState(4) })
    const { token } = probe.hand(store, { entries: sampleEntries(10, 11, 4) })
    await probe.until(token)
    const expected = [...placesOf(sampleEntries(1, 8, 1)), ...placesOf(sampleEntries(9, 11, 4))]
    assert.deepEqual(contentOf(store), expected)
    assert.deepEqual(store.hardState, sampleHardState(4))
    assert.equal(store.metrics.entriesFlushed, 10 + 2 + 3)
    if (!reopen) return
    const again = await reopen(probe)
    assert.deepEqual(contentOf(again), expected)
    assert.deepEqual(again.hardState, sampleHardState(4))
  },

  'an empty request completes alone, without a flush': async ({ store, probe }) => {
    await probe.write(store)
    await probe.write(store)
    assert.deepEqual(probe.persisted, [1, 2])
    probe.hand(store)
    await probe.until(probe.hand(store).token)
    assert.deepEqual([...new Set(probe.persisted)], probe.persisted)
    assert.equal(probe.persisted.at(-1), 4)
    assert.equal(store.metrics.flushes, 0)
  },

  'an empty request completes with those before it': async ({ store, probe }) => {
    probe.hand(store, { entries: [sampleEntry(1, 1)] })
    const empty = probe.hand(store)
    const queued = probe.hand(store, { entries: [sampleEntry(2, 1)] })
    const behind = probe.hand(store)
    assert.deepEqual(probe.persisted, [])
    await probe.until(empty.token)
    assert.equal(probe.persisted[0], empty.token)
    await probe.until(behind.token)
    assert.ok(behind.token > queued.token)
    assert.deepEqual(probe.persisted, [empty.token, behind.token])
    assert.equal(store.metrics.flushes, 2)
  },

  'terms are known within the log and only there': async ({ store, probe }) => {
    await probe.write(store, { entries: [...sampleEntries(1, 3, 1), ...sampleEntries(4, 5, 6)] })
    const terms = [0, 1, 3, 4, 5, 6].map((index) => store.termAt(index))
    assert.deepEqual(terms, [0, 1, 1, 6, 6, undefined])
  },

  'reads are bounded in bytes, but yield at least one entry': async ({ store, probe }) => {
    await probe.write(store, { entries: sampleEntries(1, 5, 1, 1000) })
    const size = sampleEntry(1, 1, 1000).record.byteLength
    const counts = [0, size - 1, size, 2 * size - 1, 2 * size, 10 * size].map(
      (max) => store.read(2, 5, max).length,
    )
    assert.deepEqual(counts, [1, 1, 1, 1, 2, 4])
    assert.deepEqual(placesOf(store.read(3, 4, 10 * size)), placesOf(sampleEntries(3, 4, 1)))
    assert.throws(() => store.read(4, 6, size))
    assert.throws(() => store.read(0, 2, size))
  },

  'a gap or an overlap is refused': async ({ store, probe }) => {
    await probe.write(store, { entries: sampleEntries(1, 3, 1) })
    assert.throws(() => store.persist({ ...probe.request(), entries: [sampleEntry(5, 1)] }))
    assert.throws(() => store.persist({ ...probe.request(), entries: [sampleEntry(3, 1)] }))
    assert.throws(() => store.persist({ ...probe.request(), truncateFrom: 6 }))
  },

  'a close waits for what was handed over': async ({ store, probe, reopen }) => {
    probe.hand(store, { entries: [sampleEntry(1, 1)] })
    const last = probe.hand(store, { entries: [sampleEntry(2, 1)] })
    const closed = store.close()
    assert.throws(() => probe.hand(store), /close/)
    await closed
    assert.equal(probe.persisted.at(-1), last.token)
    await store.close()
    if (reopen) assert.deepEqual(contentOf(await reopen(probe)), placesOf(sampleEntries(1, 2, 1)))
  },

  'everything completed is there after a reopen': async ({ store, probe, reopen }, t) => {
    if (!reopen) return t.skip('keeps nothing')
    await probe.write(store, { entries: sampleEntries(1, 300, 1, 50), hardState: sampleHardState(1, 'a') })
    await probe.write(store, { entries: sampleEntries(301, 303, 2, 100_000) })
    const again = await reopen(probe)
    assert.deepEqual(again.hardState, sampleHardState(1, 'a'))
    assert.deepEqual(again.base, { index: 0, term: 0 })
    assert.equal(contentOf(again).length, 303)
    await probe.write(again, { entries: sampleEntries(304, 305, 2), hardState: sampleHardState(2) })
    assert.equal(again.lastIndex, 305)
  },
}
