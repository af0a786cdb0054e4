import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogStore, RaftError, type StoreEvents } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import {
  chainedEntries,
  contentOf,
  logStoreConformance,
  type OpenStore,
  placesOf,
  StoreProbe,
  sampleEntries,
  sampleEntry,
} from '../conformance.ts'
import { scanLog } from './log-scan.ts'
import { type LmdbLogStoreOptions, openLmdbLogStore } from './open-lmdb-log-store.ts'

function opener(options: Partial<LmdbLogStoreOptions>): OpenStore {
  return async (events, { base }) => {
    const path = mkdtempSync(join(tmpdir(), 'troupe-store-'))
    const openAgain = (to: StoreEvents): Promise<LogStore> =>
      openLmdbLogStore({ path, events: to, base, ...options })
    let store = await openAgain(events)
    const reopen = async (to: StoreEvents): Promise<LogStore> => {
      await store.close()
      store = await openAgain(to)
      return store
    }
    const cleanup = async (): Promise<void> => {
      await store.close()
      rmSync(path, { recursive: true })
    }
    return { store, reopen, cleanup }
  }
}

logStoreConformance('lmdb', opener({}))
logStoreConformance('lmdb, not flushed', opener({ durability: 'acked-before-flush', group: 3 }))
logStoreConformance('lmdb, small segments', opener({ segmentEntries: 2 }))
logStoreConformance('lmdb, segments of a single batch', opener({ segmentBytes: 1 }))

const quiet: StoreEvents = { onPersisted: () => {}, onFailed: () => {}, onSpace: () => {} }
const isDamage = (reason: RegExp) => (error: unknown) =>
  RaftError.is(error, 'STORAGE_DAMAGED') && reason.test(error.message) && error.data.path !== ''

test('groups share a directory and keep apart', () =>
  withTemporaryDirectory(async (path) => {
    const probes = [new StoreProbe(), new StoreProbe()] as const
    const open = (group: number): Promise<LogStore> =>
      openLmdbLogStore({ path, group, events: probes[group] as StoreProbe })
    const stores = await Promise.all([open(0), open(1)])
    for (const [group, store] of stores.entries()) {
      for (let index = 1; index <= 20; index++) {
        probes[group]?.hand(store, { entries: [sampleEntry(index, group + 1)] })
      }
    }
    await Promise.all([probes[0].until(20), probes[1].until(20)])
    assert.deepEqual(
      stores.map((store) => [store.lastIndex, store.termAt(20)]),
      [
        [20, 1],
        [20, 2],
      ],
    )
    await stores[0].close()
    await probes[1].write(stores[1], { entries: [sampleEntry(21, 2)] })
    await stores[1].close()
    assert.deepEqual(readdirSync(path), ['0', '1'])
  }))

test('another writer is noticed, and nothing completes afterwards', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = await openLmdbLogStore({ path, events: probe })
    await probe.write(store, { entries: sampleEntries(1, 2, 1) })
    const otherProbe = new StoreProbe()
    const zombie = await openLmdbLogStore({ path, events: otherProbe })
    await otherProbe.write(zombie, { entries: sampleEntries(3, 6, 1) })
    const { token } = probe.hand(store, { entries: [sampleEntry(3, 2)] })
    const behind = probe.hand(store, { entries: [sampleEntry(4, 2)] })
    await assert.rejects(probe.until(token), (error) => RaftError.is(error, 'STORAGE_FAILED'))
    probe.hand(store)
    await zombie.close()
    await store.close()
    assert.equal(probe.failures.length, 1)
    assert.deepEqual(probe.persisted, [1])
    assert.ok(behind.token > token)
  }))

test('a record in shared memory is copied', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = await openLmdbLogStore({ path, events: probe })
    const entry = sampleEntry(1, 1, 5000)
    const shared = new Uint8Array(new SharedArrayBuffer(entry.record.byteLength))
    shared.set(entry.record)
    await probe.write(store, { entries: [{ ...entry, record: shared }] })
    assert.ok(Buffer.from(store.read(1, 1, 1e6)[0]?.record ?? []).equals(Buffer.from(entry.record)))
    await store.close()
  }))

