import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '@troupe/core'
import fc from 'fast-check'
import { decodeAside, encodeAside, isAside, MAX_ASIDE_BYTES } from './aside-frame.ts'
import { decodePeerFrame, encodePeerFrame, MAX_PEER_FRAME_BYTES } from './peer-frame.ts'

test('what is said aside comes back as it was, behind whatever was left free', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.array(fc.oneof(fc.nat(), fc.string(), fc.boolean())), (topic, body) => {
      const frame = encodeAside({ topic, body }, 12).subarray(12)
      assert.ok(isAside(frame))
      assert.deepEqual(decodeAside(frame), { topic, body })
    }),
  )
})

test('frames of messages are none, whatever their size, and the other way round', () => {
  const ends = { from: 'n1', fromIncarnation: 1, fromBoot: 1, to: 'n2', toIncarnation: 1, toBoot: 1, term: 1 }
  const message: Message = { kind: 'heartbeat', ...ends, commit: 0, round: 0 }
  assert.ok(!isAside(encodePeerFrame(0, [message])))
  assert.ok(MAX_PEER_FRAME_BYTES < 2 ** 31)
  assert.equal(typeof decodePeerFrame(encodeAside({ topic: 1, body: [] })), 'string')
})

test('a changed bit or a body that is too long is refused, with a reason', () => {
  const frame = encodeAside({ topic: 1, body: ['n1', 1] })
  for (let bit = 32; bit < frame.byteLength * 8; bit++) {
    const changed = Buffer.from(frame)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.equal(decodeAside(changed), 'a damaged frame beside the protocol')
  }
  const long = encodeAside({ topic: 1, body: new Uint8Array(MAX_ASIDE_BYTES) })
  assert.match(decodeAside(long) as string, /bytes beside the protocol/)
})
