import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  STREAM_HEADER_BYTES,
  type StreamDamage,
  StreamReader,
  sealStreamFrame,
  streamFrameOf,
  streamHeaderOf,
} from './stream-frame.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 300

/** Reads chunks to the end of the stream or to the first damage. */
function read(
  chunks: readonly Uint8Array[],
  maxFrameBytes = 1 << 24,
): { frames: Buffer[]; damage: StreamDamage | undefined; reader: StreamReader } {
  const frames: Buffer[] = []
  const reader = new StreamReader(maxFrameBytes, (payload) => frames.push(Buffer.from(payload)))
  for (const chunk of chunks) {
    const damage = reader.push(chunk)
    if (damage !== undefined) return { frames, damage, reader }
  }
  return { frames, damage: undefined, reader }
}

/** `stream` in pieces of these sizes, the last one taking the rest. */
function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let offset = 0
  for (const size of sizes) {
    chunks.push(stream.subarray(offset, offset + size))
    offset = Math.min(offset + size, stream.byteLength)
  }
  chunks.push(stream.subarray(offset))
  return chunks
}

const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 })
const streamOf = (list: readonly Uint8Array[]): Buffer => Buffer.concat(list.map(streamFrameOf))
const plain = (list: readonly Uint8Array[]): Buffer[] => list.map((bytes) => Buffer.from(bytes))

describe('frames on a stream', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(payloads, fc.array(fc.nat(400), { maxLength: 30 }), (list, sizes) => {
        const { frames, damage, reader } = read(cut(streamOf(list), sizes))
        assert.equal(damage, undefined)
        assert.deepEqual(frames, plain(list))
        assert.equal(reader.isInsideFrame, false)
        assert.equal(reader.framesRead, list.length)
      }),
      { numRuns },
    )
  })

  it('come out of a stream of single bytes', () => {
    const list = [Uint8Array.of(1, 2, 3), new Uint8Array(0), new Uint8Array(50).fill(7)]
    const bytes = Array.from(streamOf(list), (byte) => Uint8Array.of(byte))
    assert.deepEqual(read(bytes).frames, plain(list))
  })

  it('are refused with any bit flipped, and nothing behind the flipped one is handed over', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.array(fc.nat(400), { maxLength: 10 }), (list, at, sizes) => {
        const stream = streamOf(list)
        const bit = at % (stream.byteLength * 8)
        stream[bit >> 3] = (stream[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const { frames, damage } = read(cut(stream, sizes))
        assert.ok(damage !== undefined)
        assert.deepEqual(frames, plain(list).slice(0, frames.length))
        const intactBytes = streamOf(list.slice(0, frames.length + 1)).byteLength
        assert.ok(bit < intactBytes * 8)
      }),
      { numRuns },
    )
  })

  it('are the same with the header in place, apart, or copied with the payload', () => {
    const payload = Buffer.from('a payload')
    const sealed = Buffer.concat([Buffer.alloc(STREAM_HEADER_BYTES), payload])
    sealStreamFrame(sealed)
    assert.deepEqual(sealed, Buffer.concat([streamHeaderOf(payload), payload]))
    assert.deepEqual(sealed, Buffer.from(streamFrameOf(payload)))
  })

  it('are refused above the limit by their header alone, and taken at the limit', () => {
    const frame = streamFrameOf(new Uint8Array(101))
    const { frames, damage } = read([frame.subarray(0, STREAM_HEADER_BYTES)], 100)
    assert.deepEqual(damage, { code: 'oversized', reason: 'a frame of 101 bytes, above 100' })
    assert.deepEqual(frames, [])
    assert.equal(read([frame], 101).frames.length, 1)
  })

  it('are refused by their header where noise comes: zeros, text, a TLS hello', () => {
    const noises = [
      new Uint8Array(STREAM_HEADER_BYTES),
      Buffer.from('GET / HTTP/1.1\r\n'),
      Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 9),
    ]
    for (const noise of noises) assert.equal(read([noise]).damage?.code, 'damaged')
  })

  it('tell an end of the stream inside of one from an end between two', () => {
    const frame = streamFrameOf(Uint8Array.of(1, 2, 3))
    for (let end = 1; end < frame.byteLength; end++) {
      assert.equal(read([frame.subarray(0, end)]).reader.isInsideFrame, true)
    }
  })

  it('are not copied where they came in one chunk, and copied out of it where they did not', () => {
    const chunk = streamFrameOf(Uint8Array.of(1, 2, 3, 4))
    const taken: Uint8Array[] = []
    const reader = new StreamReader(100, (payload) => taken.push(payload))
    reader.push(chunk)
    reader.push(chunk.subarray(0, 14))
    reader.push(chunk.subarray(14))
    assert.deepEqual(
      taken.map(({ buffer }) => buffer === chunk.buffer),
      [true, false],
    )
  })

  it('of many megabytes come whole, through memory that grows with what has come', () => {
    const payload = Buffer.alloc(5_000_001, 'pattern')
    const stream = Buffer.concat([streamFrameOf(payload), streamFrameOf(Uint8Array.of(9))])
    const chunks: Uint8Array[] = []
    for (let at = 0; at < stream.byteLength; at += 65_536) chunks.push(stream.subarray(at, at + 65_536))
    const { frames } = read(chunks)
    assert.deepEqual(frames, [payload, Buffer.of(9)])
  })

  it('cost no memory by being announced', () => {
    const header = streamHeaderOf(new Uint8Array(200 << 20)).slice()
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 20 }, () => {
      const reader = new StreamReader(256 << 20, () => {})
      assert.equal(reader.push(header), undefined)
      reader.push(Uint8Array.of(1))
      return reader
    })
    const grownBytes = process.memoryUsage().arrayBuffers - before
    assert.ok(grownBytes < 21 * (1 << 20), `${grownBytes} bytes for ${readers.length} readers`)
  })

  it('stop where whoever reads them says so', () => {
    const frames: number[] = []
    const reader = new StreamReader(100, ([first = 0]) => {
      frames.push(first)
      reader.stop()
    })
    reader.push(streamOf([Uint8Array.of(1), Uint8Array.of(2)]))
    reader.push(streamOf([Uint8Array.of(3)]))
    assert.deepEqual(frames, [1])
  })

  it('may be longer once the reader was told so', () => {
    const sizes: number[] = []
    const reader = new StreamReader(1, ({ byteLength }) => {
      sizes.push(byteLength)
      reader.maxFrameBytes = 10
    })
    assert.equal(reader.push(streamOf([new Uint8Array(1), new Uint8Array(10)])), undefined)
    assert.deepEqual(sizes, [1, 10])
  })
})
