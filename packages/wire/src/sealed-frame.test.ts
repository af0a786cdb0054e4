import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { openFrame, sealFrame } from './sealed-frame.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 500
const bytes = fc.uint8Array({ maxLength: 200 })

describe('a sealed frame', () => {
  it('opens to what was sealed, as a view, whatever stands around it in memory', () => {
    fc.assert(
      fc.property(bytes, bytes, (frame, around) => {
        const sealed = sealFrame(frame)
        assert.equal(sealed.byteLength, sealed.buffer.byteLength)
        const all = Buffer.concat([around, sealed, around])
        const opened = openFrame(all.subarray(around.length, around.length + sealed.length))
        assert.ok(opened !== undefined)
        assert.equal(opened.buffer, all.buffer)
        assert.deepEqual(Buffer.from(opened), Buffer.from(frame))
      }),
      { numRuns },
    )
  })

  it('does not open where a bit is flipped, or bytes are missing or added', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (frame, at) => {
        const sealed = sealFrame(frame)
        const damaged = Uint8Array.from(sealed)
        const bit = at % (damaged.length * 8)
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
        assert.equal(openFrame(damaged), undefined)
        // A frame without bytes has the checksum 0: what is cut off is seen unless nothing is left of it.
        if (frame.length > 0) assert.equal(openFrame(sealed.subarray(0, at % sealed.length)), undefined)
        assert.equal(openFrame(Buffer.concat([sealed, Uint8Array.of(7)])), undefined)
      }),
      { numRuns },
    )
    for (let length = 0; length < 4; length++) assert.equal(openFrame(new Uint8Array(length)), undefined)
  })
})
