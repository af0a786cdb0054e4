import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import type { FramedSocket } from './framed-socket.ts'
import { FakeTimers, identityOf, until } from './tcp.fixture.ts'
import { TcpListener } from './tcp-listener.ts'
import { TcpTransport } from './tcp-transport.ts'

/** Nobody answers there: whoever connects is put down at once, or held. */
class Deaf {
  readonly server: Server
  readonly held: Socket[] = []
  connections = 0
  holds = false

  constructor() {
    this.server = createServer((socket) => {
      this.connections++
      socket.on('error', () => {})
      if (this.holds) this.held.push(socket)
      else socket.destroy()
    })
  }

  get port(): number {
    return (this.server.address() as { port: number }).port
  }
}

describe('attempts to reach a peer', { timeout: 20_000 }, () => {
  const deaf = new Deaf()
  const transports: TcpTransport[] = []
  before(() => new Promise<void>((resolve) => deaf.server.listen(0, '127.0.0.1', resolve)))
  afterEach(async () => {
    for (const transport of transports.splice(0)) await transport.close()
    for (const socket of deaf.held.splice(0)) socket.destroy()
    deaf.connections = 0
    deaf.holds = false
  })
  after(() => deaf.server.close())

  function start(id: string, timers: FakeTimers, port = deaf.port) {
    const refused: string[] = []
    const transport = new TcpTransport(
      {
        identity: identityOf(id),
        timers,
        random: () => 1,
        keepAliveMs: 1e9,
        backoff: { initialMs: 100, factor: 1.5, maxMs: 300 },
      },
      {
        message: () => {},
        peerUp: () => {},
        peerGone: () => {},
        refused: (_, reason) => refused.push(reason),
      },
    )
    transports.push(transport)
    transport.addPeer('n2', { host: '127.0.0.1', port })
    return { transport, refused }
  }

  it('wait longer each time, up to the cap, and only the first failure of a kind is told', async () => {
    const timers = new FakeTimers()
    const { transport, refused } = start('n1', timers)
    const waits: (number | undefined)[] = []
    for (let failures = 1; failures <= 6; failures++) {
      await until(() => transport.metrics.failedAttempts === failures)
      waits.push(timers.nextInMs)
      timers.advance(timers.nextInMs ?? 0)
    }
    assert.deepEqual(waits, [100, 150, 225, 300, 300, 300])
    assert.equal(refused.length, 1)
    assert.match(refused[0] ?? '', /127.0.0.1:\d+: (closed before an answer|the connection was reset)/)
  })

  it('wait as after a first failure once there was a link', async () => {
    const timers = new FakeTimers()
    const sockets: FramedSocket[] = []
    const listener = await TcpListener.open(
      { identity: identityOf('n2') },
      { peer: (framed) => sockets.push(framed) },
    )
    const { transport } = start('n1', timers, listener.address.port)
    for (let links = 1; links <= 3; links++) {
      await until(() => transport.metrics.links === 1)
      for (const framed of sockets.splice(0)) framed.destroy()
      await until(() => transport.metrics.links === 0)
      assert.equal(timers.nextInMs, 100)
      if (links < 3) timers.advance(100)
    }
    await listener.close()
    timers.advance(100)
    await until(() => transport.metrics.failedAttempts === 1)
    assert.equal(timers.nextInMs, 150)
  })

  it('wait once for an attempt of which one connection stood and the other failed', async () => {
    const timers = new FakeTimers()
    const listener = await TcpListener.open(
      { identity: identityOf('n2') },
      {
        checkPeer: ({ channel }) => (channel === 'bulk' ? { code: 'full', reason: 'no bulk' } : undefined),
        peer: () => {},
      },
    )
    const { transport } = start('n1', timers, listener.address.port)
    const waits: (number | undefined)[] = []
    for (let failures = 1; failures <= 3; failures++) {
      await until(() => transport.metrics.failedAttempts === failures)
      waits.push(timers.nextInMs)
      timers.advance(timers.nextInMs ?? 0)
    }
    assert.deepEqual(waits, [100, 150, 225])
    await transport.close()
    await listener.close()
  })

  it('are made of two connections by the smaller name, and of one knock by the other', async () => {
    deaf.holds = true
    start('n1', new FakeTimers())
    await until(() => deaf.connections === 2)
    deaf.connections = 0
    start('n3', new FakeTimers())
    await until(() => deaf.connections === 1)
    await new Promise(setImmediate)
    assert.equal(deaf.connections, 1)
  })

  it('end when the time is up', async () => {
    deaf.holds = true
    const timers = new FakeTimers()
    const { transport, refused } = start('n1', timers)
    await until(() => deaf.connections === 2)
    timers.advance(3000)
    assert.equal(transport.metrics.failedAttempts, 1)
    assert.match(refused[0] ?? '', /no answer within 3000 ms/)
  })

  it('are over when the peer is removed or the transport closed', async () => {
    deaf.holds = true
    const timers = new FakeTimers()
    const { transport } = start('n1', timers)
    await until(() => deaf.connections === 2)
    transport.removePeer('n2')
    // What is left is the ticker of the links.
    assert.equal(timers.count, 1)
    await transport.close()
    assert.equal(timers.count, 0)
  })

  it('tell an address that does not exist', async () => {
    const { transport, refused } = start('n1', new FakeTimers())
    transport.addPeer('n9', { host: '127.0.0.1', port: 1 })
    await until(() => refused.some((reason) => /127.0.0.1:1: ECONNREFUSED/.test(reason)))
  })
})
