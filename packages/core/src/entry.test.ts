import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import {
  decodeEntry,
  ENTRY_HEADER_BYTES,
  type Entry,
  EntryKind,
  encodeEntry,
  entryIsIntact,
  entryPayload,
  recordChecksum,
  recordFollows,
} from './entry.ts'

const header = fc.record({
  index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  term: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  kind: fc.constantFrom(...Object.values(EntryKind)),
  timeMs: fc.double({ min: 0, max: 1e15, noNaN: true }),
  commandCount: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  configurationIndex: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
})
const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 })
const sample = (): Entry =>
  encodeEntry(
    { index: 3, term: 2, kind: 1, timeMs: 1.5, commandCount: 4, configurationIndex: 9 },
    [Uint8Array.of(1, 2, 3)],
    crc32,
  )

test('what is encoded is decoded, the payload is the parts in a row', () => {
  fc.assert(
    fc.property(header, parts, (given, pieces) => {
      const entry = encodeEntry(given, pieces, crc32)
      assert.deepEqual(decodeEntry(entry.record), entry)
      assert.deepEqual(
        [...entryPayload(entry)],
        pieces.flatMap((piece) => [...piece]),
      )
      assert.ok(entryIsIntact(entry.record, crc32))
    }),
  )
})

test('the layout on the disk is the one that is written down', () => {
  const { record } = sample()
  const view = new DataView(record.buffer)
  assert.equal(record.byteLength, ENTRY_HEADER_BYTES + 3)
  assert.equal(view.getUint32(0, true), crc32(record.subarray(4)))
  assert.equal(view.getUint32(4, true), 3)
  assert.deepEqual(
    [8, 16, 24, 40].map((offset) => view.getFloat64(offset, true)),
    [3, 2, 1.5, 9],
  )
  assert.deepEqual([view.getUint32(32, true), record[36]], [4, 1])
  assert.deepEqual([...record.subarray(37, 40)], [0, 0, 0])
  assert.deepEqual([...record.subarray(ENTRY_HEADER_BYTES)], [1, 2, 3])
})

test('a record owns its memory', () => {
  const { record } = sample()
  assert.equal(record.byteOffset, 0)
  assert.equal(record.buffer.byteLength, record.byteLength)
})

test('a record is read from wherever it lies', () => {
  const { record } = sample()
  const frame = new Uint8Array(record.byteLength + 14)
  frame.set(record, 7)
  const found = decodeEntry(frame.subarray(7, 7 + record.byteLength))
  assert.deepEqual([found?.index, found?.term, found?.commandCount], [3, 2, 4])
})

test('every single flipped bit is noticed', () => {
  const { record } = sample()
  for (let bit = 0; bit < record.byteLength * 8; bit++) {
    const damaged = record.slice()
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.equal(entryIsIntact(damaged, crc32), false, `bit ${bit}`)
  }
})

test('what cannot be a record is none', () => {
  const { record } = sample()
  assert.equal(decodeEntry(new Uint8Array(0)), undefined)
  assert.equal(decodeEntry(record.subarray(0, ENTRY_HEADER_BYTES - 1)), undefined)
  assert.equal(decodeEntry(record.subarray(0, record.byteLength - 1)), undefined, 'cut off')
  assert.equal(decodeEntry(Uint8Array.of(...record, 0)), undefined, 'too long')
  const otherKind = record.slice()
  otherKind[36] = 3
  assert.equal(decodeEntry(otherKind), undefined, 'a kind from the future')
})

test('records chain: each names the term and the checksum of the one before it', () => {
  const first = sample()
  const header = { index: 4, term: 5, kind: 1, timeMs: 2, commandCount: 1, configurationIndex: 9 } as const
  const second = encodeEntry(header, [], crc32, first)
  const view = new DataView(second.record.buffer)
  assert.equal(view.getFloat64(48, true), first.term)
  assert.equal(view.getUint32(56, true), recordChecksum(first.record))
  assert.ok(recordFollows(second.record, first.record))
  const other = encodeEntry({ ...first, timeMs: 7 }, [Uint8Array.of(1, 2, 3)], crc32)
  assert.equal(recordFollows(second.record, other.record), false, 'the same place, other bytes')
})

test('what was made without knowing the record before it follows on any', () => {
  assert.ok(recordFollows(sample().record, sample().record))
})
