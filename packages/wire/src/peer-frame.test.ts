import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Entry, EntryKind, encodeEntry, type Message } from '@troupe/core'
import fc from 'fast-check'
import { codec } from './codec.ts'
import { crc32 } from './crc32.ts'
import { decodePeerFrame, encodePeerFrame } from './peer-frame.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 400
const GROUP = 5
const ends = { from: 'n1', fromIncarnation: 11, fromBoot: 12, to: 'n2' }

const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1))
const envelope = { toIncarnation: number, toBoot: number, term: number }

function entry(
  index: number,
  term: number,
  payload: Uint8Array,
  kind: EntryKind = EntryKind.commands,
): Entry {
  return encodeEntry({ index, term, kind, timeMs: index / 2, commandCount: 1 }, [payload], crc32)
}

const append: fc.Arbitrary<Message> = fc
  .record({
    toIncarnation: number,
    toBoot: number,
    term: fc.integer({ min: 1, max: 2 ** 40 }),
    prevIndex: fc.nat(2 ** 40),
    prevTerm: number,
    commit: number,
    payloads: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
  })
  .map(({ payloads, ...rest }) => ({
    kind: 'appendRequest',
    ...ends,
    ...rest,
    entries: payloads.map((payload, offset) =>
      entry(rest.prevIndex + 1 + offset, Math.max(1, rest.term - offset), payload, (offset % 3) as EntryKind),
    ),
  }))

const of = <K extends Message['kind']>(
  kind: K,
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Message> =>
  fc.record({ ...envelope, ...fields }).map((rest) => ({ kind, ...ends, ...rest }) as unknown as Message)

const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  of('preVoteRequest', { lastIndex: number, lastTerm: number }),
  of('voteRequest', { lastIndex: number, lastTerm: number }),
  of('preVoteReply', { granted: fc.boolean() }),
  of('voteReply', { granted: fc.boolean() }),
  of('appendReply', {
    accepted: fc.boolean(),
    matchIndex: number,
    rejected: number,
    hintIndex: number,
    hintTerm: number,
  }),
  of('heartbeat', { commit: number, readRound: number }),
  of('heartbeatReply', { readRound: number }),
)
const messages = fc.array(message, { minLength: 1, maxLength: 6 })

/** With plain arrays of bytes, for comparisons. */
const plain = (list: readonly Message[]): unknown[] =>
  list.map((each) =>
    each.kind === 'appendRequest'
      ? {
          ...each,
          entries: each.entries.map((one) => ({ ...one, record: Buffer.from(one.record).toString('hex') })),
        }
      : { ...each },
  )

function decoded(frame: Uint8Array): readonly Message[] {
  const read = decodePeerFrame(frame)
  assert.ok(typeof read !== 'string', String(read))
  assert.equal(read.group, GROUP)
  return read.messages
}

function refusal(frame: Uint8Array): string {
  const read = decodePeerFrame(frame)
  assert.ok(typeof read === 'string', 'was taken')
  assert.ok(read.length > 0 && read.length < 200)
  return read
}

/** An append of these entries, from the leader of term 7, behind index 10. */
const appendOf = (entries: readonly Entry[]): Message => ({
  kind: 'appendRequest',
  ...ends,
  toIncarnation: 0,
  toBoot: 0,
  term: 7,
  prevIndex: 10,
  prevTerm: 7,
  commit: 9,
  entries,
})
const some = Uint8Array.of(1, 2, 3)

/** A frame with a header that says this, and nothing behind it. */
function headed(header: unknown): Uint8Array {
  const bytes = codec.encode(header)
  const frame = new Uint8Array(4 + bytes.byteLength)
  new DataView(frame.buffer).setUint32(0, bytes.byteLength, true)
  frame.set(bytes, 4)
  return frame
}

