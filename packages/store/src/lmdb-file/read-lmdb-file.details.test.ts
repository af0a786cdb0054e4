import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
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

async function sampleAt(
  path: string,
  name: string,
): Promise<{ sample: SampleBytes; file: string; count: number }> {
  const { file, items } = await makeSample(path, sampleTransactions[name] ?? [])
  return { sample: new SampleBytes(file), file, count: items.size }
}

const reasonsOf = (file: string): string =>
  readItems(file)
    .report.damage.map(({ reason }) => reason)
    .join('\n')

/** `meta` is where the newest meta page begins. */
const metaDamages: readonly [string, (bytes: Buffer, meta: number) => unknown, RegExp][] = [
  ['no id of its transaction', (bytes, meta) => flip(bytes, meta + 152, 1), /^transaction 0 with pages$/m],
  [
    'the id of the other one’s transaction',
    (bytes, meta) => flip(bytes, meta + 152, 3),
    /^transaction 2 in meta page 1$/m,
  ],
  ['another page size', (bytes) => bytes.writeUInt32LE(8192, 48), /^pages of 8192 bytes, not of 4096$/m],
  [
    'checksums of pages',
    (bytes) => bytes.writeUInt16LE(8, PAGE - 2),
    /^pages with checksums: not known here$/m,
  ],
  [
    'the flags of a leaf',
    (bytes, meta) => bytes.writeUInt16LE(2, meta + 18),
    /^a meta page with the flags 2$/m,
  ],
  [
    'another page number',
    (bytes, meta) => bytes.writeUInt32LE(7, meta),
    /^a meta page that says it is page 7$/m,
  ],
  [
    'unknown flags',
    (bytes, meta) => bytes.writeUInt16LE(0x18, meta + 52),
    /^an environment with the flags 24$/m,
  ],
  ['no depth', (bytes, meta) => bytes.writeUInt16LE(0, meta + 102), /^the database is 0 pages deep$/m],
  [
    'too great a depth',
    (bytes, meta) => bytes.writeUInt16LE(33, meta + 102),
    /^the database is 33 pages deep$/m,
  ],
  [
    'no root, but entries',
    (bytes, meta) => bytes.fill(255, meta + 136, meta + 144),
    /^the database has no root but \d+ entries/m,
  ],
  [
    'a meta page as root',
    (bytes, meta) => bytes.writeUInt32LE(1, meta + 136),
    /^the root of the database is page 1 of/m,
  ],
  [
    'a database of duplicates',
    (bytes, meta) => bytes.writeUInt16LE(4, meta + 100),
    /^flags 4, a kind of database/m,
  ],
]

function flip(bytes: Buffer, offset: number, bits: number): void {
  bytes[offset] = (bytes[offset] as number) ^ bits
}

for (const [name, change, reason] of metaDamages) {
  test(`finds a meta page with ${name}`, () =>
    withTemporaryDirectory(async (path) => {
      const { sample, file } = await sampleAt(path, 'a few entries')
      change(sample.bytes, sample.newestMeta * PAGE)
      writeFileSync(file, sample.bytes)
      assert.match(reasonsOf(file), reason)
    }))
}

/** `record` is where a record of the free list begins: its node, an 8-byte key, its words. */
const freeListDamages: readonly [string, (bytes: Buffer, record: number) => unknown, RegExp][] = [
  [
    'more words than it has',
    (bytes, record) => bytes.writeUInt32LE(2 ** 20, record + 16),
    /1048576 words in a place for \d+/,
  ],
  [
    'half a word',
    (bytes, record) => bytes.writeUInt16LE(bytes.readUInt16LE(record) - 4, record),
    /record \d+: \d+ bytes long/,
  ],
  [
    'a later transaction',
    (bytes, record) => bytes.writeUInt32LE(1000, record + 8),
    /record 1000: the last transaction is 40/,
  ],
  [
    'a run without a place',
    (bytes, record) => {
      const last = bytes.readUInt16LE(record) / 8 - 1
      bytes.writeUInt32LE(last, record + 16)
      bytes.writeBigInt64LE(-2n, record + 16 + 8 * last)
    },
    /a run of pages without a place/,
  ],
]

