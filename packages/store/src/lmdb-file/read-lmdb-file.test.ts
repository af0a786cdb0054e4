import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { readLmdbFile } from './read-lmdb-file.ts'
import {
  keyOf,
  makeSample,
  openSample,
  readItems,
  SampleBytes,
  sampleTransactions,
} from './sample-files.fixture.ts'

const PAGE = 4096

for (const [name, transactions] of Object.entries(sampleTransactions)) {
  test(`reads what LMDB has written: ${name}`, () =>
    withTemporaryDirectory(async (path) => {
      const { file, items } = await makeSample(path, transactions)
      const found = readItems(file)
      assert.deepEqual(found.report.damage, [])
      assert.deepEqual(found.items, new Map([...items].sort(([a], [b]) => (a < b ? -1 : 1))))
      assert.equal(found.report.kind, 'database')
      assert.equal(found.report.pageBytes, PAGE)
      assert.equal(found.report.txnId, transactions.length)
      assert.equal(found.report.metaPage, transactions.length % 2)
      assert.equal(found.report.fileBytes, statSync(file).size)
    }))
}

test('the samples have what there is to damage: branches, long values, free pages', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, sampleTransactions['many times written'] ?? [])
    const sample = new SampleBytes(file)
    assert.ok(sample.isBranch(sample.root))
    assert.ok(
      sample.tree(sample.root).some((page) => !sample.isBranch(page) && sample.references(page).length > 0),
    )
    assert.ok(readItems(file).report.freePageCount > 100)
  }))

test('an environment that nobody has written to is sound and without entries', () =>
  withTemporaryDirectory(async (path) => {
    await openSample(path).close()
    const { report } = readItems(join(path, 'data.mdb'))
    assert.deepEqual([report.kind, report.isSound, report.txnId, report.entryCount], ['database', true, 0, 0])
  }))

test('reads without touching anything, while the environment is open, and sees each commit', () =>
  withTemporaryDirectory(async (path) => {
    const database = openSample(path)
    for (let index = 1; index <= 5; index++) {
      await database.batch(() => void database.put(keyOf(index), Buffer.alloc(10_000, index)))
      const before = statSync(join(path, 'data.mdb')).mtimeMs
      const { report, items } = readItems(join(path, 'data.mdb'))
      assert.deepEqual([report.isSound, report.txnId, items.size], [true, index, index])
      assert.equal(statSync(join(path, 'data.mdb')).mtimeMs, before)
    }
    await database.close()
    assert.deepEqual(readdirSync(path).sort(), ['data.mdb', 'lock.mdb'])
  }))

const unreadable: readonly [string, (bytes: Buffer) => Buffer, RegExp][] = [
  ['cut off in its first page', (bytes) => bytes.subarray(0, 100), /the file ends before its meta page/],
  ['of garbage', (bytes) => Buffer.alloc(bytes.length, 'garbage'), /not an LMDB meta page/],
  ['of zeros', (bytes) => Buffer.alloc(bytes.length), /not an LMDB meta page/],
  [
    'of a big-endian machine',
    (bytes) => bothMetas(bytes, (meta) => meta.subarray(24, 28).reverse()),
    /big-endian/,
  ],
  ['of a 32-bit machine', (bytes) => bothMetas(bytes, (meta) => meta.copyWithin(16, 24, 200)), /32-bit/],
  [
    'of format 1',
    (bytes) => bothMetas(bytes, (meta) => meta.copyWithin(16, 24, 200).writeUInt32LE(1, 20)),
    /format 1/,
  ],
  ['of a later format', (bytes) => bothMetas(bytes, (meta) => meta.writeUInt32LE(999, 28)), /format 999/],
  ['that is encrypted', (bytes) => bothMetas(bytes, (meta) => meta.writeUInt16LE(0x2008, 52)), /encrypted/],
]

function bothMetas(bytes: Buffer, change: (meta: Buffer) => unknown): Buffer {
  for (const page of [0, 1]) change(bytes.subarray(page * PAGE, page * PAGE + 200))
  return bytes
}

for (const [name, change, reason] of unreadable) {
  test(`a file ${name} is unreadable, and says why`, () =>
    withTemporaryDirectory(async (path) => {
      const { file } = await makeSample(path, sampleTransactions['a few entries'] ?? [])
      writeFileSync(file, change(new SampleBytes(file).bytes))
      const { report } = readItems(file)
      assert.equal(report.kind, 'unreadable')
      assert.match(report.damage[0]?.reason ?? '', reason)
      assert.equal(report.entryCount, 0)
    }))
}

test('a file without bytes is a new environment, as for LMDB', () =>
  withTemporaryDirectory(async (path) => {
    writeFileSync(join(path, 'data.mdb'), '')
    const { report } = readItems(join(path, 'data.mdb'))
    assert.deepEqual([report.kind, report.isSound], ['empty-file', true])
    await openSample(path).close()
    assert.equal(readItems(join(path, 'data.mdb')).report.kind, 'database')
  }))

