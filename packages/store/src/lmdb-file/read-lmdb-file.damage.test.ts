import assert from 'node:assert/strict'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { makeSample, readItems, SampleBytes, sampleTransactions } from './sample-files.fixture.ts'

const PAGE = 4096

/** Each changes one thing; what is named is found there, and no more than `lost` items are. */
interface Damage {
  readonly name: string
  readonly change: (sample: SampleBytes) => void
  readonly reason: RegExp
  readonly lost: number
}

const leafOf = (sample: SampleBytes): number =>
  sample
    .tree(sample.root)
    .find((page) => !sample.isBranch(page) && sample.references(page).length > 0) as number
const nodeOf = (sample: SampleBytes): number => sample.nodes(leafOf(sample))[1] as number
const referenceOf = (sample: SampleBytes): number => sample.references(leafOf(sample))[0] as number
const valuePageOf = (sample: SampleBytes): number => sample.number(referenceOf(sample)) * PAGE
const flip = (sample: SampleBytes, offset: number, bits: number): void => {
  sample.bytes[offset] = (sample.bytes[offset] as number) ^ bits
}
/** More than a leaf of the sample has. */
const LEAF = 32
const ALL = 500

const damages: readonly Damage[] = [
  {
    name: 'a leaf of zeros',
    change: (sample) => sample.bytes.fill(0, leafOf(sample) * PAGE, leafOf(sample) * PAGE + PAGE),
    reason: /^its header says that it is page 0$/,
    lost: LEAF,
  },
  {
    name: 'the root of zeros',
    change: (sample) => sample.bytes.fill(0, sample.root * PAGE, sample.root * PAGE + PAGE),
    reason: /^its header says that it is page 0$/,
    lost: ALL,
  },
  {
    name: 'the free list of zeros',
    change: (sample) => sample.bytes.fill(0, sample.freeListRoot * PAGE, sample.freeListRoot * PAGE + PAGE),
    reason: /^its header says that it is page 0$/,
    lost: 0,
  },
  {
    name: 'a value page of zeros',
    change: (sample) => sample.bytes.fill(0, valuePageOf(sample), valuePageOf(sample) + PAGE),
    reason: /the value of node \d+ on page \d+: its header says that it is page 0/,
    lost: 1,
  },
  {
    name: 'a value page of another transaction',
    change: (sample) => flip(sample, valuePageOf(sample) + 8, 1),
    reason: /it is of transaction \d+, and not \d+/,
    lost: 1,
  },
  {
    name: 'a value page that claims many pages',
    change: (sample) => sample.bytes.writeUInt32LE(2 ** 20, valuePageOf(sample) + 20),
    reason: /it is 1048576 pages long, and not \d+/,
    lost: 1,
  },
  {
    name: 'a value beyond the file',
    change: (sample) => sample.bytes.writeBigUInt64LE(2n ** 40n, referenceOf(sample)),
    reason: /its value is on page 1099511627776/,
    lost: 1,
  },
  {
    name: 'a value larger than its pages',
    change: (sample) => flip(sample, referenceOf(sample) - 9 - 8 + 3, 0x10),
    reason: /a value of 26844\d+ bytes on \d+ pages/,
    lost: 1,
  },
  {
    name: 'a leaf of no kind',
    change: (sample) => flip(sample, leafOf(sample) * PAGE + 18, 1),
    reason: /^its flags are 3: no branch and no leaf$/,
    lost: LEAF,
  },
  {
    name: 'a leaf whose nodes go beyond its free space',
    change: (sample) => flip(sample, leafOf(sample) * PAGE + 21, 0x80),
    reason: /^its free space goes from \d+ to \d+ of 4072$/,
    lost: LEAF,
  },
  {
    name: 'a leaf with a hole',
    change: (sample) => flip(sample, leafOf(sample) * PAGE + 23, 0x01),
    reason: /^its nodes do not cover it without a gap/,
    lost: LEAF,
  },
  {
    name: 'a node beyond its page',
    change: (sample) => flip(sample, leafOf(sample) * PAGE + 25, 0x80),
    reason: /^node 0: it stands at \d+$/,
    lost: 1,
  },
  {
    name: 'a node larger than a page',
    change: (sample) => flip(sample, nodeOf(sample) + 3, 0x80),
    reason: /^node 1: it is 21474\d+ bytes long$/,
    lost: 1,
  },
  {
    name: 'a key larger than a page',
    change: (sample) => flip(sample, nodeOf(sample) + 7, 0x80),
    reason: /^node 1: its key is 32777 bytes long$/,
    lost: 1,
  },
  {
    name: 'a key out of order',
    change: (sample) => flip(sample, nodeOf(sample) + 8 + 7, 0x80),
    reason: /^node 1: its key is out of order$/,
    lost: 1,
  },
  {
    name: 'a last key behind its page',
    change: (sample) => flip(sample, (sample.nodes(leafOf(sample)).at(-1) as number) + 8 + 7, 0x80),
    reason: /^node \d+: its key comes behind the page$/,
    lost: 1,
  },
  {
    name: 'a first key before its page',
    change: (sample) => {
      const second = sample.children(sample.root)[1] as number
      flip(sample, (sample.nodes(second)[0] as number) + 8, 1)
    },
    reason: /^node 0: its key comes before the page$/,
    lost: 1,
  },
  {
    name: 'a named database',
    change: (sample) => flip(sample, nodeOf(sample) + 4, 2),
    reason: /^node 1: flags 2, a kind of database this reader does not know$/,
    lost: 1,
  },
  {
    name: 'a branch with one child',
    change: (sample) => sample.bytes.writeUInt16LE(2, sample.root * PAGE + 20),
    reason: /^it has 1 nodes$/,
    lost: ALL,
  },
  {
    name: 'a child beyond the file',
    change: (sample) => flip(sample, (sample.nodes(sample.root)[1] as number) + 3, 0x40),
    reason: /^it leads to page \d+ of \d+$/,
    lost: LEAF,
  },
  {
    name: 'a child that is its parent',
    change: (sample) => sample.bytes.writeUInt32LE(sample.root, sample.nodes(sample.root)[1] as number),
    reason: /^it leads to page \d+, which is in use already$/,
    lost: LEAF,
  },
  {
    name: 'a child newer than its parent',
    change: (sample) => flip(sample, leafOf(sample) * PAGE + 9, 0x10),
    reason: /^it is of transaction \d+, newer than \d+ above it$/,
    lost: LEAF,
  },
  {
    name: 'a separator out of order',
    change: (sample) => flip(sample, (sample.nodes(sample.root)[2] as number) + 8 + 7, 0x80),
    reason: /^node 2: its key is out of order$/,
    lost: 0,
  },
  {
    name: 'a wrong count of entries',
    change: (sample) => flip(sample, sample.newestMeta * PAGE + 128, 1),
    reason: /^entries: \d+ where \d+ are recorded$/,
    lost: 0,
  },
  {
    name: 'a wrong depth',
    change: (sample) => flip(sample, sample.newestMeta * PAGE + 102, 4),
    reason: /^depth: 2 where 6 are recorded$/,
    lost: 0,
  },
  {
    name: 'a last page below its pages',
    change: (sample) => sample.bytes.writeBigUInt64LE(2n, sample.newestMeta * PAGE + 144),
    reason: /^the root of the free list is page \d+ of 2$/,
    // The transaction before is read instead.
    lost: 60,
  },
  {
    name: 'a last page far beyond the file',
    change: (sample) => flip(sample, sample.newestMeta * PAGE + 150, 4),
    reason: /^the file ends at page \d+, but its last one is \d+$/,
    lost: 0,
  },
]

