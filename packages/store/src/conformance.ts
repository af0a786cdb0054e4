/**
 * What every LogStore must do, as tests: call `logStoreConformance` from a `*.test.ts`. Whoever writes a
 * store of their own runs the same suite as the two of this package.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  type Entry,
  EntryKind,
  encodeEntry,
  type LogStore,
  type PersistRequest,
  type RaftError,
  type StoreEvents,
} from '@troupe/core'

/** A store under test. */
export interface OpenedStore {
  readonly store: LogStore
  /** Closes what is open and opens the same data again; leave it out where nothing outlives a close. */
  readonly reopen?: ((events: StoreEvents) => Promise<LogStore>) | undefined
  /** Closes and removes everything. */
  cleanup(): Promise<void>
}

/** Opens a new, empty store whose first entry will have `startIndex`. */
export type OpenStore = (
  events: StoreEvents,
  options: { readonly startIndex: number },
) => Promise<OpenedStore>

/** An entry with `bytes` bytes of payload, all of them `fill`. */
export function sampleEntry(index: number, term: number, bytes = 10, fill = index % 251): Entry {
  const header = { index, term, kind: EntryKind.commands, timeMs: index * 2, commandCount: 1 }
  return encodeEntry(header, [new Uint8Array(bytes).fill(fill)], crc32)
}

/** Entries `from..to`, all of one term. */
export function sampleEntries(from: number, to: number, term: number, bytes = 10): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => sampleEntry(from + i, term, bytes))
}

/** Hands out requests with rising tokens and records what comes back. */
export class StoreProbe implements StoreEvents {
  readonly persisted: number[] = []
  readonly failures: RaftError<'STORAGE_FAILED'>[] = []
  #token = 0
  readonly #waiting: { token: number; ended: PromiseWithResolvers<void> }[] = []

