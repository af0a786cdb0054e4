import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { recut, runs } from '../test/support.ts'
import { FrameReader, sizedFrame } from './chunk-frames.ts'

describe('frames in a stream of chunks', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (frames, sizes) => {
          const read: Buffer[] = []
          const reader = new FrameReader((frame) => read.push(Buffer.from(frame)))
          for (const chunk of recut(
            frames.map((frame) => sizedFrame(frame.subarray(0, 3), frame.subarray(3))),
            sizes,
          )) {
            reader.chunk(chunk)
            reader.chunk(new Uint8Array(0))
            chunk.fill(0xee)
          }
          reader.end()
          assert.deepEqual(
            read,
            frames.map((frame) => Buffer.from(frame)),
          )
        },
      ),
      runs(300),
    )
  })

  it('are missed where the stream ends too early', () => {
    const whole = sizedFrame(Uint8Array.of(1, 2, 3))
    for (let cut = 1; cut < whole.byteLength; cut++) {
      const reader = new FrameReader(() => assert.fail('a frame out of nothing'))
      reader.chunk(whole.subarray(0, cut))
      assert.throws(
        () => reader.end(),
        (error) => RaftError.is(error, 'STORAGE_DAMAGED'),
      )
    }
  })
})
