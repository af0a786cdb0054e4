import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogStore, RaftError, type StoreEvents } from '@troupe/core'
import { open } from 'lmdb'
import { withTemporaryDirectory } from '../test/temporary-directory.ts'
import {
  logStoreConformance,
  type OpenStore,
  StoreProbe,
  sampleEntries,
  sampleEntry,
  sampleHardState,
} from './conformance.ts'
import { type LmdbLogStoreOptions, openLmdbLogStore } from './lmdb-log-store.ts'

function opener(options: Partial<LmdbLogStoreOptions>): OpenStore {
  return async (events, { base }) => {
    const path = mkdtempSync(join(tmpdir(), 'troupe-store-'))
    const openAgain = (to: StoreEvents): LogStore => openLmdbLogStore({ path, events: to, base, ...options })
    let store = openAgain(events)
    const reopen = async (to: StoreEvents): Promise<LogStore> => {
      await store.close()
      store = openAgain(to)
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
logStoreConformance('lmdb, map reserved', opener({ mapSizeBytes: 2 ** 28 }))

async function filled(path: string, count = 5): Promise<void> {
  const probe = new StoreProbe()
  const store = openLmdbLogStore({ path, events: probe })
  await probe.write(store, { entries: sampleEntries(1, count, 1, 100), hardState: sampleHardState(1, 'a') })
  await store.close()
}

/** Changes what is stored, past the store. `edit` returns the new value, or undefined to remove it. */
async function tamper(
  path: string,
  name: string,
  key: readonly number[],
  edit: (value: Buffer) => Uint8Array | undefined,
): Promise<void> {
  const root = open({ path, encoding: 'binary', maxDbs: 16 })
  const database = root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' })
  const id = Buffer.from(key)
  const value = edit(Buffer.from(database.get(id) as Buffer))
  await (value === undefined ? database.remove(id) : database.put(id, Buffer.from(value)))
  await root.flushed
  await root.close()
}

const keyOf = (index: number): number[] => [0, 0, 0, 0, 0, 0, 0, index]

const flipBit = (at: number) => (value: Buffer) => {
  value[at] = (value[at] as number) ^ 1
  return value
}

const isDamage = (reason: RegExp) => (error: unknown) =>
  RaftError.is(error, 'STORAGE_DAMAGED') && reason.test(error.message) && error.data.path !== ''

const quiet: StoreEvents = { onPersisted: () => {}, onFailed: () => {} }

test('lmdb: a flipped bit in an entry is found when it is read', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    await tamper(path, 'log-0', keyOf(3), flipBit(70))
    const store = openLmdbLogStore({ path, events: quiet })
    assert.throws(() => store.read(1, 5, 1e6), isDamage(/entry 3 does not fit its checksum/))
    assert.equal(store.read(4, 5, 1e6).length, 2)
    await store.close()
  }))

test('lmdb: a flipped bit in the header shows in the term lookup or the checksum', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    await tamper(path, 'log-0', keyOf(2), flipBit(14))
    const store = openLmdbLogStore({ path, events: quiet })
    assert.throws(() => store.termAt(2), isDamage(/entry 2/))
    assert.throws(() => store.read(2, 2, 1e6), isDamage(/entry 2/))
    await store.close()
  }))

test('lmdb: an entry in the place of another is found', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    await tamper(path, 'log-0', keyOf(2), () => sampleEntry(4, 1).record)
    const store = openLmdbLogStore({ path, events: quiet })
    assert.throws(() => store.read(1, 3, 1e6), isDamage(/entry 2 says it is 4/))
    assert.throws(() => store.termAt(2), isDamage(/entry 2/))
    await store.close()
  }))

test('lmdb: terms that fall are found', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    await tamper(path, 'log-0', keyOf(2), () => sampleEntry(2, 9).record)
    const store = openLmdbLogStore({ path, events: quiet })
    assert.throws(() => store.read(1, 5, 1e6), isDamage(/entry 3 has term 1 after term 9/))
    await store.close()
  }))

for (const [what, name, key, edit, reason] of [
  ['a damaged last entry', 'log-0', keyOf(5), flipBit(60), /entry 5 does not fit/],
  ['a missing entry', 'log-0', keyOf(3), () => undefined, /4 entries in a log 1..5/],
  ['a damaged hard state', 'state-0', [1], flipBit(5), /hard state/],
  ['a damaged incarnation of a vote', 'state-0', [1], flipBit(14), /hard state/],
] as const) {
  test(`lmdb: ${what} is found at open`, () =>
    withTemporaryDirectory(async (path) => {
      await filled(path)
      await tamper(path, name, key, edit)
      assert.throws(() => openLmdbLogStore({ path, events: quiet }), isDamage(reason))
    }))
}

test('lmdb: a file that is no environment is refused', () =>
  withTemporaryDirectory(async (path) => {
    for (const bytes of [1, 20_000]) {
      writeFileSync(join(path, 'data.mdb'), 'x'.repeat(bytes))
      assert.throws(() => openLmdbLogStore({ path, events: quiet }), isDamage(/not an LMDB file/))
    }
    writeFileSync(join(path, 'data.mdb'), '')
    await openLmdbLogStore({ path, events: quiet }).close()
  }))

test('lmdb: groups share an environment and keep apart', () =>
  withTemporaryDirectory(async (path) => {
    const probes = [new StoreProbe(), new StoreProbe()] as const
    const stores = [0, 1].map((group) =>
      openLmdbLogStore({ path, group, events: probes[group] as StoreProbe }),
    )
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
    await stores[0]?.close()
    await probes[1].write(stores[1] as LogStore, { entries: [sampleEntry(21, 2)] })
    await stores[1]?.close()
  }))

