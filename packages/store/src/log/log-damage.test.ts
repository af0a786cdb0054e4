/** Damage on real files: found when the log is opened, told as ranges, mended in place, never cut away. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Entry, type LogStore, RaftError } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { chainedEntries, contentOf, placesOf, StoreProbe, sampleHardState } from '../conformance.ts'
import { type LmdbLogStoreOptions, openLmdbLogStore } from './open-lmdb-log-store.ts'
import { segmentName } from './segment.ts'

const LAST = 20
const PAGE = 4096
const OWNER = { clusterId: 'c', nodeId: 'a', incarnation: 7 }
/** Some in a leaf with others, some on pages of their own. */
const ENTRIES = [
  ...chainedEntries(1, 9, 1, 50),
  ...chainedEntries(10, 15, 2, 9000, chainedEntries(1, 9, 1, 50).at(-1)),
]
ENTRIES.push(...chainedEntries(16, LAST, 3, 300, ENTRIES.at(-1)))

const open = (path: string, more: Partial<LmdbLogStoreOptions> = {}): Promise<LogStore> =>
  openLmdbLogStore({ path, owner: OWNER, segmentEntries: 6, events: new StoreProbe(), ...more })

/** Segments 1..6, 7..12, 13..18, 19..20. */
async function filled(
  path: string,
  more: Partial<LmdbLogStoreOptions> = {},
  entries = ENTRIES,
): Promise<void> {
  const probe = new StoreProbe()
  const store = await open(path, { events: probe, ...more })
  for (const entry of entries) {
    await probe.write(store, { entries: [entry], hardState: sampleHardState(entry.index, 'v') })
  }
  await store.close()
}

const dataFile = (path: string, sequence: number): string =>
  join(path, '0', segmentName(sequence), 'data.mdb')

function edit(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file)
  change(bytes)
  writeFileSync(file, bytes)
}

const indexesOf = (store: LogStore): number[] =>
  store.damaged.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i))

/** Does what the core's repair does with a leader that has `ENTRIES`, and checks that the log is whole again, for good. */
async function mends(path: string, expected = ENTRIES): Promise<void> {
  const probe = new StoreProbe()
  const store = await open(path, { events: probe })
  assert.ok(store.lastIndex >= LAST, 'an end that was acknowledged is never cut')
  const damaged = new Set(
    store.damaged.flatMap(({ from, to }) => (from > LAST ? [] : range(from, Math.min(to, LAST)))),
  )
  for (const index of range(1, LAST)) {
    if (damaged.has(index)) assert.equal(store.termAt(index), undefined)
    else assert.ok(Buffer.from(bytesOf(store, index)).equals(expected[index - 1]?.record ?? Buffer.alloc(0)))
  }
  const repairs = [...damaged].map((index) => expected[index - 1] as Entry)
  await probe.write(store, { repairs: repairs.filter(({ index }) => index % 2 === 0) })
  const truncateFrom = store.lastIndex > LAST ? LAST + 1 : undefined
  await probe.write(store, { repairs: repairs.filter(({ index }) => index % 2 === 1), truncateFrom })
  assert.deepEqual(store.damaged, [])
  assert.deepEqual(contentOf(store), placesOf(expected))
  await store.close()
  const again = await open(path)
  assert.deepEqual([again.damaged, contentOf(again)], [[], placesOf(expected)])
  assert.deepEqual(again.hardState, sampleHardState(LAST, 'v'), 'the vote has survived')
  await again.close()
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)
const bytesOf = (store: LogStore, index: number): Uint8Array =>
  store.read(index, index, 1)[0]?.record ?? new Uint8Array()

/** Where a record stands in its segment's file, copies on pages that are no longer used included. */
function offsetsOf(file: string, entry: Entry): number[] {
  const bytes = readFileSync(file)
  const offsets: number[] = []
  for (let at = bytes.indexOf(entry.record); at >= 0; at = bytes.indexOf(entry.record, at + 1))
    offsets.push(at)
  assert.ok(offsets.length > 0, `entry ${entry.index} is in the file`)
  return offsets
}

const whole = async (path: string, indexes: readonly number[]): Promise<void> => {
  const store = await open(path)
  assert.deepEqual(indexesOf(store), indexes)
  await store.close()
}

for (const [index, sequence] of [
  [3, 1],
  [12, 2],
  [20, 4],
] as const) {
  test(`a flipped bit in entry ${index}`, () =>
    withTemporaryDirectory(async (path) => {
      await filled(path)
      const file = dataFile(path, sequence)
      for (const offset of [90, 2, 17]) {
        const kept = readFileSync(file)
        const places = offsetsOf(file, ENTRIES[index - 1] as Entry)
        edit(file, (bytes) => {
          for (const at of places) bytes[at + offset] = (bytes[at + offset] as number) ^ 16
        })
        await whole(path, [index])
        await mends(path)
        writeFileSync(file, kept)
      }
    }))
}

test('an entry of an overwritten log in the place of the right one', () =>
  withTemporaryDirectory(async (path) => {
    const stale = chainedEntries(4, 4, 1, 50, ENTRIES[1])[0] as Entry
    await filled(path, {}, ENTRIES.with(3, stale))
    await whole(path, [3, 4, 5])
    await mends(path)
  }))

