import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { Message } from '@troupe/core'
import { decodePeerFrame, encodeRefusal, type Handshake, streamFrameOf } from '@troupe/wire'
import type { FramedSocket } from './framed-socket.ts'
import { append, appendReply, chunk, FakeTimers, heartbeat, identityOf, until } from './tcp.fixture.ts'
import { TcpListener } from './tcp-listener.ts'
import { TcpTransport, type TcpTransportOptions } from './tcp-transport.ts'

const own = identityOf('n1')
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** The other end of a link, as somebody would write it who wants to see each connection by itself. */
class Peer {
  readonly connections = new Map<string, FramedSocket>()
  readonly frames: [channel: string, messages: readonly Message[], bytes: number][] = []
  /** Called with each connection that was welcomed. */
  onConnection: (framed: FramedSocket, handshake: Handshake) => void = () => {}
  listener!: TcpListener

  static async open(): Promise<Peer> {
    const peer = new Peer()
    peer.listener = await TcpListener.open(
      { identity: identityOf('n2') },
      { peer: (framed, handshake) => peer.#take(framed, handshake) },
    )
    closing.push(async () => {
      for (const framed of peer.connections.values()) framed.destroy()
      await peer.listener.close()
    })
    return peer
  }

  #take(framed: FramedSocket, handshake: Handshake): void {
    const { channel } = handshake
    this.connections.set(channel, framed)
    framed.handlers = {
      frame: (bytes) => {
        const decoded = decodePeerFrame(bytes)
        assert.ok(typeof decoded !== 'string')
        this.frames.push([channel, decoded.messages, bytes.byteLength])
      },
      broken: () => {},
      closed: () => {},
    }
    this.onConnection(framed, handshake)
  }

  messages(channel: string): Message[] {
    return this.frames.filter(([each]) => each === channel).flatMap(([, messages]) => messages)
  }
}

function transportTo(peer: Peer, options: Partial<TcpTransportOptions> = {}) {
  const events: string[] = []
  const messages: Message[] = []
  const transport = new TcpTransport(
    { identity: own, backoff: { initialMs: 1e6, maxMs: 1e6 }, ...options },
    {
      message: (message) => messages.push(message),
      peerUp: (id) => events.push(`up ${id}`),
      peerGone: (id) => events.push(`gone ${id}`),
      refused: (id, reason) => events.push(`refused ${id}: ${reason}`),
    },
  )
  closing.push(() => transport.close())
  transport.addPeer('n2', peer.listener.address)
  return { transport, events, messages }
}

async function linked(options: Partial<TcpTransportOptions> = {}) {
  const peer = await Peer.open()
  const made = transportTo(peer, options)
  await until(() => made.events.includes('up n2'))
  return { peer, ...made }
}

