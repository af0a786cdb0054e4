/** What is told of snapshot files, to the store that opens and to people who look. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { RaftError } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { quiescent, SnapshotProbe, sampleSnapshot, wholeOf, writeAll } from '../conformance.ts'
import {
  type DamagedSnapshot,
  type FileSnapshotStoreOptions,
  listSnapshots,
  openFileSnapshotStore,
  verifySnapshotFile,
} from '../index.ts'

const identity = { clusterId: 'blue', group: 2 }
const sample = sampleSnapshot(12, 200_000)
const waiting = sampleSnapshot(20, 300_000)

/** A complete snapshot, a draft of each kind, and a damaged one; returns the complete one's file. */
async function fill(path: string): Promise<string> {
  const probe = new SnapshotProbe()
  const store = openFileSnapshotStore({ path, identity, events: probe })
  writeAll(store, sample)
  await probe.saved(sample.meta)
  const directory = join(path, '2')
  const [name] = readdirSync(directory)
  store.begin()
  store.write(sample.data)
  store.receive(waiting.meta, 0, waiting.data.subarray(0, 100_000))
  await quiescent(store)
  const own = readdirSync(directory).find((file) => file.startsWith('own')) as string
  const bytes = readFileSync(join(directory, own))
  await store.close()
  // As a killed process leaves it.
  writeFileSync(join(directory, own), bytes)
  writeFileSync(join(directory, 'notes.txt'), 'of somebody else')
  return join(directory, name as string)
}

function open(path: string, options: Partial<FileSnapshotStoreOptions> = {}) {
  const damaged: DamagedSnapshot[] = []
  const events = new SnapshotProbe()
  const store = openFileSnapshotStore({
    path,
    identity,
    events,
    onDamaged: (file) => damaged.push(file),
    ...options,
  })
  return { store, damaged, events }
}