test('of two meta pages the newest whole one counts, and the loss of either is damage', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [(put) => put(1, 10), (put) => put(2, 10), (put) => put(3, 10)])
    for (const [lost, txnId, size] of [
      [0, 3, 3],
      [1, 2, 2],
    ] as const) {
      const { bytes } = new SampleBytes(file)
      bytes.fill(0, lost * PAGE, lost * PAGE + PAGE)
      writeFileSync(join(path, 'damaged'), bytes)
      const { report, items } = readItems(join(path, 'damaged'))
      assert.deepEqual([report.metaPage, report.txnId, items.size], [1 - lost, txnId, size])
      assert.deepEqual(report.damage, [{ page: lost, reason: 'not an LMDB meta page' }])
    }
  }))

test('meta pages that do not follow each other are damage: a commit was lost', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [(put) => put(1, 10), (put) => put(2, 10)])
    const { bytes } = new SampleBytes(file)
    bytes.writeBigUInt64LE(5n, PAGE + 152)
    writeFileSync(file, bytes)
    assert.match(readItems(file).report.damage[0]?.reason ?? '', /transactions 2 and 5: one was lost/)
  }))

test('the meta page that LMDB leaves behind where its write failed is no damage', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [(put) => put(1, 10), (put) => put(2, 10), (put) => put(3, 10)])
    const { bytes } = new SampleBytes(file)
    // Roots of the transaction that failed, with the last page of the one before.
    bytes.writeBigUInt64LE(10_000n, 136)
    writeFileSync(file, bytes)
    assert.deepEqual(readItems(file).report.damage, [])
  }))

test('a page that is in use and in the free list, or there twice, is damage', () =>
  withTemporaryDirectory(async (path) => {
    const { file, items } = await makeSample(path, sampleTransactions['many times written'] ?? [])
    const sample = new SampleBytes(file)
    const leaf = sample.tree(sample.freeListRoot).find((page) => !sample.isBranch(page)) as number
    const record = (sample.nodes(leaf).at(-1) as number) + 16
    assert.ok(sample.number(record) >= 2, 'the record has pages')
    const listed = sample.number(record + 8)
    for (const [page, reason] of [
      [sample.root, /page \d+ is in use/],
      [listed, /page \d+ is in the free list twice/],
      [1, /1 pages from 1 of/],
      [2 ** 40, /1 pages from 1099511627776 of/],
    ] as const) {
      sample.bytes.writeBigUInt64LE(BigInt(page), record + 16)
      writeFileSync(file, sample.bytes)
      const found = readItems(file)
      assert.match(found.report.damage[0]?.reason ?? '', reason)
      assert.equal(found.items.size, items.size)
    }
  }))

test('a database of another kind is named and not entered', () =>
  withTemporaryDirectory(async (path) => {
    const root = openSample(path)
    await root
      .openDB({ name: 'named', encoding: 'binary', keyEncoding: 'binary' })
      .put(keyOf(1), Buffer.from('x'))
    await root.close()
    const { report, items } = readItems(join(path, 'data.mdb'))
    assert.equal(items.size, 0)
    assert.match(report.damage[0]?.reason ?? '', /a kind of database this reader does not know/)
  }))

test('where the file moves on under the walk, it is read anew', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [(put) => put(1, 10), (put) => put(2, 10)])
    copyFileSync(file, join(path, 'moving'))
    const commits: [number, boolean, number][] = [
      // One commit later nothing that was read can have been written over.
      [1, true, 0],
      [2, true, 1],
    ]
    for (const [count, isSound, restarts] of commits) {
      copyFileSync(file, join(path, 'moving'))
      let restarted = 0
      let left = 1
      const report = readLmdbFile(
        join(path, 'moving'),
        () => {
          if (left-- > 0) moveOn(join(path, 'moving'), count)
        },
        { attempts: 2, onRestart: () => void restarted++ },
      )
      assert.deepEqual([report.isSound, restarted], [isSound, restarts])
    }
    const report = readLmdbFile(join(path, 'moving'), () => moveOn(join(path, 'moving'), 2), { attempts: 3 })
    assert.deepEqual(report.damage, [{ page: 0, reason: 'changed while it was read' }])
  }))

/** Further transactions that change nothing. */
function moveOn(file: string, count: number): void {
  const sample = new SampleBytes(file)
  for (let i = 0; i < count; i++) {
    const from = sample.newestMeta
    const to = 1 - from
    const txnId = sample.number(from * PAGE + 152) + 1
    sample.bytes.copy(sample.bytes, to * PAGE + 24, from * PAGE + 24, from * PAGE + 168)
    sample.bytes.writeBigUInt64LE(BigInt(txnId), to * PAGE + 152)
  }
  writeFileSync(file, sample.bytes)
}

test('what is no file, or is missing, is STORAGE_FAILED', () =>
  withTemporaryDirectory((path) => {
    mkdirSync(join(path, 'directory'))
    for (const place of [join(path, 'missing'), join(path, 'directory'), '/dev/zero']) {
      if (place === '/dev/zero' && !existsSync(place)) continue
      assert.throws(
        () => readLmdbFile(place, () => {}),
        (error) => error instanceof RaftError && error.code === 'STORAGE_FAILED',
      )
    }
  }))

test('what the visitor throws comes out as it is', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, sampleTransactions['a few entries'] ?? [])
    const thrown = new Error('enough')
    assert.throws(
      () =>
        readLmdbFile(file, () => {
          throw thrown
        }),
      (error) => error === thrown,
    )
  }))
