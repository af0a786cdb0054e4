import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec } from './codec.ts'

const numRuns = process.env.TROUPE_FULL ? 5000 : 300

describe('the codec', () => {
  it('gives memory of its own: nothing is shared by two encodings', () => {
    const first = codec.encode({ text: 'a'.repeat(50) })
    const copy = Buffer.from(first)
    assert.equal(first.byteLength, first.buffer.byteLength)
    const others = Array.from({ length: 100 }, (_, index) => codec.encode(['b'.repeat(index), index]))
    assert.ok(others.every((other) => other.buffer !== first.buffer))
    assert.deepEqual(Buffer.from(first), copy)
    first.fill(0)
    assert.deepEqual(codec.decode(others[7] as Uint8Array), ['b'.repeat(7), 7])
  })

  it('says what a view is for: valid until the next call', () => {
    const view = codec.encodeView(['x', 1])
    assert.deepEqual(Buffer.from(view), Buffer.from(codec.encode(['x', 1])))
  })

  it('writes objects as plain maps, again and again, never as records', () => {
    const value = { name: 'x', nested: { name: 'y', list: [{ name: 'z' }] } }
    const first = codec.encode(value)
    for (let times = 0; times < 20; times++) assert.deepEqual(codec.encode(value), first)
    // The extension of records is 0xd4 0x72; the head of a map is 0x8n, 0xde or 0xdf.
    assert.ok([0x80, 0xd0].includes((first[0] as number) & 0xf0) && first[0] !== 0xd4)
    assert.equal(Buffer.from(first).indexOf(Uint8Array.of(0xd4, 0x72)), -1)
    assert.deepEqual(codec.decode(first), value)
  })

  it('carries every JSON value, undefined, bytes, dates and 64-bit integers', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.uint8Array(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        (json, bytes, big) => {
          const decoded = codec.decode(codec.encode([json, bytes, undefined, big])) as unknown[]
          assert.equal(
            JSON.stringify(decoded[0]),
            JSON.stringify(json).replaceAll('"__proto__":', '"__proto_":'),
          )
          assert.deepEqual(Buffer.from(decoded[1] as Uint8Array), Buffer.from(bytes))
          assert.equal(decoded[2], undefined)
          assert.equal(BigInt(decoded[3] as number), big)
        },
      ),
      { numRuns },
    )
  })

  it('throws on what is not exactly one value', () => {
    for (const bytes of [[], [1, 2], [0x92, 1], [0xdd, 255, 255, 255, 255], [0xc6, 255, 255, 255, 255, 0]]) {
      assert.throws(() => codec.decode(Uint8Array.from(bytes)), String(bytes))
    }
  })

  it('is not changed by what it has decoded, damaged or hostile', () => {
    const probe = [64, 127, 0x40, { a: 1 }, 'text', -1]
    const expected = codec.encode(probe)
    const hostile = [
      [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 7], // Defines a record with the number 64.
      [0x92, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 7, 0x40],
      [0xd6, 0x69, 0, 0, 0, 1, 0x91, 0xd6, 0x70, 0, 0, 0, 1],
      [0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x61, 7],
    ]
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...hostile)), (bytes) => {
        try {
          codec.decode(Uint8Array.from(bytes))
        } catch {
          // Most of it is no msgpack.
        }
        assert.equal(Buffer.compare(codec.encode(probe), expected), 0)
        assert.deepEqual(codec.decode(expected), probe)
        assert.equal(({} as { a?: unknown }).a, undefined)
      }),
      { numRuns },
    )
  })
})
