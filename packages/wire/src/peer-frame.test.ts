import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Entry, encodeEntry, type Message, type MessageKind } from '@troupe/core'
import fc from 'fast-check'
import { codec } from './codec.ts'
import { crc32 } from './crc32.ts'
import { KINDS } from './message-kinds.ts'
import { ends, entry, message, messageOfKind, messages, plain } from './messages.fixture.ts'
import { DAMAGED_FRAME, decodePeerFrame, encodePeerFrame } from './peer-frame.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 400
const GROUP = 5
const PREFIX_BYTES = 8
const some = Uint8Array.of(1, 2, 3)

function decoded(frame: Uint8Array): readonly Message[] {
  const read = decodePeerFrame(frame)
  assert.ok(typeof read !== 'string', String(read))
  assert.equal(read.group, GROUP)
  return read.messages
}

/** Why a frame is refused that arrived as it was sent. */
function refusal(frame: Uint8Array): string {
  const read = decodePeerFrame(frame)
  assert.ok(typeof read === 'string', 'was taken')
  assert.ok(read.length > 0 && read.length < 200)
  assert.notEqual(read, DAMAGED_FRAME)
  return read
}

const envelope = { ...ends, toIncarnation: 0, toBoot: 0, term: 7 }

/** An append of these entries, from the leader of term 7, behind index 10. */
const appendOf = (entries: readonly Entry[]): Message => ({
  kind: 'appendRequest',
  ...envelope,
  prevIndex: 10,
  prevTerm: 7,
  commit: 9,
  entries,
})

/** A frame with a header that says this, and this behind it. */
function headed(header: unknown, bulk: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = codec.encode(header)
  const frame = Buffer.alloc(PREFIX_BYTES + bytes.byteLength + bulk.byteLength)
  frame.writeUInt32LE(bytes.byteLength, 0)
  frame.writeUInt32LE(crc32(bytes), 4)
  frame.set(bytes, PREFIX_BYTES)
  frame.set(bulk, PREFIX_BYTES + bytes.byteLength)
  return frame
}

/** A frame of one message, with its packed fields as given. */
const packed = (message: unknown, bulk?: Uint8Array): Uint8Array =>
  headed([GROUP, ends.from, ends.fromIncarnation, ends.fromBoot, ends.to, [message]], bulk)