test('lmdb: groups that share an environment share its durability', () =>
  withTemporaryDirectory(async (path) => {
    const store = openLmdbLogStore({ path, events: quiet })
    const other = { path, group: 1, durability: 'acked-before-flush', events: quiet } as const
    assert.throws(
      () => openLmdbLogStore(other),
      (error) => RaftError.is(error, 'INVALID_OPTIONS'),
    )
    await store.close()
    await openLmdbLogStore(other).close()
  }))

test('lmdb: another writer is noticed, and nothing completes afterwards', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = openLmdbLogStore({ path, events: probe })
    await probe.write(store, { entries: sampleEntries(1, 2, 1) })
    const other = openLmdbLogStore({ path, events: quiet })
    const otherProbe = new StoreProbe()
    await other.close()
    const zombie = openLmdbLogStore({ path, events: otherProbe })
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

test('lmdb: a record in shared memory is copied', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = openLmdbLogStore({ path, events: probe })
    const entry = sampleEntry(1, 1, 5000)
    const shared = new Uint8Array(new SharedArrayBuffer(entry.record.byteLength))
    shared.set(entry.record)
    await probe.write(store, { entries: [{ ...entry, record: shared }] })
    assert.ok(Buffer.from(store.read(1, 1, 1e6)[0]?.record ?? []).equals(Buffer.from(entry.record)))
    await store.close()
  }))

test('lmdb: what was acked before its flush is refused after a restart of the machine', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const durability = 'acked-before-flush'
    const store = openLmdbLogStore({ path, durability, events: probe })
    const [mark] = readdirSync(path).filter((name) => name.startsWith('unsynced-'))
    const text = readFileSync(join(path, mark as string), 'utf8')
    await probe.write(store, { entries: [sampleEntry(1, 1)] })
    await store.close()
    assert.ok(!readdirSync(path).includes(mark as string), 'a clean close takes the mark away')
    writeFileSync(join(path, mark as string), text)
    await openLmdbLogStore({ path, durability, events: quiet }).close()
    writeFileSync(join(path, mark as string), 'another-boot\n')
    for (const mode of [durability, 'flush-before-ack'] as const) {
      assert.throws(() => openLmdbLogStore({ path, durability: mode, events: quiet }), isDamage(/restarted/))
    }
  }))

test('lmdb: a base must be a place', () =>
  withTemporaryDirectory((path) => {
    for (const wrong of [-1, 1.5, Number.NaN]) {
      for (const base of [
        { index: wrong, term: 1 },
        { index: 1, term: wrong },
      ]) {
        assert.throws(
          () => openLmdbLogStore({ path, base, events: quiet }),
          (error) => RaftError.is(error, 'INVALID_OPTIONS'),
        )
      }
    }
  }))

/** How many entries stand in the log's database, counted or not. */
async function storedEntries(path: string): Promise<number> {
  const root = open({ path, encoding: 'binary', maxDbs: 16 })
  const log = root.openDB<Buffer, Buffer>({ name: 'log-0', encoding: 'binary', keyEncoding: 'binary' })
  const { entryCount } = log.getStats() as { entryCount: number }
  await root.close()
  return entryCount
}

test('lmdb: what was compacted is taken away in bounded pieces, across restarts', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path, 1000)
    const counts: number[] = []
    for (let round = 0; round < 10; round++) {
      const probe = new StoreProbe()
      const store = openLmdbLogStore({ path, events: probe })
      if (round === 0) await probe.write(store, { compactTo: { index: 990, term: 1 } })
      else await probe.write(store, { entries: [sampleEntry(store.lastIndex + 1, 1)] })
      assert.equal(store.base.index, 990)
      assert.equal(store.read(991, store.lastIndex, 1e6).length, 10 + round)
      await store.close()
      counts.push(await storedEntries(path))
    }
    const perBatch = (counts[1] as number) - (counts[2] as number) + 1
    assert.equal(counts[0], 1000, 'the compaction itself removes nothing')
    assert.ok(perBatch > 1 && perBatch <= 200, `${perBatch} in one batch`)
    assert.equal(counts.at(-1), 19)
  }))

test('lmdb: after a reset back, too, what is compacted goes', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path, 200)
    const probe = new StoreProbe()
    const store = openLmdbLogStore({ path, events: probe })
    await probe.write(store, { compactTo: { index: 190, term: 1 } })
    for (let index = 201; index <= 203; index++)
      await probe.write(store, { entries: [sampleEntry(index, 1)] })
    await probe.write(store, { reset: { index: 10, term: 2 }, entries: sampleEntries(11, 60, 2) })
    await probe.write(store, { compactTo: { index: 50, term: 2 } })
    for (let index = 61; index <= 63; index++) await probe.write(store, { entries: [sampleEntry(index, 2)] })
    await store.close()
    assert.equal(await storedEntries(path), 13)
  }))

test('lmdb: a missing entry is found beside what is left over', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path, 50)
    const probe = new StoreProbe()
    const store = openLmdbLogStore({ path, events: probe })
    await probe.write(store, { compactTo: { index: 20, term: 1 } })
    await store.close()
    await tamper(path, 'log-0', keyOf(10), () => undefined)
    await openLmdbLogStore({ path, events: quiet }).close()
    await tamper(path, 'log-0', keyOf(21), () => undefined)
    assert.throws(() => openLmdbLogStore({ path, events: quiet }), isDamage(/29 entries in a log 21..50/))
  }))