describe('a link of two connections', { timeout: 20_000 }, () => {
  it('puts what must not wait on one and what is large on the other, a frame for each lane', async () => {
    const { peer, transport } = await linked()
    transport.send([
      chunk(own, 'n2', 1000),
      append(own, 'n2', 100, 1),
      appendReply(own, 'n2', 1),
      heartbeat(own, 'n2'),
      append(own, 'n2', 0, 2),
    ])
    await until(() => peer.frames.length === 4)
    const kinds = (channel: string) =>
      peer.frames.filter(([each]) => each === channel).map(([, messages]) => messages.map(({ kind }) => kind))
    assert.deepEqual(kinds('urgent'), [['heartbeat'], ['appendReply']])
    assert.deepEqual(kinds('bulk'), [['appendRequest', 'appendRequest'], ['snapshotChunk']])
  })

  it('lets heartbeats through while megabytes wait that the peer does not read', async () => {
    const { peer, transport } = await linked()
    peer.connections.get('bulk')?.socket.pause()
    for (let index = 0; index < 200; index++) {
      transport.send([chunk(own, 'n2', 256 << 10, index), append(own, 'n2', 256 << 10, index)])
    }
    // What is in no buffer of the kernel's waits here: more than it takes, whatever it takes.
    const { droppedByLane } = transport.metrics
    assert.deepEqual([droppedByLane.votes, droppedByLane.appends], [0, 0])
    for (let commit = 1; commit <= 5; commit++) {
      transport.send([append(own, 'n2', 256 << 10), heartbeat(own, 'n2', commit)])
      await until(() => peer.messages('urgent').length === commit)
    }
    // Nothing else was before them in their connection, and of the rest at most what was read before the pause.
    const urgentBytes = peer.frames.reduce(
      (sum, [channel, , bytes]) => sum + (channel === 'urgent' ? bytes : 0),
      0,
    )
    assert.ok(urgentBytes < 5 * 200, `${urgentBytes} bytes`)
    assert.ok(peer.messages('bulk').length < 100, 'the bulk was read')
  })

  it('drops and counts what a lane has no room for, and what waits when it falls', async () => {
    const { peer, transport, events } = await linked({
      lanes: { appends: { maxFrames: 3 }, snapshots: { maxFrames: 2 } },
    })
    peer.connections.get('bulk')?.socket.pause()
    for (let index = 0; index < 60; index++)
      transport.send([append(own, 'n2', 1 << 20), chunk(own, 'n2', 1 << 20)])
    const before = transport.metrics
    assert.ok(before.droppedByLane.appends > 0 && before.droppedByLane.snapshots > 0)
    assert.equal(before.framesSent + before.framesDropped, 120)
    for (const framed of peer.connections.values()) framed.destroy()
    await until(() => events.includes('gone n2'))
    assert.ok(transport.metrics.droppedByLane.appends > before.droppedByLane.appends)
  })

  it('falls when either connection does', async () => {
    for (const channel of ['urgent', 'bulk']) {
      const { peer, events, transport } = await linked()
      peer.connections.get(channel)?.destroy()
      await until(() => events.includes('gone n2'))
      assert.equal(transport.metrics.links, 0)
    }
  })

  it('does not stand on one connection, and does not wait for the other for ever', async () => {
    const timers = new FakeTimers()
    const peer = await Peer.open()
    const listener = await TcpListener.open(
      { identity: own },
      { peer: (framed, handshake) => transport.accept(framed, handshake) },
    )
    const { transport, events } = transportTo(peer, { timers, keepAliveMs: 10 })
    await until(() => events.includes('up n2'))
    transport.removePeer('n2')
    await until(() => events.includes('gone n2'))
    closing.push(() => listener.close())
    const { dial } = await import('./dial.ts')
    const { helloOf } = await import('@troupe/wire')
    let isClosed = false
    dial(
      { address: listener.address, hello: helloOf(identityOf('n0'), { channel: 'bulk', link: 1 }) },
      {
        opened: (connection) => {
          connection.handlers = {
            frame: () => {},
            broken: () => {},
            closed: () => {
              isClosed = true
            },
          }
        },
        failed: ({ reason }) => assert.fail(reason),
      },
    )
    await until(() => listener.metrics.accepted === 1 && listener.metrics.halfOpen === 0)
    timers.advance(50)
    await until(() => isClosed)
    assert.deepEqual(events.slice(2), ['refused n0: one connection of two for too long'])
  })

  it('tells what the other end does not like about its welcome', async () => {
    const peer = await Peer.open()
    peer.onConnection = (framed, { channel }) => {
      if (channel === 'urgent')
        framed.send([streamFrameOf(encodeRefusal({ code: 'version', reason: 'too new' }))])
      else framed.socket.pause()
    }
    const { events } = transportTo(peer)
    await until(() => events.length > 0)
    assert.match(events.join('; '), /refused n2: refused there: too new/)
  })

  describe('that is silent', () => {
    it('is given up after so many intervals, though TCP would try for minutes', async () => {
      const timers = new FakeTimers()
      const { events } = await linked({ timers, keepAliveMs: 1000, maxSilentIntervals: 5 })
      timers.advance(5000)
      assert.equal(events.includes('gone n2'), false)
      timers.advance(1000)
      await until(() => events.includes('gone n2'))
      assert.deepEqual(events, ['up n2', 'refused n2: silent for too long', 'gone n2'])
    })

    it('is kept while the other end shows that it is there', async () => {
      const timers = new FakeTimers()
      const { peer, events, messages } = await linked({ timers, keepAliveMs: 1000, maxSilentIntervals: 2 })
      for (let second = 0; second < 6; second++) {
        for (const framed of peer.connections.values()) {
          framed.keepAlive()
          framed.keepAlive()
        }
        const before = peer.connections.get('bulk')?.socket.bytesRead ?? 0
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
        timers.advance(1000)
        // In the first interval this end has said hello.
        if (second > 0) await until(() => (peer.connections.get('bulk')?.socket.bytesRead ?? 0) > before)
      }
      assert.deepEqual([events, messages], [['up n2'], []])
    })
  })
})