test('what was acked before its flush is refused after a restart of the machine', () =>
  withTemporaryDirectory(async (directory) => {
    const probe = new StoreProbe()
    const durability = 'acked-before-flush'
    const open = (mode: LmdbLogStoreOptions['durability'], events: StoreEvents = quiet): Promise<LogStore> =>
      openLmdbLogStore({ path: directory, durability: mode, events })
    const store = await open(durability, probe)
    const path = join(directory, '0')
    const [mark] = readdirSync(path).filter((name) => name.startsWith('unsynced-'))
    const text = readFileSync(join(path, mark as string), 'utf8')
    await probe.write(store, { entries: [sampleEntry(1, 1)] })
    await store.close()
    assert.ok(!readdirSync(path).includes(mark as string), 'a clean close takes the mark away')
    writeFileSync(join(path, mark as string), text)
    await (await open(durability)).close()
    writeFileSync(join(path, mark as string), 'another-boot\n')
    for (const mode of [durability, 'flush-before-ack'] as const) {
      await assert.rejects(open(mode), isDamage(/restarted/))
    }
  }))

test('a base is a place, and limits are numbers', () =>
  withTemporaryDirectory(async (path) => {
    const refused = (options: Partial<LmdbLogStoreOptions>): Promise<void> =>
      assert.rejects(openLmdbLogStore({ path, events: quiet, ...options }), (error) =>
        RaftError.is(error, 'INVALID_OPTIONS'),
      )
    for (const wrong of [-1, 1.5, Number.NaN]) {
      await refused({ base: { index: wrong, term: 1 } })
      await refused({ base: { index: 1, term: wrong } })
      await refused({ segmentBytes: wrong })
      await refused({ maxLogBytes: wrong })
    }
    await refused({ segmentEntries: 0 })
  }))

test('compaction gives the disk back, a segment at a time', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = await openLmdbLogStore({ path, segmentEntries: 10, events: probe })
    for (const entry of chainedEntries(1, 100, 1)) await probe.write(store, { entries: [entry] })
    await probe.write(store, { compactTo: { index: 75, term: 1 } })
    await store.close()
    const { segments, base, lastIndex } = scanLog(join(path, '0'))
    assert.deepEqual([base.index, lastIndex], [75, 100])
    assert.ok(segments.length <= 4, `${segments.length} segments for 25 entries`)
    const directories = readdirSync(join(path, '0')).filter((name) => name !== 'witness')
    assert.ok(directories.length <= segments.length + 1, directories.join())
  }))

test('an idle log is given back, too, once it is written to again', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = await openLmdbLogStore({ path, segmentEntries: 10, events: probe })
    for (const entry of chainedEntries(1, 95, 1)) await probe.write(store, { entries: [entry] })
    await probe.write(store, { compactTo: { index: 95, term: 1 } })
    for (const entry of chainedEntries(96, 110, 1)) await probe.write(store, { entries: [entry] })
    await store.close()
    assert.ok(scanLog(join(path, '0')).segments.every(({ firstIndex }) => firstIndex > 80))
  }))

test('a log that has reached its limit says so, and takes what it is given; a compaction makes room', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const limits = { segmentBytes: 4000, maxLogBytes: 20_000 }
    const store = await openLmdbLogStore({ path, ...limits, events: probe })
    for (const entry of chainedEntries(1, 20, 1, 1000)) await probe.write(store, { entries: [entry] })
    assert.deepEqual(probe.space, [true])
    await probe.write(store, { compactTo: { index: 15, term: 1 } })
    await probe.write(store, { entries: chainedEntries(21, 21, 1) })
    assert.deepEqual(probe.space, [true, false])
    await store.close()
  }))

test('the newest segment that is made ahead is taken up by the next start', () =>
  withTemporaryDirectory(async (path) => {
    for (const [at, entry] of chainedEntries(1, 12, 1).entries()) {
      const probe = new StoreProbe()
      const store = await openLmdbLogStore({ path, segmentEntries: 2, events: probe })
      assert.deepEqual([store.lastIndex, store.damaged], [at, []])
      await probe.write(store, { entries: [entry] })
      await store.close()
    }
    const store = await openLmdbLogStore({ path, events: quiet })
    assert.deepEqual(contentOf(store), placesOf(chainedEntries(1, 12, 1)))
    await store.close()
  }))