for (const [name, change, reason] of freeListDamages) {
  test(`finds a record of the free list with ${name}`, () =>
    withTemporaryDirectory(async (path) => {
      const { sample, file, count } = await sampleAt(path, 'many times written')
      change(sample.bytes, recordOf(sample))
      writeFileSync(file, sample.bytes)
      assert.match(reasonsOf(file), reason)
      assert.equal(readItems(file).items.size, count)
    }))
}

/** The last record that stands on its leaf. */
function recordOf(sample: SampleBytes): number {
  const leaf = sample.tree(sample.freeListRoot).findLast((page) => !sample.isBranch(page)) as number
  return sample.nodes(leaf).findLast((node) => sample.bytes.readUInt16LE(node + 4) === 0) as number
}

test('pages behind the end of the file are no damage where they are free, once', () =>
  withTemporaryDirectory(async (path) => {
    const { sample, file } = await sampleAt(path, 'many times written')
    const record = recordOf(sample)
    const lastPage = sample.newestMeta * PAGE + 144
    const beyond = sample.bytes.byteLength / PAGE
    sample.bytes.writeBigUInt64LE(BigInt(beyond), lastPage)
    sample.bytes.writeBigUInt64LE(BigInt(beyond), record + 24)
    writeFileSync(file, sample.bytes)
    assert.equal(reasonsOf(file), '')
    sample.bytes.writeBigUInt64LE(BigInt(beyond), record + 32)
    writeFileSync(file, sample.bytes)
    assert.deepEqual(readItems(file).report.damage, [
      { page: beyond, reason: 'it is in the free list twice' },
    ])
  }))

test('finds a page of the free list that is in the free list', () =>
  withTemporaryDirectory(async (path) => {
    const database = openSample(path)
    await database.put(keyOf(0), Buffer.alloc(10))
    // While somebody reads, nothing that was freed is used again: the list grows.
    const reader = database.useReadTransaction()
    for (let round = 0; round < 20; round++) {
      await database.batch(() => {
        for (let index = 0; index < 10; index++) void database.put(keyOf(index), Buffer.alloc(50_000, round))
      })
    }
    reader.done()
    await database.close()
    const file = join(path, 'data.mdb')
    const sample = new SampleBytes(file)
    const leaves = sample.tree(sample.freeListRoot).filter((page) => !sample.isBranch(page))
    assert.ok(leaves.length > 1, 'a free list of several leaves')
    assert.equal(reasonsOf(file), '')
    const record = sample.nodes(leaves[0] as number).at(-1) as number
    sample.bytes.writeBigUInt64LE(BigInt(leaves.at(-1) as number), record + 24)
    writeFileSync(file, sample.bytes)
    assert.deepEqual(readItems(file).report.damage, [
      { page: leaves.at(-1), reason: 'it is in use and in the free list' },
    ])
  }))

test('finds a node whose end is not on its page', () =>
  withTemporaryDirectory(async (path) => {
    const { sample, file, count } = await sampleAt(path, 'a few entries')
    // The first one that was written stands at the end of the page.
    const [node] = sample.nodes(sample.root)
    sample.bytes.writeUInt16LE(1000, node)
    writeFileSync(file, sample.bytes)
    assert.match(reasonsOf(file), /^node 0: it is 1017 bytes long at \d+$/m)
    assert.equal(readItems(file).items.size, count - 1)
  }))

