import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import {
  encodeHandshake,
  type Handshake,
  type Hello,
  helloOf,
  streamFrameOf,
  streamHeaderOf,
} from '@troupe/wire'
import { type DialFailure, dial } from './dial.ts'
import type { FramedSocket } from './framed-socket.ts'
import type { ConnectionRefusalCode, ListenOptions } from './listen-options.ts'
import { FakeTimers, identityOf, RawSocket, until } from './tcp.fixture.ts'
import { TcpListener } from './tcp-listener.ts'

const identity = identityOf('n1')
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A listener, and all that it tells. */
class Host {
  readonly events: ClientEvent[] = []
  readonly controls: FramedSocket[] = []
  readonly refusals: string[] = []
  readonly timers = new FakeTimers()
  listener!: TcpListener

  static async open(options: Partial<ListenOptions> = {}): Promise<Host> {
    const host = new Host()
    host.listener = await TcpListener.open(
      { identity, timers: host.timers, ...options },
      {
        client: (event) => host.events.push(event),
        control: (connection) => {
          connection.handlers = {
            frame: (bytes) => connection.send([streamFrameOf(bytes)]),
            broken: () => {},
            closed: () => {},
          }
          host.controls.push(connection)
        },
        refused: ({ code, reason }) => host.refusals.push(`${code}: ${reason}`),
      },
    )
    closing.push(() => host.listener.close())
    return host
  }

  get port(): number {
    return this.listener.address.port
  }

  refused(code: ConnectionRefusalCode): number {
    return this.listener.metrics.refusals[code]
  }

  get kinds(): string[] {
    return this.events.map(({ kind }) => kind)
  }

  raw(): RawSocket {
    const socket = new RawSocket(this.port)
    closing.push(() => void socket.socket.destroy())
    return socket
  }
}

/** A client or operator on its way in, and what becomes of it. */
class Guest {
  welcome: Handshake | undefined
  failure: DialFailure | undefined
  connection: FramedSocket | undefined
  isClosed = false
  readonly frames: Buffer[] = []

  constructor(host: Host, change: Partial<Hello> = {}) {
    const hello: Hello = {
      ...helloOf(identityOf('n9')),
      role: 'client',
      clusterId: '',
      groups: [],
      from: 'guest',
      ...change,
    }
    const cancel = dial(
      { address: host.listener.address, hello },
      {
        opened: (connection, welcome) => {
          this.welcome = welcome
          this.connection = connection
          connection.open(1 << 30, { maxUnreadFrames: 1e9, maxUnreadBytes: 1e12 })
          connection.handlers = {
            frame: (bytes) => this.frames.push(Buffer.from(bytes)),
            broken: () => {},
            closed: () => {
              this.isClosed = true
            },
          }
        },
        failed: (failure) => {
          this.failure = failure
        },
      },
    )
    closing.push(() => {
      cancel()
      this.connection?.destroy()
    })
  }

  get isDone(): boolean {
    return this.welcome !== undefined || this.failure !== undefined
  }
}

async function guest(host: Host, change: Partial<Hello> = {}): Promise<Guest> {
  const made = new Guest(host, change)
  await until(() => made.isDone)
  return made
}

const isInvalid = (pattern: RegExp) => (error: unknown) =>
  RaftError.is(error, 'INVALID_OPTIONS') && pattern.test(error.message)