  onPersisted(token: number): void {
    this.persisted.push(token)
    for (const { token: wanted, ended } of this.#waiting) if (wanted <= token) ended.resolve()
  }

  onFailed(error: RaftError<'STORAGE_FAILED'>): void {
    this.failures.push(error)
    for (const { ended } of this.#waiting) ended.reject(error)
  }

  /** A request that carries what is given and nothing else. */
  request(content: Partial<Omit<PersistRequest, 'token'>> = {}): PersistRequest {
    this.#token += 1
    return {
      token: this.#token,
      hardState: undefined,
      truncateFrom: undefined,
      entries: [],
      messages: [],
      ...content,
    }
  }

  /** Persists a request without waiting. */
  hand(store: LogStore, content: Partial<Omit<PersistRequest, 'token'>> = {}): PersistRequest {
    const request = this.request(content)
    store.persist(request)
    return request
  }

  /** Persists a request and waits until it is complete. */
  async write(store: LogStore, content: Partial<Omit<PersistRequest, 'token'>> = {}): Promise<void> {
    await this.until(this.hand(store, content).token)
  }

  /** Waits until `token` is complete. @throws RaftError STORAGE_FAILED where the store fails first */
  async until(token: number): Promise<void> {
    if (this.persisted.some((done) => done >= token)) return
    const ended = Promise.withResolvers<void>()
    this.#waiting.push({ token, ended })
    await ended.promise
  }
}

type Content = readonly { readonly index: number; readonly term: number }[]

/** The whole log, as index and term, and checks that `termAt` agrees with `read`. */
function contentOf(store: LogStore): Content {
  const { firstIndex, lastIndex } = store
  const entries = lastIndex < firstIndex ? [] : store.read(firstIndex, lastIndex, Number.POSITIVE_INFINITY)
  for (const entry of entries) assert.equal(store.termAt(entry.index), entry.term)
  return entries.map(({ index, term }) => ({ index, term }))
}

const placesOf = (entries: readonly Entry[]): Content => entries.map(({ index, term }) => ({ index, term }))

interface Bench extends OpenedStore {
  readonly probe: StoreProbe
}

type Case = (bench: Bench, t: TestContext) => Promise<void>

/** Registers the conformance tests with node:test, each named after `name`. */
export function logStoreConformance(name: string, open: OpenStore): void {
  const conforms = (title: string, startIndex: number, run: Case): void => {
    test(`${name}: ${title}`, async (t) => {
      const probe = new StoreProbe()
      const opened = await open(probe, { startIndex })
      try {
        await run({ ...opened, probe }, t)
        assert.deepEqual(probe.failures, [])
      } finally {
        await opened.cleanup()
      }
    })
  }
  for (const [title, run] of Object.entries(cases)) conforms(title, 1, run)
  conforms('indexes beyond 2^32 keep their order', 2 ** 32 - 2, keepsLargeIndexesInOrder)
  conforms('a log may begin anywhere', 1000, beginsAnywhere)
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
  assert.equal(store.firstIndex, 1000)
  assert.equal(store.lastIndex, 999)
  assert.throws(() => probe.hand(store, { entries: [sampleEntry(1, 1)] }), /999|1000/)
  await probe.write(store, { entries: sampleEntries(1000, 1003, 1) })
  assert.equal(store.firstIndex, 1000)
  assert.equal(store.termAt(999), undefined)
  if (reopen) assert.equal((await reopen(probe)).firstIndex, 1000)
}

const cases: Record<string, Case> = {
  'a new store is empty': async ({ store }) => {
    assert.equal(store.firstIndex, 1)
    assert.equal(store.lastIndex, 0)
    assert.equal(store.termAt(0), undefined)
    assert.equal(store.termAt(1), undefined)
    assert.deepEqual(store.hardState, { term: 0, vote: '' })
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
    const hardState = { term: 7, vote: 'nøde-2' }
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
    const { token } = probe.hand(store, { entries: [sampleEntry(1, 1)], hardState: { term: 1, vote: 'a' } })
    assert.equal(store.lastIndex, 0)
    assert.equal(store.termAt(1), undefined)
    assert.deepEqual(store.hardState, { term: 1, vote: 'a' })
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
    probe.hand(store, { entries: sampleEntries(13, 16, 2), hardState: { term: 2, vote: 'a' } })
    probe.hand(store, {
      truncateFrom: 15,
      entries: sampleEntries(15, 20, 3),
      hardState: { term: 3, vote: 'b' },
    })
    probe.hand(store, { truncateFrom: 9, entries: sampleEntries(9, 9, 4), hardState: { term: 4, vote: '' } })
    const { token } = probe.hand(store, { entries: sampleEntries(10, 11, 4) })
    await probe.until(token)
    const expected = [...placesOf(sampleEntries(1, 8, 1)), ...placesOf(sampleEntries(9, 11, 4))]
    assert.deepEqual(contentOf(store), expected)
    assert.deepEqual(store.hardState, { term: 4, vote: '' })
    assert.equal(store.metrics.entriesFlushed, 10 + 2 + 3)
    if (!reopen) return
    const again = await reopen(probe)
    assert.deepEqual(contentOf(again), expected)
    assert.deepEqual(again.hardState, { term: 4, vote: '' })
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
    assert.deepEqual(terms, [undefined, 1, 1, 6, 6, undefined])
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
    await probe.write(store, { entries: sampleEntries(1, 300, 1, 50), hardState: { term: 1, vote: 'a' } })
    await probe.write(store, { entries: sampleEntries(301, 303, 2, 100_000) })
    const again = await reopen(probe)
    assert.deepEqual(again.hardState, { term: 1, vote: 'a' })
    assert.equal(again.firstIndex, 1)
    assert.equal(contentOf(again).length, 303)
    await probe.write(again, { entries: sampleEntries(304, 305, 2), hardState: { term: 2, vote: '' } })
    assert.equal(again.lastIndex, 305)
  },
}
