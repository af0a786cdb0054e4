import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { LmdbFileReport } from './read-lmdb-file.ts'
import { type Items, makeSample, readItems, SampleBytes, sampleTransactions } from './sample-files.fixture.ts'

const PAGE = 4096
const directory = mkdtempSync(join(tmpdir(), 'troupe-store-'))
const samples: { readonly bytes: Buffer; readonly structure: readonly number[]; readonly items: Items }[] = []

before(async () => {
  for (const [name, transactions] of Object.entries(sampleTransactions)) {
    const { file, items } = await makeSample(join(directory, name.replaceAll(' ', '-')), transactions)
    const sample = new SampleBytes(file)
    samples.push({ bytes: sample.bytes, structure: sample.structure(), items })
  }
})
after(() => rmSync(directory, { recursive: true }))

function read(bytes: Buffer): { report: LmdbFileReport; items: Items } {
  const file = join(directory, 'damaged')
  writeFileSync(file, bytes)
  return readItems(file)
}

function assertSame(items: Items, expected: Items): void {
  assert.equal(items.size, expected.size)
  for (const [key, value] of items) assert.ok(expected.get(key)?.equals(value), key)
}

/** Numbers below 1 stand for places in files whose sizes the arbitraries do not know. */
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const at = <T>(list: { readonly length: number; readonly [index: number]: T }, share: number): T =>
  list[Math.floor(share * list.length)] as T
const pageAt = (bytes: Buffer, share: number): Buffer => {
  const page = Math.floor((share * bytes.byteLength) / PAGE)
  return bytes.subarray(page * PAGE, page * PAGE + PAGE)
}

const change = fc.oneof(
  fc.record({ kind: fc.constant('flip'), a: place, b: place }),
  fc.record({ kind: fc.constant('flip in a meta page'), a: place, b: place }),
  fc.record({ kind: fc.constant('flip in the structure'), a: place, b: place }),
  fc.record({ kind: fc.constant('zero a page'), a: place, b: place }),
  fc.record({ kind: fc.constant('swap pages'), a: place, b: place }),
  fc.record({ kind: fc.constant('page of another file'), a: place, b: place }),
  fc.record({ kind: fc.constant('random word'), a: place, b: place }),
  fc.record({ kind: fc.constant('cut off'), a: place, b: place }),
)

type Change = { readonly kind: string; readonly a: number; readonly b: number }
type Sample = (typeof samples)[number]

function apply(sample: Sample, { kind, a, b }: Change, bytes: Buffer): Buffer {
  const flipAt = (offset: number): void => {
    if (offset < bytes.byteLength) bytes[offset] = (bytes[offset] as number) ^ (1 << Math.floor(b * 8))
  }
  if (kind === 'flip') flipAt(Math.floor(a * bytes.byteLength))
  if (kind === 'flip in a meta page') flipAt((a < 0.5 ? 0 : PAGE) + Math.floor(((a * 2) % 1) * 168))
  if (kind === 'flip in the structure') flipAt(at(sample.structure, a))
  if (kind === 'zero a page') pageAt(bytes, a).fill(0)
  if (kind === 'swap pages') {
    const first = Buffer.from(pageAt(bytes, a))
    pageAt(bytes, b).copy(pageAt(bytes, a))
    first.copy(pageAt(bytes, b))
  }
  if (kind === 'page of another file') pageAt(at(samples, b).bytes, a).copy(pageAt(bytes, a))
  if (kind === 'random word') {
    const word = Math.floor(b * (PAGE / 8)) * 8
    pageAt(bytes, a)
      .subarray(word, word + 8)
      .fill(Math.floor(b * 1000))
  }
  return kind === 'cut off' ? bytes.subarray(0, Math.floor(a * bytes.byteLength)) : bytes
}

test('reads any file to its end, in order, each byte once, and throws nothing', () => {
  fc.assert(
    fc.property(place, fc.array(change, { minLength: 1, maxLength: 6 }), (choice, changes) => {
      const sample = at(samples, choice)
      let bytes: Buffer = Buffer.from(sample.bytes)
      for (const one of changes) bytes = apply(sample, one, bytes)
      read(bytes)
    }),
    { numRuns: 300 },
  )
})

test('random bytes with the head of a real file', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 3 * PAGE, size: 'max' }), place, (noise, choice) => {
      const head = at(samples, choice).bytes
      read(Buffer.concat([head.subarray(0, 2 * PAGE), noise]))
      read(Buffer.from(noise))
    }),
    { numRuns: 100 },
  )
})

test('one flipped bit in what holds the tree together is found, or changes nothing', () => {
  fc.assert(
    fc.property(place, place, place, (choice, a, b) => {
      const sample = at(samples, choice)
      if (sample.structure.length === 0) return
      const { report, items } = read(
        apply(sample, { kind: 'flip in the structure', a, b }, Buffer.from(sample.bytes)),
      )
      if (report.isSound) assertSame(items, sample.items)
    }),
    { numRuns: 300 },
  )
})

test('one flipped bit in a meta page is found, or changes nothing', () => {
  const [, , sample] = samples
  assert.ok(sample !== undefined)
  for (let offset = 0; offset < 168; offset++) {
    for (const meta of [0, PAGE]) {
      const bytes = Buffer.from(sample.bytes)
      bytes[meta + offset] = (bytes[meta + offset] as number) ^ (1 << (offset % 8))
      const { report, items } = read(bytes)
      if (report.isSound) assertSame(items, sample.items)
    }
  }
})