/** Writes another format into the file's first bytes, as that would. */
function setFormat(file: string, format: number): void {
  const bytes = readFileSync(file)
  bytes.writeUInt32LE(format, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  writeFileSync(file, bytes)
}

const isDamaged = (reason: RegExp) => (error: unknown) =>
  RaftError.is(error, 'STORAGE_DAMAGED') && reason.test(error.message)

test('snapshots are listed, complete ones and drafts, sound or not, and nothing is changed', () =>
  withTemporaryDirectory(async (path) => {
    assert.deepEqual(listSnapshots(join(path, 'none')), [])
    const file = await fill(path)
    cpSync(file, `${file}.damaged-1`)
    const cut = readFileSync(file).subarray(0, 1000)
    const cutFile = file.replace('0012-', '0011-')
    writeFileSync(cutFile, cut)
    const before = readdirSync(join(path, '2'))
    const listed = listSnapshots(path)
    assert.deepEqual(readdirSync(join(path, '2')), before)
    const shown = listed.map(({ kind, group, clusterId, meta, damage }) => ({
      kind,
      group,
      clusterId,
      index: meta?.index,
      isDamaged: damage !== undefined,
    }))
    const each = { group: 2, clusterId: 'blue' }
    assert.deepEqual(shown, [
      { ...each, kind: 'complete', index: undefined, isDamaged: true },
      { ...each, kind: 'complete', index: 12, isDamaged: false },
      { ...each, kind: 'damaged', index: 12, isDamaged: false },
      { ...each, kind: 'own-draft', index: undefined, isDamaged: false },
      { ...each, kind: 'received-draft', index: 20, isDamaged: false },
    ])
    assert.match(listed[0]?.damage ?? '', /does not end with a seal/)
    assert.deepEqual(listed[1]?.meta, sample.meta)
    assert.equal(listed[1]?.fileBytes, readFileSync(file).byteLength)
  }))

test('a file is verified whole, under any name', () =>
  withTemporaryDirectory(async (path) => {
    const file = await fill(path)
    const found = await verifySnapshotFile(file, identity)
    assert.deepEqual(found, {
      path: file,
      ...identity,
      meta: sample.meta,
      fileBytes: readFileSync(file).byteLength,
    })
    const copy = join(path, 'backup')
    cpSync(file, copy)
    assert.deepEqual((await verifySnapshotFile(copy)).meta, sample.meta)
    const bytes = readFileSync(copy)
    bytes[150_000] = (bytes[150_000] as number) ^ 1
    writeFileSync(copy, bytes)
    await assert.rejects(verifySnapshotFile(copy), isDamaged(/chunk at byte 131072/))
    await assert.rejects(
      verifySnapshotFile(file, { clusterId: 'red', group: 2 }),
      isDamaged(/"blue", group 2/),
    )
    const draft = readdirSync(join(path, '2')).find((name) => name.startsWith('received')) as string
    await assert.rejects(verifySnapshotFile(join(path, '2', draft)), isDamaged(/not complete/))
    await assert.rejects(
      verifySnapshotFile(join(path, 'none')),
      (error) => RaftError.is(error, 'STORAGE_FAILED') && /ENOENT/.test(error.message),
    )
  }))

test('drafts of the node itself are removed at the start, received ones go on, others are not touched', () =>
  withTemporaryDirectory(async (path) => {
    await fill(path)
    const { store, damaged, events } = open(path)
    const names = readdirSync(join(path, '2'))
    assert.ok(!names.some((name) => name.startsWith('own')))
    assert.ok(names.includes('notes.txt'))
    assert.equal(store.received(waiting.meta), 100_000)
    store.receive(waiting.meta, 100_000, waiting.data.subarray(100_000))
    await events.received(waiting.meta)
    await store.close()
    assert.deepEqual(damaged, [])
  }))

test('the directory is made with the first snapshot', () =>
  withTemporaryDirectory(async (parent) => {
    const path = join(parent, 'snapshots')
    const { store } = open(path)
    store.begin()
    store.abort()
    assert.equal(store.received(sample.meta), 0)
    await store.close()
    assert.ok(!existsSync(path))
  }))

for (const other of [
  { clusterId: 'red', group: 2 },
  { clusterId: 'blue', group: 3 },
]) {
  test(`a file of cluster ${other.clusterId}, group ${other.group} is moved aside`, () =>
    withTemporaryDirectory(async (path) => {
      await fill(path)
      cpSync(join(path, '2'), join(path, '9', String(other.group)), { recursive: true })
      const { store, damaged } = open(join(path, '9'), { identity: other })
      assert.equal(store.latest, undefined)
      assert.equal(store.received(waiting.meta), 0)
      await store.close()
      assert.equal(damaged.length, 1)
      assert.match(damaged[0]?.reason ?? '', /belongs to cluster "blue", group 2, expected/)
      assert.ok(existsSync(damaged[0]?.path as string))
    }))
}

for (const chunk of [0, 1, 2]) {
  test(`a whole chunk of another file is found where that is read, chunk ${chunk}`, () =>
    withTemporaryDirectory(async (path) => {
      const first = sampleSnapshot(3, 150_000)
      const second = sampleSnapshot(4, 150_000)
      const filled = open(path)
      for (const each of [first, second]) {
        writeAll(filled.store, each)
        await filled.events.saved(each.meta)
      }
      await filled.store.close()
      const files = listSnapshots(path).map((file) => file.path) as [string, string]
      const [from, bytes] = files.map((file) => readFileSync(file)) as [Buffer, Buffer]
      const start = bytes.readUInt32LE(16) + 24 + chunk * 65_552
      from.copy(bytes, start, start, chunk === 2 ? bytes.byteLength - 400 : start + 65_552)
      writeFileSync(files[1], bytes)
      await assert.rejects(verifySnapshotFile(files[1]), isDamaged(/./))
      const { store, damaged } = open(path)
      const { checksum } = second.meta
      if (store.latest?.index === 4) {
        assert.throws(() => store.read(4, checksum, chunk * 65_536 + 5, 10), isDamaged(/chunk at byte/))
      }
      assert.equal(store.latest?.index, 3)
      assert.equal(damaged.length, 1)
      await store.close()
    }))
}

test('each damaged file is kept', () =>
  withTemporaryDirectory(async (path) => {
    const file = await fill(path)
    const bytes = readFileSync(file).subarray(0, -1)
    for (let round = 1; round <= 3; round++) {
      writeFileSync(file, bytes)
      const { store, damaged } = open(path)
      assert.equal(store.latest, undefined)
      await store.close()
      assert.deepEqual(
        damaged.map((one) => one.path),
        [`${file}.damaged-${round}`],
      )
    }
  }))

for (const [format, advice] of [
  [2, /format 2, this version reads 1: upgrade Troupe/],
  [0, /format 0, this version reads 1: it was made by an older Troupe/],
] as const) {
  test(`a snapshot of format ${format} is refused, and nothing is changed`, () =>
    withTemporaryDirectory(async (path) => {
      const file = await fill(path)
      setFormat(file, format)
      const before = readdirSync(join(path, '2'))
      const refused = (error: unknown) =>
        RaftError.is(error, 'INVALID_DIRECTORY') && advice.test(error.message)
      assert.throws(() => open(path), refused)
      await assert.rejects(verifySnapshotFile(file), refused)
      assert.match(listSnapshots(path)[0]?.damage ?? '', advice)
      assert.deepEqual(readdirSync(join(path, '2')), before)
    }))
}

test('after a restart of the machine nothing is trusted that was not flushed', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new SnapshotProbe()
    const unflushed = { identity, durability: 'acked-before-flush', events: probe } as const
    const store = openFileSnapshotStore({ path, ...unflushed })
    writeAll(store, sample)
    await probe.saved(sample.meta)
    const crashed = join(path, 'crashed')
    cpSync(join(path, '2'), join(crashed, '2'), { recursive: true })
    await store.close()
    const closed = open(path)
    assert.equal(closed.store.latest?.index, 12)
    await closed.store.close()
    const [mark] = readdirSync(join(crashed, '2')).filter((name) => name.startsWith('unsynced-'))
    const samePlace = open(crashed, { durability: 'acked-before-flush' })
    assert.ok(wholeOf(samePlace.store, sample.meta)?.equals(sample.data), 'the process died, not the machine')
    await samePlace.store.close()
    writeFileSync(join(crashed, '2', mark as string), 'another-boot\n')
    assert.throws(() => open(crashed), isDamaged(/machine was restarted/))
  }))
