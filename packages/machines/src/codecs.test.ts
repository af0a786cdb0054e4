import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec, frameBytes, frameOf, garbage, msgpackValue, runs } from '../test/support.ts'
import { COMMAND_FRAME_HEADER_BYTES, type CommandFrame, readCommandFrames } from './command-frame.ts'
import {
  type ClientRequest,
  consistencies,
  decodeClientFrame,
  decodeReplies,
  encodeClientFrame,
  encodeReplies,
  MAX_QUERIES,
  type NodeReply,
  ReplyKind,
  RequestKind,
} from './protocol.ts'

const frame: fc.Arbitrary<CommandFrame> = fc
  .record({
    session: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    first: fc.integer({ min: 1, max: 2 ** 40 }),
    back: fc.integer({ min: 1, max: 100 }),
    commands: fc.array(msgpackValue, { minLength: 1, maxLength: 5 }),
  })
  .map(({ session, first, back, commands }) => frameOf(session, first, commands, Math.max(0, first - back)))

/** Some bytes of a frame changed. */
function damage(bytes: Uint8Array, changes: readonly (readonly [at: number, byte: number])[]): Uint8Array {
  const copy = Uint8Array.from(bytes)
  for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte
  return copy
}
const changes = fc.array(fc.tuple(fc.nat(4000), fc.integer({ min: 0, max: 255 })), {
  minLength: 1,
  maxLength: 6,
})

describe('command frames', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), garbage(7), (frames, before) => {
        const shifted = Buffer.concat([before, frameBytes(frames)]).subarray(before.byteLength)
        const read = readCommandFrames(shifted)
        assert.ok(typeof read !== 'string', String(read))
        const plain = ({ payload, ...rest }: CommandFrame) => ({ ...rest, payload: Buffer.from(payload) })
        assert.deepEqual(read.map(plain), frames.map(plain))
      }),
      runs(200),
    )
  })

  it('never throw on garbage or damage, and never claim more commands than they have bytes', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 3 }), changes, garbage(100), (frames, bytes, noise) => {
        for (const input of [damage(frameBytes(frames), bytes), noise]) {
          const read = readCommandFrames(input)
          if (typeof read === 'string') continue
          for (const { count, payload, session } of read)
            if (session !== 0) assert.ok(count < payload.byteLength)
        }
      }),
      runs(500),
    )
  })

  it('are refused with a reason where a number makes no sense', () => {
    const good: CommandFrame = { session: 1, first: 5, count: 2, confirmed: 4, payload: codec.encode([1, 2]) }
    const bad: Partial<CommandFrame>[] = [
      { session: -1 },
      { session: 1.5 },
      { session: Number.NaN },
      { session: 2 ** 60 },
      { first: 0 },
      { first: Number.POSITIVE_INFINITY },
      { confirmed: 5 },
      { confirmed: -1 },
      { confirmed: 0.5 },
      { count: 0 },
      { count: 3 },
      { count: 0xffffffff },
      { session: 0, count: 2 },
    ]
    assert.ok(typeof readCommandFrames(frameBytes([good])) !== 'string')
    for (const change of bad) {
      assert.equal(
        typeof readCommandFrames(frameBytes([good, { ...good, ...change }])),
        'string',
        JSON.stringify(change),
      )
    }
    const bytes = frameBytes([good])
    for (let cut = 1; cut < bytes.byteLength; cut++) {
      assert.equal(typeof readCommandFrames(bytes.subarray(0, cut)), 'string')
    }
    for (const length of [0, COMMAND_FRAME_HEADER_BYTES - 1, bytes.byteLength + 1, 0xffffffff]) {
      const lying = Uint8Array.from(bytes)
      new DataView(lying.buffer).setUint32(0, length, true)
      assert.equal(typeof readCommandFrames(lying), 'string')
    }
  })
})

const request: fc.Arbitrary<ClientRequest> = fc
  .tuple(
    fc.nat(),
    fc.constantFrom(...consistencies),
    fc.integer({ min: 1, max: MAX_QUERIES }),
    fc.uint8Array(),
  )
  .map(([id, consistency, count, queries]) => [RequestKind.queries, id, consistency, count, queries])

