import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec, garbage, msgpackValue, runs } from '../test/support.ts'
import {
  arrayBody,
  arrayLength,
  NOT_MSGPACK,
  skipValue,
  stringBody,
  stringLength,
  valueClass,
} from './msgpack-cursor.ts'

/** `bytes` between two pieces of garbage: nobody may look at them. */
function embedded(bytes: Uint8Array, before: Uint8Array, behind: Uint8Array): Uint8Array {
  return Buffer.concat([before, bytes, behind])
}

/** Sizes around every change of header. */
const SIZES = [0, 1, 15, 16, 31, 32, 63, 64, 255, 256, 65_535, 65_536, 70_000]

describe('a msgpack cursor', () => {
  it('finds the end of every value, whatever stands before and behind it', () => {
    fc.assert(
      fc.property(msgpackValue, garbage(9), garbage(9), (value, before, behind) => {
        const bytes = codec.encode(value)
        const end = skipValue(embedded(bytes, before, behind), before.byteLength)
        assert.equal(end, before.byteLength + bytes.byteLength)
      }),
      runs(1000),
    )
  })

  it('finds no end in a value that is cut off anywhere', () => {
    fc.assert(
      fc.property(msgpackValue, (value) => {
        const bytes = codec.encode(value)
        const step = Math.ceil(bytes.byteLength / 200)
        for (let end = 0; end < bytes.byteLength; end += step) {
          assert.equal(skipValue(bytes.subarray(0, end), 0), NOT_MSGPACK)
        }
      }),
      runs(200),
    )
  })

  it('finds the end of strings, bytes, arrays and maps of every size of header', () => {
    for (const size of SIZES) {
      // Our encoder refuses objects of more than 65,535 fields.
      const fields = Math.min(size, 65_535)
      const map = Object.fromEntries(Array.from({ length: fields }, (_, index) => [`k${index}`, index]))
      for (const value of ['x'.repeat(size), new Uint8Array(size), new Array(size).fill(1), map]) {
        const bytes = codec.encode(value)
        assert.equal(skipValue(embedded(bytes, new Uint8Array(0), Uint8Array.of(1)), 0), bytes.byteLength)
      }
    }
  })

  it('finds the end of every form that the format knows, also those that our encoder does not write', () => {
    const forms: [head: number[], body: number][] = [
      ...[0xc0, 0xc2, 0xc3, 0x00, 0x7f, 0xe0, 0xff, 0x80, 0x90, 0xa0].map((head): [number[], number] => [
        [head],
        0,
      ]),
      ...[0xcc, 0xd0].map((head): [number[], number] => [[head], 1]),
      ...[0xcd, 0xd1].map((head): [number[], number] => [[head], 2]),
      ...[0xca, 0xce, 0xd2].map((head): [number[], number] => [[head], 4]),
      ...[0xcb, 0xcf, 0xd3].map((head): [number[], number] => [[head], 8]),
      ...[0xd4, 0xd5, 0xd6, 0xd7, 0xd8].map((head, power): [number[], number] => [[head, 9], 2 ** power]),
      ...[0xc4, 0xd9].map((head): [number[], number] => [[head, 7], 7]),
      ...[0xc5, 0xda].map((head): [number[], number] => [[head, 0, 7], 7]),
      ...[0xc6, 0xdb].map((head): [number[], number] => [[head, 0, 0, 0, 7], 7]),
      [[0xc7, 7, 9], 7],
      [[0xc8, 0, 7, 9], 7],
      [[0xc9, 0, 0, 0, 7, 9], 7],
      [[0xdc, 0, 2], 2],
      [[0xdd, 0, 0, 0, 2], 2],
      [[0xde, 0, 2], 4],
      [[0xdf, 0, 0, 0, 2], 4],
    ]
    for (const [head, body] of forms) {
      const bytes = Uint8Array.from([...head, ...new Array(body).fill(1)])
      assert.equal(skipValue(bytes, 0), bytes.byteLength, `head 0x${head[0]?.toString(16)}`)
      assert.equal(skipValue(bytes.subarray(0, -1), 0), NOT_MSGPACK)
    }
    assert.equal(skipValue(Uint8Array.of(0xc1), 0), NOT_MSGPACK)
  })

  it('never throws, leaves the bytes or stands still on garbage', () => {
    fc.assert(
      fc.property(garbage(64), fc.integer({ min: 0, max: 70 }), (bytes, offset) => {
        const end = skipValue(bytes, offset)
        assert.ok(end === NOT_MSGPACK || (end > offset && end <= bytes.byteLength))
        valueClass(bytes, offset)
        assert.ok(arrayLength(bytes, offset) >= NOT_MSGPACK)
        assert.ok(stringLength(bytes, offset) >= NOT_MSGPACK)
        assert.ok(arrayBody(bytes, offset) > offset)
        assert.ok(stringBody(bytes, offset) > offset)
      }),
      runs(3000),
    )
  })

  it('takes no longer than its bytes last on arrays that claim to be endless', () => {
    const claim = [0xdd, 0xff, 0xff, 0xff, 0xff]
    const bytes = Uint8Array.from({ length: 50_000 }, (_, index) => claim[index % claim.length] as number)
    assert.equal(skipValue(bytes, 0), NOT_MSGPACK)
    const deep = new Uint8Array(1 << 20).fill(0x91)
    assert.equal(skipValue(deep, 0), NOT_MSGPACK)
    deep[deep.length - 1] = 0
    assert.equal(skipValue(deep, 0), deep.length)
  })

  it('reads strings and arrays, and says of everything else that it is none', () => {
    fc.assert(
      fc.property(msgpackValue, garbage(5), (value, before) => {
        const bytes = embedded(codec.encode(value), before, new Uint8Array(0))
        const at = before.byteLength
        if (typeof value === 'string') {
          const text = bytes.subarray(stringBody(bytes, at), stringBody(bytes, at) + stringLength(bytes, at))
          assert.deepEqual(Buffer.from(text), Buffer.from(value, 'utf8'))
        } else assert.equal(stringLength(bytes, at), NOT_MSGPACK)
        assert.equal(arrayLength(bytes, at), Array.isArray(value) ? value.length : NOT_MSGPACK)
        if (!Array.isArray(value)) return
        let offset = arrayBody(bytes, at)
        for (let index = 0; index < value.length; index++) offset = skipValue(bytes, offset)
        assert.equal(offset, bytes.byteLength)
      }),
      runs(500),
    )
  })

  it('tells scalars, undefined and the rest apart', () => {
    const classOf = (value: unknown) => valueClass(codec.encode(value), 0)
    for (const value of [0, -7, 1.5, 2 ** 40, 'x', 'x'.repeat(300), true, null, new Uint8Array(3), 5n]) {
      assert.equal(classOf(value), 'scalar')
    }
    assert.equal(classOf(undefined), 'undefined')
    for (const value of [[], [1], {}, { a: 1 }, new Date(0)]) assert.equal(classOf(value), 'other')
    assert.equal(valueClass(new Uint8Array(0), 0), 'other')
  })
})
