import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { Link, type LinkHandlers, type LinkWindow } from './link.ts'

const opened: Link[] = []
after(() => {
  for (const link of opened) link.close()
})

/** One end of a link, what it received and has not consumed, and how often it was told to write on. */
class End {
  readonly link: Link
  readonly frames: Uint8Array[] = []
  writable = 0
  closed = 0
  #changed = Promise.withResolvers<void>()

  constructor(
    port: import('node:worker_threads').MessagePort,
    window: LinkWindow,
    more: Partial<LinkHandlers> = {},
  ) {
    this.link = new Link(port, window, {
      onFrame: (frame) => {
        this.frames.push(frame)
        this.#notify()
      },
      onWritable: () => {
        this.writable++
        this.#notify()
      },
      onClose: () => {
        this.closed++
        this.#notify()
      },
      ...more,
    })
    opened.push(this.link)
  }

  /**
   * Waits until the condition holds; each event of this end tests it again. The test's timeout is the bound.
   */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise
  }

  /** Consumes the first so many frames that are there. */
  consume(count: number): void {
    const drained = this.frames.splice(0, count)
    const bytes = drained.reduce((sum, frame) => sum + frame.byteLength, 0)
    this.link.consumed(drained.length, bytes)
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}

function linked(window: Partial<LinkWindow> = {}): [End, End] {
  const { port1, port2 } = new MessageChannel()
  const full = { maxUnreadMessages: 1000, maxUnreadBytes: 1_000_000, ...window }
  return [new End(port1, full), new End(port2, full)]
}

const bounded = { timeout: 90_000 }

