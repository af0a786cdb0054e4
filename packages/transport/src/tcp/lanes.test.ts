import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { LANE_OF, LANES, LaneQueue, resolveLaneLimits } from './lanes.ts'
import { PeerChannel } from './peer-channel.ts'

const frame = (first: number, bytes = 1): Uint8Array => new Uint8Array(bytes).fill(first)

/** A socket that takes what it is handed, and is rid of it when it is told so. */
class SlowSocket {
  unsentBytes = 0
  isClosed = false
  readonly writes: number[][] = []
  readonly #taken: (() => void)[] = []

  send(buffers: readonly Uint8Array[], taken?: () => void): void {
    this.writes.push(buffers.map(([first = 0]) => first))
    this.unsentBytes += buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (taken !== undefined) this.#taken.push(taken)
  }

  take(): void {
    this.unsentBytes = 0
    for (const taken of this.#taken.splice(0)) taken()
  }
}

describe('a lane', () => {
  it('gives frames in their order, and takes so many and so many bytes', () => {
    const lane = new LaneQueue({ maxFrames: 3, maxBytes: 10 })
    assert.deepEqual(
      [lane.push(frame(1, 6)), lane.push(frame(2, 5)), lane.push(frame(3, 4))],
      [true, false, true],
    )
    assert.deepEqual([lane.push(frame(4, 0)), lane.push(frame(5, 0))], [true, false])
    assert.deepEqual([lane.frameCount, lane.bytes], [3, 10])
    assert.deepEqual([lane.shift()?.[0], lane.shift()?.[0]], [1, 3])
    assert.deepEqual([lane.shift()?.byteLength, lane.shift()], [0, undefined])
    assert.deepEqual([lane.frameCount, lane.bytes], [0, 0])
  })

  it('takes a frame above its bound where nothing waits, so that it goes at all', () => {
    const lane = new LaneQueue({ maxFrames: 3, maxBytes: 10 })
    assert.deepEqual([lane.push(frame(1, 50)), lane.push(frame(2, 1))], [true, false])
  })

  it('stays in order over thousands of frames', () => {
    const lane = new LaneQueue({ maxFrames: 5000, maxBytes: 1 << 20 })
    const out: number[] = []
    for (let round = 0; round < 5000; round++) {
      lane.push(Buffer.from(Uint32Array.of(round).buffer))
      if (round % 3 === 0) out.push(Buffer.from(lane.shift() ?? []).readUInt32LE())
    }
    for (let next = lane.shift(); next !== undefined; next = lane.shift())
      out.push(Buffer.from(next).readUInt32LE())
    assert.deepEqual(
      out,
      Array.from({ length: 5000 }, (_, index) => index),
    )
  })

  it('is bounded by numbers that make sense', () => {
    assert.equal(resolveLaneLimits({ votes: { maxFrames: 7 } }).votes.maxFrames, 7)
    assert.equal(resolveLaneLimits().appends.maxBytes, 256 << 20)
    for (const wrong of [{ votes: { maxFrames: 0 } }, { mail: { maxFrames: 1 } }] as object[]) {
      assert.throws(
        () => resolveLaneLimits(wrong),
        (error) => RaftError.is(error, 'INVALID_OPTIONS'),
      )
    }
  })

  it('is there for each kind of message, the urgent ones first', () => {
    assert.deepEqual(LANES, ['votes', 'acknowledgements', 'appends', 'snapshots'])
    assert.deepEqual(
      (['heartbeat', 'voteReply', 'appendReply', 'appendRequest', 'snapshotChunk'] as const).map(
        (kind) => LANE_OF[kind],
      ),
      ['votes', 'votes', 'acknowledgements', 'appends', 'snapshots'],
    )
  })
})

describe('the sending side of a connection', () => {
  const limits = { maxFrames: 100, maxBytes: 1 << 20 }
  const made = (maxSocketBytes: number) => {
    const socket = new SlowSocket()
    const lanes = [new LaneQueue(limits), new LaneQueue(limits)] as const
    return { socket, lanes, channel: new PeerChannel(socket, lanes, maxSocketBytes) }
  }

  it('hands all lanes on in one write, the urgent one first', () => {
    const { socket, lanes, channel } = made(1000)
    lanes[1].push(frame(3))
    lanes[0].push(frame(1))
    lanes[0].push(frame(2))
    channel.flush()
    assert.deepEqual(socket.writes, [[1, 2, 3]])
    channel.flush()
    assert.equal(socket.writes.length, 1)
  })

  it('hands a full socket nothing: what is urgent goes before all that waits, and has only so much before it', () => {
    const { socket, lanes, channel } = made(1000)
    for (let index = 0; index < 50; index++) lanes[1].push(frame(9, 400))
    channel.flush()
    assert.deepEqual(socket.writes, [[9, 9, 9]])
    channel.flush()
    lanes[0].push(frame(1, 10))
    channel.flush()
    assert.equal(socket.writes.length, 1)
    assert.equal(channel.waitingFrames, 48)
    socket.take()
    assert.deepEqual(socket.writes[1], [1, 9, 9, 9])
  })

  it('goes on by itself until nothing waits', () => {
    const { socket, lanes, channel } = made(1000)
    for (let index = 0; index < 50; index++) lanes[1].push(frame(index, 400))
    channel.flush()
    while (socket.unsentBytes > 0) socket.take()
    assert.deepEqual(
      socket.writes.flat(),
      Array.from({ length: 50 }, (_, index) => index),
    )
  })

  it('writes nothing to a closed connection', () => {
    const { socket, lanes, channel } = made(1000)
    socket.isClosed = true
    lanes[0].push(frame(1))
    channel.flush()
    assert.deepEqual([socket.writes, channel.waitingFrames], [[], 1])
  })
})