for (const [what, sequence] of [
  ['a sealed segment', 2],
  ['the oldest segment', 1],
  ['the active segment', 4],
] as const) {
  test(`any page of ${what} is zeroed`, () =>
    withTemporaryDirectory(async (path) => {
      await filled(path)
      const kept = join(path, 'kept')
      cpSync(join(path, '0'), kept, { recursive: true })
      const pages = readFileSync(dataFile(path, sequence)).byteLength / PAGE
      let damaged = 0
      for (let page = 0; page < pages; page++) {
        rmSync(join(path, '0'), { recursive: true })
        cpSync(kept, join(path, '0'), { recursive: true })
        edit(dataFile(path, sequence), (bytes) => bytes.fill(0, page * PAGE, (page + 1) * PAGE))
        const store = await open(path)
        if (store.damaged.length > 0) damaged++
        await store.close()
        await mends(path)
      }
      assert.ok(damaged > 0)
    }))

  for (const [how, change] of Object.entries({
    'is cut off in the middle': (file: string) => truncateSync(file, 3 * PAGE + 100),
    'is cut off in its first page': (file: string) => truncateSync(file, 100),
    'is emptied': (file: string) => truncateSync(file, 0),
    'is gone': (file: string) => rmSync(file),
    'is gone with its directory': (file: string) => rmSync(join(file, '..'), { recursive: true }),
    'is no LMDB file': (file: string) => writeFileSync(file, 'x'.repeat(20_000)),
  })) {
    test(`${what} ${how}`, () =>
      withTemporaryDirectory(async (path) => {
        await filled(path)
        change(dataFile(path, sequence))
        const store = await open(path)
        assert.ok(store.damaged.length > 0)
        await store.close()
        await mends(path)
      }))
  }
}

test('two segments are swapped', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    const [second, third] = [2, 3].map((sequence) => readFileSync(dataFile(path, sequence)))
    writeFileSync(dataFile(path, 2), third as Buffer)
    writeFileSync(dataFile(path, 3), second as Buffer)
    await whole(path, range(7, 18))
    await mends(path)
    const names = readdirSync(join(path, '0'))
    assert.equal(names.filter((name) => name.includes('damaged')).length, 2, 'they are kept to be looked at')
  }))

test("a segment of another node's log", () =>
  withTemporaryDirectory(async (path) => {
    const other = join(path, 'other')
    await filled(path)
    await filled(other, { owner: { ...OWNER, nodeId: 'b' } })
    cpSync(dataFile(other, 3), dataFile(path, 3))
    await whole(path, range(13, 18))
    await mends(path)
  }))

test("another node's log as a whole is refused", () =>
  withTemporaryDirectory(async (path) => {
    await filled(path, { owner: { ...OWNER, incarnation: 8 } })
    await assert.rejects(open(path), (error) => {
      assert.ok(RaftError.is(error, 'STORAGE_DAMAGED'))
      return /incarnation 8, not 7/.test(error.message)
    })
  }))

/** The log as it was when it was closed at `at`, and as it was closed later, for a file of it to be put back. */
async function grown(path: string, at: number): Promise<string> {
  await filled(path, {}, ENTRIES.slice(0, at))
  const earlier = join(path, 'earlier')
  cpSync(join(path, '0'), earlier, { recursive: true })
  await filled(path, {}, ENTRIES.slice(at))
  return earlier
}

test('an older copy of the active segment is put back: the witness knows more', () =>
  withTemporaryDirectory(async (path) => {
    const earlier = await grown(path, 19)
    cpSync(join(earlier, segmentName(4), 'data.mdb'), dataFile(path, 4))
    await whole(path, [20])
    await mends(path)
  }))

test('an older copy of a sealed segment is put back: the next one knows more', () =>
  withTemporaryDirectory(async (path) => {
    const earlier = await grown(path, 15)
    cpSync(join(earlier, segmentName(3), 'data.mdb'), dataFile(path, 3))
    await whole(path, [16, 17, 18])
    await mends(path)
  }))

test('an older copy of the whole log is not found here, but peers may prove it', () =>
  withTemporaryDirectory(async (path) => {
    const earlier = await grown(path, 15)
    rmSync(join(path, '0'), { recursive: true })
    cpSync(earlier, join(path, '0'), { recursive: true })
    const store = await open(path)
    assert.deepEqual([store.lastIndex, store.damaged], [15, []])
    store.forgotten(LAST)
    await store.close()
    await whole(path, range(16, LAST))
  }))

test('without its witness, or with a damaged one, the log speaks for itself', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    const witness = join(path, '0', 'witness')
    edit(witness, (bytes) => bytes.fill(0x55))
    await whole(path, [])
    rmSync(witness)
    await whole(path, [])
    assert.ok(existsSync(witness))
  }))

test('without witness and newest segment term and vote are lost: refused', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    rmSync(join(path, '0', 'witness'))
    truncateSync(dataFile(path, 4), 100)
    await assert.rejects(
      open(path),
      (error) => RaftError.is(error, 'STORAGE_DAMAGED') && /term and vote/.test(error.message),
    )
  }))

test('a truncation over segments stays one, also where the segment that did it is lost', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    const probe = new StoreProbe()
    const store = await open(path, { events: probe })
    const entries = chainedEntries(10, LAST, 5, 40, ENTRIES[8])
    await probe.write(store, {
      truncateFrom: 10,
      entries: entries.slice(0, 2),
      hardState: sampleHardState(LAST, 'v'),
    })
    await probe.write(store, { entries: entries.slice(2) })
    await store.close()
    const segments = readdirSync(join(path, '0')).filter((name) => /^\d+$/.test(name))
    assert.deepEqual(segments.slice(0, 2), [segmentName(1), segmentName(2)])
    const expected = [...ENTRIES.slice(0, 9), ...entries]
    rmSync(join(path, '0', segments[2] as string), { recursive: true })
    const crashed = await open(path)
    assert.equal(crashed.damaged[0]?.from, 10, 'what it had taken the place of does not come back')
    await crashed.close()
    await mends(path, expected)
  }))