describe('frames between nodes', () => {
  it('leave room for a header before them, and are the same behind it', () => {
    const append = appendOf([entry(11, 7, some)])
    assert.deepEqual(encodePeerFrame(GROUP, [append], 12).subarray(12), encodePeerFrame(GROUP, [append]))
  })

  it('carry messages of every kind, whatever stands around them in memory', () => {
    const listed = (one: Message, list: readonly Message[]): void => {
      const frame = encodePeerFrame(GROUP, [one, ...list])
      assert.deepEqual(plain(decoded(frame)), plain([one, ...list]))
    }
    for (const kind of KINDS) {
      fc.assert(fc.property(messageOfKind[kind], messages, listed), { numRuns: numRuns / 8 })
    }
    fc.assert(
      fc.property(messages, fc.uint8Array({ maxLength: 9 }), (list, around) => {
        const frame = encodePeerFrame(GROUP, list)
        const start = around.length
        const shifted = Buffer.concat([around, frame, around]).subarray(start, start + frame.length)
        assert.deepEqual(plain(decoded(shifted)), plain(list))
      }),
      { numRuns },
    )
  })

  it('keep the numbers of the kinds', () => {
    const numbers: Partial<Record<MessageKind, number>> = {
      appendRequest: 4,
      heartbeatReply: 7,
      timeoutNow: 8,
    }
    for (const [kind, number] of Object.entries(numbers)) assert.equal(KINDS[number], kind)
    assert.deepEqual([KINDS.indexOf('proposal'), KINDS.indexOf('repairReply'), KINDS.length], [11, 17, 18])
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

  it('leave bulk bytes as they are, outside of the header, and hand out views of them', () => {
    const bulk = new Uint8Array(1000).fill(0xab)
    const records = [entry(11, 7, bulk), entry(12, 7, some)]
    const frame = encodePeerFrame(GROUP, [
      appendOf(records),
      { kind: 'proposal', ...envelope, id: 1, commandCount: 2, payload: bulk },
      { kind: 'snapshotChunk', ...envelope, index: 9, checksum: 8, offset: 7, data: bulk },
      {
        kind: 'repairReply',
        ...envelope,
        range: { from: 11, to: 12 },
        verdict: 'intact',
        entries: records,
      },
    ])
    assert.ok(Buffer.from(frame).readUInt32LE(0) < 200)
    const [append, proposal, chunk, repair] = decoded(frame)
    assert.ok(append?.kind === 'appendRequest' && proposal?.kind === 'proposal')
    assert.ok(chunk?.kind === 'snapshotChunk' && repair?.kind === 'repairReply')
    const views = [...append.entries, ...repair.entries].map(({ record }) => record)
    for (const view of [proposal.payload, chunk.data, ...views]) assert.equal(view.buffer, frame.buffer)
    for (const [at, { record }] of records.entries()) {
      assert.deepEqual(Buffer.from(views[at] as Uint8Array), Buffer.from(record))
      assert.deepEqual(Buffer.from(views[at + 2] as Uint8Array), Buffer.from(record))
    }
  })

  it('are not made of no messages', () => {
    assert.throws(() => encodePeerFrame(GROUP, []), RangeError)
    assert.match(refusal(headed([GROUP, 'n1', 1, 1, 'n2', []])), /without messages/)
  })

  describe('that are damaged', () => {
    it('are told from others, wherever a bit is flipped', () => {
      fc.assert(
        fc.property(messages, fc.nat(), (list, at) => {
          const damaged = Uint8Array.from(encodePeerFrame(GROUP, list))
          const bit = at % (damaged.length * 8)
          damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
          assert.equal(decodePeerFrame(damaged), DAMAGED_FRAME)
        }),
        { numRuns: numRuns * 5 },
      )
    })

    it('are told from others in every single bit of one frame', () => {
      const frame = encodePeerFrame(GROUP, [
        appendOf([entry(11, 7, some), entry(12, 6, new Uint8Array(20))]),
        { kind: 'proposal', ...envelope, id: 1, commandCount: 2, payload: some },
      ])
      for (let bit = 0; bit < frame.byteLength * 8; bit++) {
        const damaged = Uint8Array.from(frame)
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
        assert.equal(decodePeerFrame(damaged), DAMAGED_FRAME, `bit ${bit}`)
      }
    })

    it('are told from others where they are cut off anywhere, or have something behind them', () => {
      assert.equal(decodePeerFrame(new Uint8Array(20)), DAMAGED_FRAME)
      fc.assert(
        fc.property(message, (one) => {
          const frame = encodePeerFrame(GROUP, [one])
          for (let end = 0; end < frame.byteLength; end++) {
            assert.equal(decodePeerFrame(frame.subarray(0, end)), DAMAGED_FRAME)
          }
          assert.equal(decodePeerFrame(Buffer.concat([frame, Uint8Array.of(0)])), DAMAGED_FRAME)
        }),
        { numRuns: numRuns / 4 },
      )
    })

    it('never throw, whatever they hold', () => {
      const changes = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 5 })
      fc.assert(
        fc.property(messages, changes, fc.uint8Array({ maxLength: 100 }), (list, changes, noise) => {
          const frame = encodePeerFrame(GROUP, list)
          const damaged = Uint8Array.from(frame)
          for (const [at, byte] of changes) damaged[at % damaged.length] = byte
          const isChanged = Buffer.compare(damaged, frame) !== 0
          assert.equal(decodePeerFrame(damaged) === DAMAGED_FRAME, isChanged)
          assert.equal(decodePeerFrame(noise), DAMAGED_FRAME)
          // A header that is sound as bytes only.
          const prefix = Buffer.alloc(PREFIX_BYTES)
          prefix.writeUInt32LE(noise.length, 0)
          prefix.writeUInt32LE(crc32(noise), 4)
          assert.equal(typeof decodePeerFrame(Buffer.concat([prefix, noise])), 'string')
        }),
        { numRuns: numRuns * 2 },
      )
    })

    it('never throw, nor give what is no message, with any value in any field of a sound header', () => {
      const value = fc.oneof(fc.anything(), fc.integer(), fc.constantFrom([], [null], [[]], 0, 1, true))
      fc.assert(
        fc.property(message, fc.nat(), fc.nat(), value, (one, at, inner, hostile) => {
          const frame = Buffer.from(encodePeerFrame(GROUP, [one]))
          const end = PREFIX_BYTES + frame.readUInt32LE(0)
          const header = codec.decode(frame.subarray(PREFIX_BYTES, end)) as unknown[]
          const fields = (header[5] as unknown[][])[0] as unknown[]
          const list = fields[at % fields.length]
          if (Array.isArray(list) && list.length > 0) list[inner % list.length] = hostile
          else fields[at % fields.length] = hostile
          let changed: Uint8Array
          try {
            changed = headed(header, frame.subarray(end))
          } catch {
            return // Nothing that msgpack could carry.
          }
          const read = decodePeerFrame(changed)
          if (typeof read !== 'string') encodePeerFrame(GROUP, read.messages)
        }),
        { numRuns: numRuns * 2 },
      )
    })
  })

  it('are refused where an entry is in the wrong place, of a later term, or its header makes no sense', () => {
    const wrong: [entries: Entry[], reason: RegExp][] = [
      [[entry(12, 7, some)], /entry 12 in the place of 11/],
      [[entry(11, 7, some), entry(11, 7, some)], /entry 11 in the place of 12/],
      [[entry(11, 7, some), entry(13, 7, some)], /entry 13 in the place of 12/],
      [[entry(11, 8, some)], /entry 11 of term 8 from a node in term 7/],
      [[entry(11, Number.NaN, some)], /term/],
      [[entry(11, 0, some)], /term/],
      [[entry(11, 6.5, some)], /term/],
      [[entry(11, 7, some, { timeMs: Number.NaN })], /at NaN ms/],
      [[entry(11, 7, some, { timeMs: -1 })], /at -1 ms/],
      [[entry(11, 7, some, { timeMs: Number.POSITIVE_INFINITY })], /at Infinity ms/],
      [[entry(11, 7, some, { configurationIndex: 12 })], /under configuration 12/],
      [[entry(11, 7, some, { configurationIndex: 0.5 })], /under configuration 0.5/],
      [[entry(11, 7, some, { kind: 9 as never })], /header of none/],
    ]
    for (const [entries, reason] of wrong) {
      assert.match(refusal(encodePeerFrame(GROUP, [appendOf(entries)])), reason)
      const range = { from: 11, to: 20 }
      const repair: Message = { kind: 'repairReply', ...envelope, range, verdict: 'intact', entries }
      assert.match(refusal(encodePeerFrame(GROUP, [repair])), reason)
    }
    const { record } = encodeEntry(entry(11, 7, some), [some], () => 5)
    assert.equal(
      decodePeerFrame(encodePeerFrame(GROUP, [appendOf([{ ...entry(11, 7, some), record }])])),
      DAMAGED_FRAME,
    )
    const tooMany: Message = {
      kind: 'repairReply',
      ...envelope,
      range: { from: 11, to: 11 },
      verdict: 'intact',
      entries: [entry(11, 7, some), entry(12, 7, some)],
    }
    assert.match(refusal(encodePeerFrame(GROUP, [tooMany])), /2 entries for 11 to 11/)
  })

  it('are refused where the header has another shape', () => {
    const { from, fromIncarnation, fromBoot, to } = ends
    const good = [6, 0, 0, 7, 1, 2] // A heartbeat.
    const evil = { toString: 1, valueOf: 1 }
    decoded(packed(good))
    const bad: Uint8Array[] = [
      headed(null),
      headed('text'),
      headed({ length: 6 }),
      headed([GROUP, from, fromIncarnation, fromBoot, to]),
      headed([GROUP, from, fromIncarnation, fromBoot, to, 'messages']),
      headed([GROUP, 7, 1, 1, to, [good]]),
      headed([GROUP, from, 1, 1, null, [good]]),
      headed([GROUP, from, 'x', 1, to, [good]]),
      headed(['group', from, 1, 1, to, [good]]),
      headed([evil, from, 1, 1, to, [good]]),
      headed([GROUP, evil, 1, 1, to, [good]]),
    ]
    for (const each of bad) refusal(each)
  })

  const meta: readonly unknown[] = [
    9,
    3,
    1.5,
    { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: true },
    4,
    10,
    11,
  ]
  const wrongFields: [name: string, packed: unknown][] = [
    ['no list', null],
    ['no list but something like it', { 0: 6 }],
    ['an unknown kind', [99, 0, 0, 7, 1, 2]],
    ['half a kind', [6.5, 0, 0, 7, 1, 2]],
    ['a kind below 0', [-1, 0, 0, 7, 1, 2]],
    ['an object as kind', [{ toString: 1 }, 0, 0, 7, 1, 2]],
    ['an object as term', [6, 0, 0, { valueOf: 1 }, 1, 2]],
    ['a list as term', [6, 0, 0, [7], 1, 2]],
    ['a heartbeat with a field less', [6, 0, 0, 7, 1]],
    ['a heartbeat with a field more', [6, 0, 0, 7, 1, 2, 3]],
    ['a timeoutNow with a field', [8, 0, 0, 7, 1]],
    ['a number below 0', [6, 0, 0, 7, 1, -2]],
    ['a number above 2^53', [6, 0, 0, 7, 1, 2 ** 60]],
    ['a number as text', [6, 0, 0, 7, '1', 2]],
    ['a granted that is a number', [1, 0, 0, 7, 1]],
    ['an accepted that is missing', [5, 0, 0, 7, null, 1, 1, 1, 1]],
    ['an isTransfer that is text', [2, 0, 0, 7, 1, 1, 'yes']],
    ['a priority above 100', [0, 0, 0, 7, 1, 1, 101]],
    ['a priority that is no number', [0, 0, 0, 7, 1, 1, Number.NaN]],
    ['lengths that are none', [4, 0, 0, 7, 10, 7, 9, 'lengths']],
    ['a record too short for one', [4, 0, 0, 7, 10, 7, 9, [40]]],
    ['a length below 0', [4, 0, 0, 7, 10, 7, 9, [-1]]],
    ['a count above 32 bits', [11, 0, 0, 7, 1, 2 ** 32, 0, 0]],
    ['a checksum above 32 bits', [14, 0, 0, 7, 1, 2 ** 32, 0]],
    ['a range from 0', [16, 0, 0, 7, 0, 3, 1, 1]],
    ['a range that ends before it begins', [16, 0, 0, 7, 4, 3, 1, 1]],
    ['a fifth verdict', [17, 0, 0, 7, 1, 3, 4, []]],
    ['a snapshot that is none', [13, 0, 0, 7, 'meta', true]],
    ['a snapshot with a field less', [13, 0, 0, 7, meta.slice(1), true]],
    ['a snapshot before time began', [13, 0, 0, 7, meta.with(2, -1), true]],
    ['a snapshot without a configuration', [13, 0, 0, 7, meta.with(3, null), true]],
    ['a snapshot with members that are none', [13, 0, 0, 7, meta.with(3, { voters: [null] }), true]],
    ['a snapshot older than its configuration', [13, 0, 0, 7, meta.with(4, 10), true]],
  ]
  for (const [name, fields] of wrongFields) {
    it(`are refused with ${name}`, () => {
      refusal(packed(fields))
    })
  }

  it('are taken with the same messages put right', () => {
    for (const fields of [
      [8, 0, 0, 7],
      [1, 0, 0, 7, true],
      [0, 0, 0, 7, 1, 1, 100],
      [4, 0, 0, 7, 10, 7, 9, []],
      [11, 0, 0, 7, 1, 2 ** 32 - 1, 0, 0],
      [16, 0, 0, 7, 3, 3, 1, 1],
      [17, 0, 0, 7, 1, 3, 3, []],
      [13, 0, 0, 7, meta, true],
    ]) {
      decoded(packed(fields))
    }
  })
})