describe('a listener', { timeout: 20_000 }, () => {
  describe('hands over', () => {
    it('clients, with their frames in order, and tells them the cluster', async () => {
      const host = await Host.open()
      const client = await guest(host)
      assert.equal(client.welcome?.clusterId, 'cluster')
      assert.equal(client.welcome?.from, 'n1')
      const big = Buffer.alloc(300_000, 7)
      client.connection?.send([streamFrameOf(Buffer.from('one')), streamHeaderOf(big), big])
      await until(() => host.events.length === 3)
      const [opened, first, second] = host.events
      assert.equal(opened?.kind, 'opened')
      assert.ok(
        first?.kind === 'frame' && second?.kind === 'frame' && first.connection === opened?.connection,
      )
      assert.deepEqual([Buffer.from(first.bytes).toString(), Buffer.from(second.bytes)], ['one', big])
      assert.ok(opened.connection.send(big) && opened.connection.send(Buffer.from('two')))
      await until(() => client.frames.length === 2)
      assert.deepEqual(client.frames, [big, Buffer.from('two')])
      client.connection?.close()
      await until(() => host.events.length === 4)
      assert.deepEqual(host.kinds, ['opened', 'frame', 'frame', 'closed'])
      assert.equal(host.listener.metrics.clients, 0)
    })

    it('operators', async () => {
      const host = await Host.open()
      const operator = await guest(host, { role: 'control' })
      operator.connection?.send([streamFrameOf(Buffer.from('status'))])
      await until(() => operator.frames.length === 1)
      assert.equal(host.listener.metrics.controls, 1)
    })
  })

  it('closes what a node closes, after what was sent has left', async () => {
    const host = await Host.open()
    const client = await guest(host)
    const connection = host.events[0]?.connection
    connection?.send(Buffer.from('goodbye'))
    connection?.close()
    await until(() => client.isClosed && host.events.length === 2)
    assert.deepEqual(client.frames, [Buffer.from('goodbye')])
    assert.equal(connection?.send(Buffer.from('late')), false)
  })

  it('does not send to a client that reads too slowly, and holds one that sends too fast', async () => {
    const host = await Host.open({
      limits: { maxUnsentBytes: 1 << 20, clientWindow: { maxUnreadFrames: 4, maxUnreadBytes: 1 << 20 } },
    })
    const client = await guest(host)
    const connection = host.events[0]?.connection
    client.connection?.socket.pause()
    const frame = Buffer.alloc(1 << 19)
    let sent = 0
    while (connection?.send(frame) === true) sent++
    assert.ok(sent > 1 && sent < 100, `${sent} frames of half a megabyte`)
    client.connection?.socket.resume()
    await until(() => client.frames.length === sent)
    assert.equal(connection?.send(Buffer.alloc(2 << 20)), true)
    for (let round = 0; round < 40; round++) client.connection?.send([streamHeaderOf(frame), frame])
    await until(() => host.events.length >= 3)
    assert.ok(host.events.length < 30)
    while (host.events.length < 41) {
      host.listener.drained()
      await new Promise(setImmediate)
    }
  })

  describe('refuses, tells why, and counts', () => {
    it('what does not fit', async () => {
      const host = await Host.open({ tokens: { client: 'open sesame' } })
      const cases: [change: Partial<Hello>, code: ConnectionRefusalCode, reason: RegExp][] = [
        [{ clusterId: 'other', token: 'open sesame' }, 'cluster', /cluster "other", here it is "cluster"/],
        [{ groups: [7] }, 'group', /group 7, here it is 1/],
        [{ to: 'n5' }, 'identity', /a handshake for "n5", here it is "n1"/],
        [{ role: 'peer', clusterId: 'cluster', groups: [1] }, 'role', /no peer is taken here/],
        [{}, 'token', /a client without a token/],
        [{ token: 'guess' }, 'token', /a client with a wrong token/],
      ]
      for (const [change, code, reason] of cases) {
        const before = host.refused(code)
        const { failure } = await guest(host, change)
        assert.equal(failure?.code, 'remote')
        assert.match(failure?.reason ?? '', reason)
        assert.match(host.refusals.at(-1) ?? '', reason)
        assert.equal(host.refused(code), before + 1)
      }
      assert.notEqual((await guest(host, { token: 'open sesame' })).welcome, undefined)
      assert.notEqual((await guest(host, { role: 'control' })).welcome, undefined)
      assert.equal(host.refusals.length, cases.length)
    })

    it('a client of a future version', async () => {
      const host = await Host.open()
      const raw = host.raw()
      raw.frame(encodeHandshake(helloOf(identityOf('n9'), { role: 'client' }), { lowest: 8, highest: 9 }))
      await until(() => raw.isClosed)
      assert.equal(host.refused('version'), 1)
      assert.match(raw.text, /protocol version 8 to 9, here it is 5/)
    })

    it('a client whose frames make no sense to the node, after it was told so; a close without offence is none', async () => {
      const host = await Host.open()
      const [offender, other] = [await guest(host), await guest(host)]
      const [first, second] = host.events.map(({ connection }) => connection)
      first?.send(Buffer.from('what was wrong'))
      first?.close('requests that do not decode')
      first?.close('again')
      second?.close()
      await until(() => offender.isClosed && other.isClosed)
      assert.deepEqual(offender.frames, [Buffer.from('what was wrong')])
      assert.equal(host.refused('protocol'), 1)
      assert.equal(host.refusals.length, 1)
    })

    it('noise, a frame too long for a handshake, and an end before it', async () => {
      const host = await Host.open()
      const [noise, long, short] = [host.raw(), host.raw(), host.raw()]
      noise.socket.write('GET / HTTP/1.1\r\nHost: troupe\r\n\r\n')
      long.socket.write(streamHeaderOf(new Uint8Array(5000)))
      await until(() => noise.isClosed && long.isClosed)
      assert.match(noise.text, /the header of a frame is damaged, or none/)
      assert.match(long.text, /a frame of 5000 bytes, above 4096/)
      short.socket.end(Uint8Array.of(1, 2))
      await until(() => short.isClosed && host.refused('closed') === 1)
      assert.deepEqual([host.refused('damaged'), host.refused('oversized')], [1, 1])
      assert.equal(host.listener.metrics.halfOpen, 0)
    })

    it('who says nothing, or one byte now and then, until the time is up', async () => {
      const host = await Host.open()
      const [silent, slow] = [host.raw(), host.raw()]
      const hello = streamFrameOf(encodeHandshake(helloOf(identityOf('n9'), { role: 'client' })))
      await until(() => host.listener.metrics.halfOpen === 2)
      for (let at = 0; at < 29; at++) {
        slow.socket.write(hello.subarray(at, at + 1))
        host.timers.advance(100)
      }
      assert.equal(host.listener.metrics.halfOpen, 2)
      host.timers.advance(100)
      await until(() => silent.isClosed && slow.isClosed)
      assert.equal(host.refused('timeout'), 2)
      assert.match(slow.text, /no handshake in time/)
    })

    it('a client whose frame does not end', async () => {
      const host = await Host.open({ limits: { frameTimeoutMs: 1000 } })
      const [slow, idle] = [await guest(host), await guest(host)]
      slow.connection?.socket.write(streamHeaderOf(Buffer.alloc(100)))
      await until(() => host.listener.metrics.clients === 2)
      const listener = host.listener
      for (let seconds = 0; seconds < 3 && listener.metrics.clients === 2; seconds++) {
        slow.connection?.socket.write(Uint8Array.of(0))
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
        host.timers.advance(1000)
        await new Promise(setImmediate)
      }
      await until(() => slow.isClosed && host.kinds.at(-1) === 'closed')
      assert.equal(host.refused('slow'), 1)
      assert.equal(idle.isClosed, false)
    })

    it('frames above the limit of the role, and damaged ones', async () => {
      const host = await Host.open({ limits: { maxFrameBytes: { peer: 1, client: 1000, control: 1 } } })
      const [long, damaged] = [await guest(host), await guest(host)]
      long.connection?.socket.write(streamHeaderOf(Buffer.alloc(1001)))
      const frame = streamFrameOf(Buffer.from('command'))
      frame[15] = 0
      damaged.connection?.socket.write(frame)
      await until(() => long.isClosed && damaged.isClosed && host.listener.metrics.clients === 0)
      assert.deepEqual([host.refused('oversized'), host.refused('damaged')], [1, 1])
      assert.deepEqual(host.kinds.sort(), ['closed', 'closed', 'opened', 'opened'])
    })

    it('more half-open connections than there may be, in all and from one address', async () => {
      for (const limits of [{ maxHalfOpen: 3 }, { maxHalfOpenPerAddress: 3 }]) {
        const host = await Host.open({ limits })
        const held = [host.raw(), host.raw(), host.raw()]
        await until(() => host.listener.metrics.halfOpen === 3)
        const { failure } = await guest(host)
        assert.match(failure?.reason ?? '', /3 connections without a handshake/)
        assert.equal(host.refused('half-open'), 1)
        held[0]?.socket.destroy()
        await until(() => host.listener.metrics.halfOpen === 2)
        assert.notEqual((await guest(host)).welcome, undefined)
      }
    })

    it('more clients and operators than there may be', async () => {
      const host = await Host.open({ limits: { maxClients: 1, maxControls: 1 } })
      for (const role of ['client', 'control'] as const) {
        assert.notEqual((await guest(host, { role })).welcome, undefined)
        assert.match(
          (await guest(host, { role })).failure?.reason ?? '',
          /1 connections of a (client|control) already/,
        )
      }
      assert.equal(host.refused('full'), 2)
    })
  })

  describe('does not open, and says why,', () => {
    it('where the address is taken', async () => {
      const { listener } = await Host.open()
      await assert.rejects(
        TcpListener.open({ identity, listen: listener.address }, {}),
        isInvalid(/listen is "127.0.0.1:\d+"; expected an address of this host that is free \(EADDRINUSE\)/),
      )
    })

    it('for the whole network without TLS, unless it is told to', async () => {
      for (const host of ['0.0.0.0', '::']) {
        await assert.rejects(
          TcpListener.open({ identity, listen: { host, port: 0 } }, {}),
          isInvalid(/expected a loopback address, TLS, or insecure: true/),
        )
      }
      await Host.open({ listen: { host: '0.0.0.0', port: 0 }, insecure: true })
    })

    it('with limits that make no sense', async () => {
      for (const limits of [{ maxClients: 0 }, { maxFriends: 1 }] as object[]) {
        await assert.rejects(TcpListener.open({ identity, limits }, {}), isInvalid(/limits.max/))
      }
    })
  })

  it('closes with connections of every kind, and leaves none', async () => {
    const host = await Host.open()
    const guests = [await guest(host), await guest(host, { role: 'control' })]
    const raw = host.raw()
    await until(() => host.listener.metrics.halfOpen === 1)
    closing.length = 0
    await host.listener.close()
    await until(() => raw.isClosed && guests.every(({ isClosed }) => isClosed))
    assert.deepEqual(host.kinds, ['opened', 'closed'])
    assert.equal(host.timers.count, 0)
  })

  it('survives whatever comes: nothing of it is taken, each connection is counted', async () => {
    const host = await Host.open({ limits: { maxFrameBytes: { peer: 1, client: 2000, control: 1 } } })
    const streamCount = process.env.TROUPE_FULL ? 20_000 : 2000
    await fuzz(host, streamCount)
    const { accepted, clients, halfOpen, refusals } = host.listener.metrics
    assert.deepEqual([clients, halfOpen, accepted], [0, 0, streamCount])
    const welcomed = host.kinds.filter((kind) => kind === 'opened').length
    const refused = Object.values(refusals).reduce((sum, count) => sum + count, 0)
    assert.ok(welcomed > streamCount / 2, `${welcomed} got past the handshake`)
    // Behind a handshake a stream may end anywhere, which is no offence.
    assert.ok(refused >= streamCount - welcomed && refused <= streamCount, `${refused} refused`)
    const frames = host.events.filter(({ kind }) => kind === 'frame')
    for (const event of frames) {
      assert.ok(event.kind === 'frame' && Buffer.from(event.bytes).equals(Buffer.from(COMMAND)))
    }
    assert.notEqual((await guest(host)).welcome, undefined)
  })
})

