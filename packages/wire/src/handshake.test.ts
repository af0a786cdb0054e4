import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Durability, Identity } from '@troupe/core'
import fc from 'fast-check'
import { codec } from './codec.ts'
import {
  encodeHandshake,
  encodeRefusal,
  type Handshake,
  type HandshakeRefusal,
  type Hello,
  helloOf,
  isRefusal,
  MAX_HANDSHAKE_BYTES,
  PROTOCOL_VERSIONS,
  readHandshake,
  readRefusal,
  type VersionRange,
} from './handshake.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 500
const identity: Identity = { clusterId: 'c', group: 1, id: 'n1', incarnation: 11, boot: 12 }
const own = helloOf(identity)
const peer = helloOf({ ...identity, id: 'n2', incarnation: 21, boot: 2 ** 52 })
const client: Hello = {
  ...peer,
  role: 'client',
  clusterId: '',
  groups: [],
  from: '',
  boot: 0,
  token: 'secret',
}

/** A handshake with one field changed. */
const changed = (at: number, value: unknown): Uint8Array => {
  const fields = codec.decode(encodeHandshake(peer)) as unknown[]
  return codec.encode(fields.with(at, value))
}

function refused(bytes: Uint8Array): HandshakeRefusal {
  const read = readHandshake(bytes, own)
  assert.ok(isRefusal(read))
  return read
}