for (const { name, change, reason, lost } of damages) {
  test(`finds ${name}, and reads on around it`, () =>
    withTemporaryDirectory(async (path) => {
      const { file, items } = await makeSample(path, sampleTransactions['entries of all sizes'] ?? [])
      const sample = new SampleBytes(file)
      change(sample)
      writeFileSync(file, sample.bytes)
      const found = readItems(file)
      assert.ok(
        found.report.damage.some((damage) => reason.test(damage.reason)),
        JSON.stringify(found.report.damage.slice(0, 5)),
      )
      for (const [key, value] of found.items) assert.deepEqual(value, items.get(key))
      assert.ok(items.size - found.items.size <= lost, `${items.size - found.items.size} items lost`)
    }))
}

test('a file that is cut off anywhere is found out, and what is left of it is read', () =>
  withTemporaryDirectory(async (path) => {
    const { file, items } = await makeSample(path, sampleTransactions['entries of all sizes'] ?? [])
    const whole = statSync(file).size
    for (let bytes = whole - 1; bytes > 0; bytes -= Math.ceil(whole / 40)) {
      truncateSync(file, bytes)
      const found = readItems(file)
      assert.equal(found.report.isSound, false)
      for (const [key, value] of found.items) assert.deepEqual(value, items.get(key))
    }
  }))

test('more damage than is listed is counted', () =>
  withTemporaryDirectory(async (path) => {
    const { file } = await makeSample(path, [
      (put) => {
        for (let index = 0; index < 1200; index++) put(index, 3000)
      },
    ])
    const sample = new SampleBytes(file)
    for (const leaf of sample.tree(sample.root).filter((page) => !sample.isBranch(page))) {
      for (const reference of sample.references(leaf)) flip(sample, reference + 5, 1)
    }
    writeFileSync(file, sample.bytes)
    const { report } = readItems(file)
    assert.deepEqual([report.damage.length, report.damageCount], [1000, 1200])
  }))