describe('Link', bounded, () => {
  it('carries frames in order, both ways', async () => {
    const [a, b] = linked()
    a.link.send(Uint8Array.of(1), false)
    a.link.send(Uint8Array.of(2, 2).buffer, false)
    a.link.send(Uint8Array.of(3), true)
    a.link.send(Uint8Array.of(4).buffer, true)
    b.link.send(Uint8Array.of(9), true)
    await b.until(() => b.frames.length === 4)
    await a.until(() => a.frames.length === 1)
    assert.deepEqual(b.frames, [Uint8Array.of(1), Uint8Array.of(2, 2), Uint8Array.of(3), Uint8Array.of(4)])
    assert.deepEqual(a.frames, [Uint8Array.of(9)])
  })

  it('sends only the bytes of a view, and leaves the memory around it alone', async () => {
    const [a, b] = linked()
    const slab = Uint8Array.from({ length: 8192 }, (_, i) => i)
    a.link.send(slab.subarray(100, 104), false)
    a.link.send(Buffer.from('pooled'), false)
    a.link.send(new Uint8Array(new SharedArrayBuffer(3)), false)
    await b.until(() => b.frames.length === 3)
    assert.deepEqual(
      b.frames.map((frame) => frame.buffer.byteLength),
      [4, 6, 3],
    )
    assert.deepEqual(b.frames[0], Uint8Array.of(100, 101, 102, 103))
    assert.equal(slab.byteLength, 8192)
  })

  it('moves the memory of a transferred frame, and refuses a view of a part', () => {
    const [a] = linked()
    const frame = new Uint8Array(10)
    a.link.send(frame, true)
    assert.equal(frame.byteLength, 0)
    const view = new Uint8Array(10).subarray(0, 5)
    assert.throws(
      () => a.link.send(view, true),
      (error) => RaftError.is(error, 'INVALID_OPTIONS'),
    )
    assert.equal(a.link.metrics().sentFrames, 1)
  })

  it('stops the sender at the bound in messages and lets it on after a grant', async () => {
    const [a, b] = linked({ maxUnreadMessages: 4 })
    const sent = [1, 2, 3, 4, 5, 6].map((byte) => a.link.send(Uint8Array.of(byte), true))
    assert.deepEqual(sent, [true, true, true, true, false, false])
    assert.equal(a.link.metrics().refusedFrames, 2)
    await b.until(() => b.frames.length === 4)
    b.consume(1)
    await a.until(() => a.writable === 1)
    assert.equal(a.link.send(Uint8Array.of(5), true), true)
    assert.equal(a.link.send(Uint8Array.of(6), true), false)
  })

  it('stops the sender at the bound in bytes and lets it on after a grant', async () => {
    const [a, b] = linked({ maxUnreadBytes: 100 })
    assert.equal(a.link.send(new Uint8Array(60), true), true)
    assert.equal(a.link.canSend(41), false)
    assert.equal(a.link.send(new Uint8Array(40), true), true)
    assert.equal(a.link.send(new Uint8Array(1), true), false)
    await b.until(() => b.frames.length === 2)
    b.consume(2)
    await a.until(() => a.writable === 1)
    assert.equal(a.link.metrics().unreadBytes, 0)
  })

  it('sends a frame larger than the whole window, alone', async () => {
    const [a, b] = linked({ maxUnreadBytes: 100 })
    assert.equal(a.link.send(new Uint8Array(500), true), true)
    assert.equal(a.link.send(new Uint8Array(1), true), false)
    await b.until(() => b.frames.length === 1)
    b.consume(1)
    await a.until(() => a.writable === 1)
    assert.equal(a.link.send(new Uint8Array(500), true), true)
    assert.equal(b.link.metrics().violation, undefined)
  })

  it('grants lazily: one message for half a window', async () => {
    const [a, b] = linked({ maxUnreadMessages: 100 })
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 50; i++) assert.equal(a.link.send(Uint8Array.of(i), true), true)
      await b.until(() => b.frames.length === 50)
      b.consume(50)
      // One frame back: when it is here, so is the grant before it.
      b.link.send(Uint8Array.of(round), true)
      await a.until(() => a.frames.length === round + 1)
    }
    assert.equal(b.link.metrics().grantsSent, 10)
    assert.equal(a.link.metrics().wantsSent, 0)
  })

  it('grants at once to a sender that waits, so that half a window cannot lock', async () => {
    const [a, b] = linked({ maxUnreadBytes: 1000 })
    a.link.send(new Uint8Array(400), true)
    await b.until(() => b.frames.length === 1)
    b.consume(1)
    assert.equal(b.link.metrics().grantsSent, 0)
    assert.equal(a.link.send(new Uint8Array(700), true), false)
    await a.until(() => a.writable === 1)
    assert.equal(a.link.send(new Uint8Array(700), true), true)
  })

  it('calls onWritable only when the refused frame fits', async () => {
    const [a, b] = linked({ maxUnreadBytes: 100 })
    for (let i = 0; i < 10; i++) a.link.send(new Uint8Array(10), true)
    assert.equal(a.link.send(new Uint8Array(95), true), false)
    await b.until(() => b.frames.length === 10)
    for (let i = 0; i < 9; i++) b.consume(1)
    b.link.send(Uint8Array.of(1), true)
    await a.until(() => a.frames.length === 1)
    assert.equal(a.writable, 0)
    b.consume(1)
    await a.until(() => a.writable === 1)
    assert.equal(a.link.send(new Uint8Array(95), true), true)
  })

  it('tells both ends of a close, once, after what was sent before it', async () => {
    const [a, b] = linked()
    a.link.send(Uint8Array.of(1), true)
    a.link.close()
    a.link.close()
    await b.until(() => b.closed === 1)
    await a.until(() => a.closed === 1)
    assert.equal(b.frames.length, 1)
    assert.equal(b.link.send(Uint8Array.of(1), false), false)
    assert.equal(a.link.canSend(1), false)
    assert.ok(a.link.closed && b.link.closed)
    b.consume(1)
  })

  it('tells the peer of a farewell, once, after what was sent before it', async () => {
    const [a, b] = linked()
    a.link.send(Uint8Array.of(1), true)
    a.link.farewell()
    a.link.farewell()
    assert.ok(a.link.closed)
    assert.equal(a.link.send(Uint8Array.of(2), true), false)
    await b.until(() => b.closed === 1)
    assert.equal(b.frames.length, 1)
    assert.ok(b.link.closed)
    assert.equal(b.link.metrics().violation, undefined)
    // The port goes as well, which is no news any more.
    await a.until(() => a.closed === 1)
    assert.equal(b.closed, 1)
  })

  it('closes on a peer that sends more than the window', async () => {
    const { port1, port2 } = new MessageChannel()
    const b = new End(port2, { maxUnreadMessages: 2, maxUnreadBytes: 100 })
    for (let i = 0; i < 3; i++) port1.postMessage(Uint8Array.of(i))
    await b.until(() => b.closed === 1)
    assert.equal(b.frames.length, 2)
    assert.match(String(b.link.metrics().violation), /window/)
  })

  it('closes on a peer that grants what was not sent, or sends no frame', async () => {
    for (const message of [[1, 1], ['x'], 'text', 1, null, { kind: 'port' }]) {
      const { port1, port2 } = new MessageChannel()
      const b = new End(port2, { maxUnreadMessages: 2, maxUnreadBytes: 100 })
      port1.postMessage(message)
      await b.until(() => b.closed === 1)
      assert.notEqual(b.link.metrics().violation, undefined)
    }
  })

  it('throws when its owner consumes what never came', () => {
    const [a] = linked()
    assert.throws(() => a.link.consumed(1, 0), { name: 'InvariantError' })
  })

  it('wants a window of positive integers', () => {
    for (const bad of [0, -1, 1.5, Number.NaN]) {
      const make = () => linked({ maxUnreadMessages: bad })
      assert.throws(make, (error) => RaftError.is(error, 'INVALID_OPTIONS'))
    }
  })

  it('loses no credit and never exceeds the window, whatever is sent and consumed', async () => {
    const step = fc.record({
      bytes: fc.integer({ min: 0, max: 150 }),
      consume: fc.integer({ min: 0, max: 4 }),
    })
    const window = { maxUnreadMessages: 5, maxUnreadBytes: 100 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        await sendAll(steps, window)
      }),
      { numRuns: 60 },
    )
  })
})

/**
 * Sends every frame, waiting where it is refused, against a receiver that consumes unevenly; checks
 * conservation.
 */
async function sendAll(
  steps: readonly { bytes: number; consume: number }[],
  window: LinkWindow,
): Promise<void> {
  const [a, b] = linked(window)
  let consumed = 0
  for (const [count, { bytes, consume }] of steps.entries()) {
    while (!a.link.send(new Uint8Array(bytes), true)) {
      const resumed = a.writable + 1
      await b.until(() => b.frames.length + consumed === count)
      consumed += b.frames.length
      b.consume(b.frames.length)
      await a.until(() => a.writable === resumed)
    }
    const { unreadMessages, unreadBytes } = a.link.metrics()
    assert.ok(unreadMessages <= window.maxUnreadMessages)
    assert.ok(unreadBytes <= window.maxUnreadBytes || unreadMessages === 1)
    const now = Math.min(consume, b.frames.length)
    consumed += now
    b.consume(now)
  }
  await b.until(() => b.frames.length + consumed === steps.length)
  b.consume(b.frames.length)
  assert.equal(b.link.metrics().violation, undefined)
  assert.equal(b.link.metrics().receivedBytes, a.link.metrics().sentBytes)
  a.link.close()
  await b.until(() => b.closed === 1)
}