describe('a handshake', () => {
  it('tells who speaks', () => {
    const version = PROTOCOL_VERSIONS.highest
    for (const hello of [peer, { ...peer, channel: 'bulk', link: 7, to: 'n1' } as const, client]) {
      assert.deepEqual(readHandshake(encodeHandshake(hello), own), { version, ...hello })
    }
  })

  it('is refused with both sides of what does not fit', () => {
    const { highest } = PROTOCOL_VERSIONS
    const cases: [bytes: Uint8Array, code: string, reason: RegExp][] = [
      [encodeHandshake({ ...peer, clusterId: 'other' }), 'cluster', /cluster .*other.*, here it is .*c/],
      [encodeHandshake({ ...peer, clusterId: '' }), 'cluster', /cluster "", here it is .*c/],
      [encodeHandshake({ ...client, clusterId: 'other' }), 'cluster', /other/],
      [encodeHandshake({ ...peer, groups: [9] }), 'group', /group 9, here it is 1/],
      [encodeHandshake({ ...peer, groups: [] }), 'group', /here it is 1/],
      [encodeHandshake({ ...client, groups: [8, 9] }), 'group', /group 8, 9, here it is 1/],
      [encodeHandshake({ ...peer, from: 'n1' }), 'identity', /name "n1" of this one/],
      [encodeHandshake({ ...peer, from: '' }), 'identity', /without a name/],
      [changed(1, highest + 1), 'version', /protocol version 6 to 5, here it is 5/],
      [changed(1, 'old'), 'version', /protocol version "old" to 5, here it is 5/],
      [changed(0, 'somebody'), 'no-handshake', /not a handshake/],
      [changed(3, 'spy'), 'role', /a connection for "spy", "all"/],
      [changed(9, 'spy'), 'role', /a connection for "peer", "spy"/],
      [changed(4, 'x'.repeat(300)), 'identity', /identity/],
      [changed(5, [1.5]), 'identity', /identity/],
      [changed(5, new Array(300).fill(1)), 'identity', /identity/],
      [changed(6, 7), 'identity', /identity/],
      [changed(7, 1.5), 'identity', /identity/],
      [changed(8, 'boot'), 'identity', /identity/],
      [changed(10, -1), 'identity', /identity/],
      [changed(11, 1), 'identity', /identity/],
      [changed(12, 1), 'identity', /identity/],
      [encodeHandshake({ ...peer, to: 'n3' }), 'identity', /a handshake for "n3", here it is "n1"/],
      [
        codec.encode(['troupe', 3, 'c', 1, 'n2', 21, 1]),
        'version',
        /protocol version 3 to "c", here it is 5/,
      ],
      [codec.encode(['troupe', highest, highest]), 'identity', /identity/],
      [codec.encode([1, 2, 3]), 'no-handshake', /not a handshake/],
      [codec.encode(null), 'no-handshake', /not a handshake/],
      [Uint8Array.of(0xc1), 'no-handshake', /not a handshake/],
      [Uint8Array.of(0x91), 'no-handshake', /does not decode/],
      [new Uint8Array(0), 'no-handshake', /does not decode/],
      [changed(11, 'x'.repeat(MAX_HANDSHAKE_BYTES)), 'no-handshake', /a handshake of \d+ bytes/],
    ]
    for (const [bytes, code, reason] of cases) {
      const refusal = refused(bytes)
      assert.equal(refusal.code, code, refusal.reason)
      assert.match(refusal.reason, reason)
    }
  })

  it('needs one group in common, whatever others either end has', () => {
    const read = readHandshake(encodeHandshake({ ...peer, groups: [3, 1] }), { ...own, groups: [1, 2] })
    assert.ok(!isRefusal(read))
  })

  it('may have more fields in a later release', () => {
    const fields = codec.decode(encodeHandshake(peer)) as unknown[]
    assert.ok(!isRefusal(readHandshake(codec.encode([...fields, 'later', { x: 1 }]), own)))
  })

  it('lets releases that overlap speak the highest version that both know', () => {
    const ranges: [there: VersionRange, here: VersionRange, version: number | undefined][] = [
      [{ lowest: 4, highest: 4 }, { lowest: 4, highest: 5 }, 4],
      [{ lowest: 4, highest: 5 }, { lowest: 5, highest: 6 }, 5],
      [{ lowest: 4, highest: 9 }, { lowest: 3, highest: 7 }, 7],
      [{ lowest: 4, highest: 4 }, { lowest: 5, highest: 6 }, undefined],
      [{ lowest: 7, highest: 8 }, { lowest: 5, highest: 6 }, undefined],
    ]
    const spoken = (read: Handshake | HandshakeRefusal): number | undefined =>
      isRefusal(read) ? undefined : read.version
    for (const [there, here, version] of ranges) {
      assert.equal(spoken(readHandshake(encodeHandshake(peer, there), own, here)), version)
      assert.equal(spoken(readHandshake(encodeHandshake(own, here), peer, there)), version)
    }
  })

  it('brings addresses of nodes, and leaves out what is none', () => {
    const nodes = [['n1', 'host:1'], ['n2'], ['n3', 3], 'n4'] as unknown as [string, string][]
    const read = readHandshake(encodeHandshake({ ...peer, nodes }), own)
    assert.deepEqual(isRefusal(read) ? read : read.nodes, [['n1', 'host:1']])
    for (const [durability, expected] of [
      ['memory', 'memory'],
      ['of some kind', undefined],
    ] as const) {
      const told = readHandshake(
        encodeHandshake({ ...peer, nodes, durability: durability as Durability }),
        own,
      )
      assert.equal(isRefusal(told) ? told : told.durability, expected)
    }
    const without = readHandshake(encodeHandshake(peer), own)
    assert.equal(isRefusal(without) ? 'refused' : without.nodes, undefined)
  })

  it('brings the reason of a refusal to the other end, safe to be logged', () => {
    const refusal: HandshakeRefusal = { code: 'cluster', reason: 'cluster "b", here it is "c"' }
    assert.deepEqual(refused(encodeRefusal(refusal)), {
      code: 'remote',
      told: 'cluster',
      reason: 'refused there: cluster "b", here it is "c"',
    })
    assert.equal(readRefusal(encodeRefusal(refusal)), 'refused there: cluster "b", here it is "c"')
    for (const bytes of [encodeHandshake(peer), Uint8Array.of(0xc1)])
      assert.equal(readRefusal(bytes), undefined)
    const evil = refused(encodeRefusal({ code: 'role', reason: `\u001b[2J\nroot: ${'x'.repeat(9000)}` }))
    assert.match(evil.reason, /^refused there: \?\[2J\?root: x+$/)
    assert.ok(evil.reason.length < 400)
    assert.match(refused(codec.encode(['troupe', 0, 0])).reason, /without a reason/)
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
    for (const value of evil) for (let at = 0; at < 13; at++) refused(changed(at, value))
  })

  it('never throws on garbage or damage', () => {
    const sound = encodeHandshake(peer)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(200), fc.nat(255), (noise, at, byte) => {
        const damaged = Uint8Array.from(sound)
        damaged[at % damaged.length] = byte
        for (const bytes of [noise, damaged, sound.subarray(0, at % sound.length)]) {
          const read = readHandshake(bytes, own)
          if (!isRefusal(read) && read.role === 'peer') assert.equal(read.clusterId, own.clusterId)
        }
      }),
      { numRuns },
    )
  })
})