describe('frames between nodes', () => {
  it('carry messages of every kind, whatever stands around them in memory', () => {
    fc.assert(
      fc.property(messages, fc.uint8Array({ maxLength: 9 }), (list, around) => {
        const frame = encodePeerFrame(GROUP, list)
        assert.deepEqual(plain(decoded(frame)), plain(list))
        const shifted = Buffer.concat([around, frame, around]).subarray(
          around.length,
          around.length + frame.length,
        )
        assert.deepEqual(plain(decoded(shifted)), plain(list))
      }),
      { numRuns },
    )
  })

  it('own their memory: a second one does not change the first', () => {
    fc.assert(
      fc.property(messages, messages, (one, two) => {
        const first = encodePeerFrame(GROUP, one)
        assert.equal(first.byteLength, first.buffer.byteLength)
        const second = encodePeerFrame(GROUP, two)
        assert.notEqual(first.buffer, second.buffer)
        second.fill(0xff)
        assert.deepEqual(plain(decoded(first)), plain(one))
      }),
      { numRuns: numRuns / 4 },
    )
  })

  it('leave records as the leader built them, and hand out views of them', () => {
    const entries = [entry(11, 7, new Uint8Array(1000)), entry(12, 7, some)]
    const frame = encodePeerFrame(GROUP, [appendOf(entries)])
    const [read] = decoded(frame)
    assert.ok(read?.kind === 'appendRequest')
    for (const [offset, { record }] of read.entries.entries()) {
      assert.equal(record.buffer, frame.buffer)
      assert.deepEqual(Buffer.from(record), Buffer.from((entries[offset] as Entry).record))
    }
  })

  it('are refused where they are cut off anywhere, or have something behind them', () => {
    const frame = encodePeerFrame(GROUP, [appendOf([entry(11, 7, some), entry(12, 7, some)])])
    for (let end = 0; end < frame.byteLength; end++) refusal(frame.subarray(0, end))
    refusal(Buffer.concat([frame, Uint8Array.of(0)]))
  })

  it('are refused where any bit of a record is flipped', () => {
    const list = [appendOf([entry(11, 7, some), entry(12, 6, new Uint8Array(20))])]
    const frame = encodePeerFrame(GROUP, list)
    const headerEnd = 4 + Buffer.from(frame).readUInt32LE(0)
    for (let bit = headerEnd * 8; bit < frame.byteLength * 8; bit++) {
      const damaged = Uint8Array.from(frame)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      refusal(damaged)
    }
  })

  it('never throw, whatever bits are flipped', () => {
    const flips = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(messages, flips, fc.uint8Array({ maxLength: 100 }), (list, changes, noise) => {
        const damaged = Uint8Array.from(encodePeerFrame(GROUP, list))
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte
        const prefixed = Uint8Array.from([noise.length, 0, 0, 0, ...noise])
        for (const bytes of [damaged, noise, prefixed]) {
          const read = decodePeerFrame(bytes)
          if (typeof read === 'string') assert.ok(read.length > 0)
        }
      }),
      { numRuns: numRuns * 2 },
    )
  })

  it('are refused where an entry is in the wrong place, of a later term, or has a wrong checksum', () => {
    const wrong: [entries: Entry[], reason: RegExp][] = [
      [[entry(12, 7, some)], /entry 12 in the place of 11/],
      [[entry(11, 7, some), entry(11, 7, some)], /entry 11 in the place of 12/],
      [[entry(11, 7, some), entry(13, 7, some)], /entry 13 in the place of 12/],
      [[entry(11, 8, some)], /entry 11 of term 8 from a leader of 7/],
      [[entry(11, Number.NaN, some)], /term/],
      [[entry(11, 0, some)], /term/],
      [[entry(11, 6.5, some)], /term/],
      [
        [encodeEntry({ index: 11, term: 7, kind: 1, timeMs: 0, commandCount: 1 }, [some], () => 5)],
        /damaged/,
      ],
    ]
    for (const [entries, reason] of wrong)
      assert.match(refusal(encodePeerFrame(GROUP, [appendOf(entries)])), reason)
  })

  it('are refused where the header has another shape', () => {
    const { from, fromIncarnation, fromBoot, to } = ends
    const good = [6, 0, 0, 7, 1, 2] // A heartbeat.
    const frame = (more: unknown[], head: unknown[] = [GROUP, from, fromIncarnation, fromBoot, to]) =>
      headed([...head, more])
    decoded(frame([good]))
    const evil = { toString: 1, valueOf: 1 }
    const bad: Uint8Array[] = [
      headed(null),
      headed('text'),
      headed({ length: 6 }),
      headed([GROUP, from, fromIncarnation, fromBoot, to]),
      headed([GROUP, from, fromIncarnation, fromBoot, to, 'messages']),
      frame([null]),
      frame([{ 0: 6 }]),
      frame([[99, 0, 0, 7, 1, 2]]),
      frame([[6.5, 0, 0, 7, 1, 2]]),
      frame([[-1, 0, 0, 7, 1, 2]]),
      frame([[evil, 0, 0, 7, 1, 2]]),
      frame([[6, 0, 0, evil, 1, 2]]),
      frame([[6, 0, 0, [evil], 1, 2]]),
      frame([[6, 0, 0, 7, 1]]),
      frame([[6, 0, 0, 7, 1, -2]]),
      frame([[6, 0, 0, 7, 1, 2 ** 60]]),
      frame([[6, 0, 0, 7, '1', 2]]),
      frame([[4, 0, 0, 7, 10, 7, 9, 'lengths']]),
      frame([[4, 0, 0, 7, 10, 7, 9, [40]]]),
      frame([[4, 0, 0, 7, 10, 7, 9, [0]]]),
      frame([[4, 0, 0, 7, 10, 7, 9, [-1]]]),
      frame([good], [GROUP, 7, 1, 1, to]),
      frame([good], [GROUP, from, 1, 1, null]),
      frame([good], [GROUP, from, 'x', 1, to]),
      frame([good], ['group', from, 1, 1, to]),
      frame([good], [evil, from, 1, 1, to]),
      frame([good], [GROUP, evil, 1, 1, to]),
    ]
    for (const each of bad) refusal(each)
    const lying = Uint8Array.from(frame([good]))
    for (const length of [0, 1, 0x7fffffff, 0xffffffff]) {
      new DataView(lying.buffer).setUint32(0, length, true)
      refusal(lying)
    }
  })

  it('are not made of no messages', () => {
    assert.throws(() => encodePeerFrame(GROUP, []), RangeError)
  })
})