describe('the client protocol', () => {
  it('carries requests and command frames', () => {
    fc.assert(
      fc.property(
        fc.array(request, { maxLength: 4 }),
        fc.array(frame, { maxLength: 3 }),
        (requests, frames) => {
          const bytes = encodeClientFrame(7, requests, frames, codec)
          assert.equal(bytes.byteLength, bytes.buffer.byteLength)
          const read = decodeClientFrame(bytes, codec)
          assert.ok(typeof read !== 'string', String(read))
          assert.equal(read.group, 7)
          assert.deepEqual(codec.encode(read.requests), codec.encode(requests))
          assert.deepEqual(Buffer.from(read.commands), Buffer.from(frameBytes(frames)))
        },
      ),
      runs(200),
    )
  })

  it('carries replies', () => {
    const replies: NodeReply[] = [
      [ReplyKind.leader, 7, null],
      [ReplyKind.leader, 8, 'n1'],
      [ReplyKind.opened, 2 ** 50, 3],
      [ReplyKind.outcomes, 3, [[1, 2, [undefined, 'x'], [[0, 'no']]]]],
      [ReplyKind.refused, 3, 1, 'BUSY', 5],
      [ReplyKind.refused, 3, 1, 'NO_SPACE', 50],
      [ReplyKind.gap, 3, 4],
      [ReplyKind.stale, 3, 9],
      [ReplyKind.answers, 1, 'follower', [{ deep: [1, null] }, undefined], [[1, 'no']]],
      [ReplyKind.answers, 2, 'stale', ['one'], null],
      [ReplyKind.failed, 1, 'NOT_LEADER', 'no'],
      [ReplyKind.protocol, 'what?'],
    ]
    assert.deepEqual(decodeReplies(encodeReplies(4, replies, codec), codec), { group: 4, replies })
  })

  it('never throws on garbage or damage from a node, and takes only what makes sense', () => {
    const sound: NodeReply[] = [
      [ReplyKind.leader, 8, 'n1'],
      [ReplyKind.outcomes, 3, [[1, 2, [undefined, 'x'], [[0, 'no']]]]],
      [ReplyKind.answers, 1, 'stale', [{ deep: [1, null] }], null],
    ]
    fc.assert(
      fc.property(
        changes,
        garbage(80),
        fc.array(fc.tuple(fc.nat(10), msgpackValue, msgpackValue)),
        (bytes, noise, odd) => {
          const encoded = encodeReplies(4, sound, codec)
          for (const input of [damage(encoded, bytes), noise, codec.encode([4, odd])]) {
            const frame = decodeReplies(input, codec)
            if (typeof frame === 'string') assert.ok(frame.length < 200)
            else for (const reply of frame.replies) assert.ok(reply.length >= 2)
          }
        },
      ),
      runs(500),
    )
    const bad: unknown[] = [
      [4],
      ['4', []],
      [4, {}],
      [4, [7]],
      [4, [[ReplyKind.leader, 1, 7]]],
      [4, [[ReplyKind.outcomes, 3, [[1, 2, ['one'], null]]]]],
      [4, [[ReplyKind.outcomes, 3, [[1, 2, null, [[2, 'behind']]]]]]],
      [4, [[ReplyKind.outcomes, 3, [[1, 0, null, null]]]]],
      [4, [[ReplyKind.refused, 3, 1, 'OTHER', 5]]],
      [4, [[ReplyKind.answers, 1, 'stale', ['x']]]],
      [4, [[ReplyKind.answers, 1, 'fresh', ['x'], null]]],
      [4, [[ReplyKind.answers, 1, 'stale', 'x', null]]],
      [4, [[ReplyKind.answers, 1, 'stale', ['x'], [[1, 'behind']]]]],
      [4, [[ReplyKind.failed, 1, 'REJECTED', 'no']]],
    ]
    for (const frame of bad) assert.equal(typeof decodeReplies(codec.encode(frame), codec), 'string')
  })

  it('never throws on garbage or damage from a client', () => {
    fc.assert(
      fc.property(
        fc.array(request, { maxLength: 3 }),
        frame,
        changes,
        garbage(80),
        (requests, one, bytes, noise) => {
          const sound = encodeClientFrame(0, requests, [one], codec)
          const prefixed = Uint8Array.from([0, 0, 0, 0, noise.length, 0, 0, 0, ...noise])
          const cut = sound.subarray(0, (bytes[0]?.[0] ?? 0) % sound.byteLength)
          for (const input of [damage(sound, bytes), noise, prefixed, cut]) {
            const read = decodeClientFrame(input, codec)
            if (typeof read === 'string') assert.ok(read.length < 200)
            else for (const [kind] of read.requests) assert.equal(kind, RequestKind.queries)
          }
        },
      ),
      runs(500),
    )
  })

  it('refuses requests nested deeper than a stack', () => {
    const deep = new Uint8Array(200_008).fill(0x91)
    new DataView(deep.buffer).setUint32(0, 0, true)
    new DataView(deep.buffer).setUint32(4, 200_000, true)
    assert.equal(typeof decodeClientFrame(deep, codec), 'string')
    // And the codec is as good as before.
    assert.deepEqual(codec.decode(codec.encode([64, 'x', 127])), [64, 'x', 127])
  })
})
