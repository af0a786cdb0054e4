import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Identity } from '@troupe/core'
import fc from 'fast-check'
import { codec } from './codec.ts'
import { encodeHandshake, PROTOCOL_VERSION, readHandshake } from './handshake.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 500
const own: Identity = { clusterId: 'c', group: 1, id: 'n1', incarnation: 11, boot: 12 }
const peer: Identity = { ...own, id: 'n2', incarnation: 21, boot: 2 ** 52 }

/** A handshake with one field changed. */
const changed = (at: number, value: unknown): Uint8Array => {
  const fields = codec.decode(encodeHandshake(peer)) as unknown[]
  return codec.encode(fields.with(at, value))
}

describe('a handshake', () => {
  it('tells who speaks', () => {
    const { id: from, ...rest } = peer
    assert.deepEqual(readHandshake(encodeHandshake(peer), own), { version: PROTOCOL_VERSION, from, ...rest })
  })

  it('is refused with both sides of what does not fit', () => {
    const cases: [bytes: Uint8Array, reason: RegExp][] = [
      [encodeHandshake({ ...peer, clusterId: 'other' }), /cluster .*other.*, here it is .*c/],
      [encodeHandshake({ ...peer, group: 9 }), /group 9, here it is 1/],
      [changed(1, PROTOCOL_VERSION + 1), /protocol version 4, here it is 3/],
      [changed(0, 'somebody'), /not a handshake/],
      [changed(4, 7), /identity/],
      [changed(5, 1.5), /identity/],
      [changed(6, 'boot'), /identity/],
      [codec.encode([1, 2, 3]), /not a handshake/],
      [codec.encode(null), /not a handshake/],
      [Uint8Array.of(0xc1), /not a handshake/],
      [Uint8Array.of(0x91), /does not decode/],
      [new Uint8Array(0), /does not decode/],
      [changed(2, 'x'.repeat(2000)), /a handshake of \d+ bytes/],
    ]
    for (const [bytes, reason] of cases) {
      const read = readHandshake(bytes, own)
      assert.ok(typeof read === 'string')
      assert.match(read, reason)
    }
  })

  it('is refused, and never throws, whatever stands in its fields', () => {
    const evil: unknown[] = [
      { toString: 1, valueOf: 1 },
      [{ toString: 1 }],
      { toJSON: 1 },
      null,
      undefined,
      2n ** 62n,
      new Date(0),
    ]
    for (const value of evil) {
      for (let at = 0; at < 7; at++) assert.equal(typeof readHandshake(changed(at, value), own), 'string')
    }
  })

  it('never throws on garbage or damage', () => {
    const sound = encodeHandshake(peer)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(200), fc.nat(255), (noise, at, byte) => {
        const damaged = Uint8Array.from(sound)
        damaged[at % damaged.length] = byte
        for (const bytes of [noise, damaged, sound.subarray(0, at % sound.length)]) {
          const read = readHandshake(bytes, own)
          if (typeof read !== 'string') assert.equal(read.clusterId, own.clusterId)
        }
      }),
      { numRuns },
    )
  })
})