const COMMAND = 'the only frame that is as it was sent'

/** A small generator, so that a failure comes again. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

/** A stream with a change somewhere: of four three behind a sound handshake. */
function mutated(roll: (sides: number) => number): Uint8Array {
  const hello = streamFrameOf(encodeHandshake(helloOf(identityOf('n9'), { role: 'client' })))
  const command = streamFrameOf(Buffer.from(COMMAND))
  const isBehind = roll(4) > 0
  const [sound, target] = isBehind
    ? [hello, Buffer.concat([command, command])]
    : [Buffer.alloc(0), Buffer.from(hello)]
  switch (roll(5)) {
    case 0:
      target[roll(target.byteLength)] = roll(256)
      break
    case 1:
      return Buffer.concat([sound, target.subarray(0, roll(target.byteLength))])
    case 2:
      for (let count = roll(40); count >= 0; count--) target[roll(target.byteLength)] = roll(256)
      break
    case 3:
      return Buffer.concat([sound, streamHeaderOf(Buffer.alloc(2001 + roll(5000))), target])
    default:
      return Buffer.concat([
        sound,
        target.subarray(0, roll(20)),
        Buffer.from(Array.from({ length: 60 }, () => roll(256))),
      ])
  }
  return Buffer.concat([sound, target])
}

async function fuzz(host: Host, streamCount: number): Promise<void> {
  const roll = dice(7)
  for (let begun = 0; begun < streamCount; begun += 10) {
    const sockets = Array.from({ length: 10 }, () => {
      const raw = new RawSocket(host.port)
      const stream = mutated(roll)
      const at = roll(stream.byteLength)
      raw.socket.write(stream.subarray(0, at))
      raw.socket.end(stream.subarray(at))
      return raw
    })
    await until(
      () => sockets.every(({ isClosed }) => isClosed) && host.listener.metrics.accepted === begun + 10,
    )
  }
  await until(() => host.listener.metrics.clients === 0 && host.listener.metrics.halfOpen === 0)
}