test('of nodes that share bytes none is handed out', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [
      (put) => {
        for (let index = 0; index < 4; index++) put(index, 200)
      },
    ])
    const sample = new SampleBytes(file)
    const { bytes, root } = sample
    const [, host = 0, guest = 0] = sample.nodes(root)
    // The value of node 1 has a node in it that looks like node 2.
    bytes.copy(bytes, host + 40, guest, guest + 17)
    bytes.writeUInt16LE(10, host + 40)
    bytes.writeUInt16LE(host + 40 - root * PAGE - 24, root * PAGE + 24 + 4)
    writeFileSync(file, bytes)
    assert.match(reasonsOf(file), /^its nodes do not cover it without a gap/)
    const keys = [...readItems(file).items.keys()]
    assert.deepEqual(keys, [keyOf(0).toString('hex'), keyOf(3).toString('hex')])
  }))

test('finds values that are not where they were written', () =>
  withTemporaryDirectory(async (path) => {
    const { sample, file, count } = await sampleAt(path, 'entries of all sizes')
    const leaf = sample
      .tree(sample.root)
      .find((page) => !sample.isBranch(page) && sample.references(page).length > 0)
    const reference = sample.references(leaf as number)[0] as number
    const page = sample.number(reference) * PAGE
    for (const [change, reason] of [
      [() => sample.bytes.writeUInt16LE(5, page + 18), /its flags are 5: no overflow page/],
      [
        () => {
          for (const offset of [page + 8, reference + 8]) sample.bytes.writeUInt32LE(1000, offset)
        },
        /a value of transaction 1000 on a page of \d+/,
      ],
    ] as const) {
      change()
      writeFileSync(file, sample.bytes)
      assert.match(reasonsOf(file), reason)
      assert.equal(readItems(file).items.size, count - 1)
    }
  }))

test('finds a leaf that is not as deep as the others', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [
      (put) => {
        for (let index = 0; index < 700; index++) put(index, 1500)
      },
    ])
    const sample = new SampleBytes(file)
    const branches = sample.children(sample.root)
    assert.ok(branches.length > 1 && sample.isBranch(branches[0] as number), 'three pages deep')
    const [, second] = sample.nodes(sample.root)
    sample.bytes.writeUInt32LE(sample.children(branches[1] as number)[0] as number, second)
    writeFileSync(file, sample.bytes)
    assert.match(reasonsOf(file), /^a leaf 2 pages deep, where others are 3$/m)
  }))

test('ends in a tree without end', () =>
  withTemporaryDirectory(async (path) => {
    const { sample, file } = await sampleAt(path, 'a few entries')
    const first = sample.bytes.byteLength / PAGE
    const branches = Array.from({ length: 40 }, (_, depth) => branchPage(first + depth))
    sample.bytes.writeUInt32LE(first, sample.newestMeta * PAGE + 136)
    sample.bytes.writeUInt32LE(first + 39, sample.newestMeta * PAGE + 144)
    writeFileSync(file, Buffer.concat([sample.bytes, ...branches]))
    assert.match(reasonsOf(file), /^it is 32 pages deep and has children$/m)
  }))

/** Leads to the page behind it, and to none. */
function branchPage(page: number): Buffer {
  const bytes = Buffer.alloc(PAGE)
  const room = PAGE - 24
  bytes.writeUInt32LE(page, 0)
  bytes.writeUInt16LE(1, 8)
  bytes.writeUInt16LE(1, 18)
  bytes.writeUInt16LE(4, 20)
  bytes.writeUInt16LE(room - 18, 22)
  bytes.writeUInt16LE(room - 8, 24)
  bytes.writeUInt16LE(room - 18, 26)
  bytes.writeUInt32LE(page + 1, PAGE - 8)
  bytes.writeUInt16LE(1, PAGE - 18 + 6)
  bytes[PAGE - 10] = 255
  return bytes
}

test('a file that becomes shorter under the walk is damage', () =>
  withTemporaryDirectory(async (path) => {
    const { file, count } = await sampleAt(path, 'entries of all sizes')
    let isFirst = true
    const report = readLmdbFile(file, () => {
      if (isFirst) truncateSync(file, 3 * PAGE)
      isFirst = false
    })
    assert.ok(report.entryCount < count)
    assert.ok(report.damage.some(({ reason }) => /the file has become shorter$/.test(reason)))
  }))
