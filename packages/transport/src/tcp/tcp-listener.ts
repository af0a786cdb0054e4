/**
 * Where peers, clients and operators of a node come in.
 *
 *     socket ─► HalfOpenSockets ─► TLS ─► hello ─► fits? allowed? ─► welcome ─► peer | client | control
 *                    │ too many, too slow        │ no: refusal, counted, closed
 *
 * Invariants: of a connection without a finished handshake nothing is decoded but one frame of at most
 * MAX_HANDSHAKE_BYTES; each connection that does not come through is counted once, under its reason; how many connections
 * there are of each kind is bounded.
 */

import { constants } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { invalidOption } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import {
  type ConnectionRole,
  encodeHandshake,
  encodeRefusal,
  type Handshake,
  type HandshakeRefusal,
  type Hello,
  helloOf,
  isRefusal,
  MAX_HANDSHAKE_BYTES,
  readHandshake,
  streamFrameOf,
} from '@troupe/wire'
import { type Address, formatAddress, isLoopback, resolveHost } from './address.ts'
import { refusalOf } from './authorization.ts'
import { ClientSocket } from './client-socket.ts'
import { FramedSocket } from './framed-socket.ts'
import { HalfOpenSockets, keyOf } from './half-open.ts'
import {
  CONNECTION_REFUSALS,
  type ConnectionRefusal,
  type ConnectionRefusalCode,
  type ListenLimits,
  type ListenOptions,
  resolveListenLimits,
} from './listen-options.ts'
import { nodeTimers, Ticker } from './timers.ts'
import { tls } from './tls.ts'

/** What a listener hands over. */
export interface ListenerEvents {
  /** Whether such a peer would be taken: the reason where not. */
  checkPeer?(handshake: Handshake): HandshakeRefusal | undefined
  /** A peer was welcomed: its connection belongs to the receiver, who sets its handlers before this returns. */
  peer?(connection: FramedSocket, handshake: Handshake): void
  client?(event: ClientEvent): void
  /** An operator was welcomed, as `peer`. `breakOff` counts why, and closes the connection at once. */
  control?(
    connection: FramedSocket,
    handshake: Handshake,
    breakOff: (refusal: ConnectionRefusal) => void,
  ): void
  /** A connection was refused or broken off; for the log. `remote` is its address. */
  refused?(refusal: ConnectionRefusal, remote: string): void
}

export interface ListenerMetrics {
  readonly accepted: number
  readonly halfOpen: number
  readonly clients: number
  readonly controls: number
  /** Connections that were refused or broken off, by reason. */
  readonly refusals: Readonly<Record<ConnectionRefusalCode, number>>
}

/** Without keepalive the place of a client whose host is gone would stay taken for ever; peers have their own. */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }

/** For what was sent to clients to leave. */
const CLOSE_MS = 1000

const WINDOW = { maxUnreadFrames: 4096, maxUnreadBytes: 256 << 20 }

export class TcpListener {
  readonly #options: ListenOptions
  readonly #limits: ListenLimits
  readonly #events: ListenerEvents
  readonly #own: Hello
  readonly #halfOpen: HalfOpenSockets
  readonly #server: Server
  readonly #tls: TlsServer | undefined
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Set<ClientSocket>()
  readonly #controls = new Set<FramedSocket>()
  readonly #ticker: Ticker
  readonly #refusals = Object.fromEntries(CONNECTION_REFUSALS.map((code) => [code, 0])) as Record<
    ConnectionRefusalCode,
    number
  >
  #accepted = 0
  #stopWatching: () => void = () => {}

  /**
   * Listens.
   * @throws RaftError INVALID_OPTIONS for an address that is taken, not this host's or not known; for one beyond the
   *   loopback without TLS; for limits that make no sense
   */
  static async open(options: ListenOptions, events: ListenerEvents): Promise<TcpListener> {
    const limits = resolveListenLimits(options.limits)
    const { host, port } = options.listen ?? { host: '127.0.0.1', port: 0 }
    const ip = await resolveHost(host, 'listen')
    if (!isLoopback(ip) && options.credentials === undefined && options.insecure !== true) {
      throw invalidOption(
        'listen',
        formatAddress({ host, port }),
        'a loopback address, TLS, or insecure: true',
      )
    }
    const listener = new TcpListener(options, limits, events)
    await listener.#listen(ip, { host, port })
    return listener
  }

  private constructor(options: ListenOptions, limits: ListenLimits, events: ListenerEvents) {
    const { identity, groups = [identity.group], credentials, timers = nodeTimers } = options
    this.#options = options
    this.#limits = limits
    this.#events = events
    this.#own = helloOf(identity, { groups })
    this.#halfOpen = new HalfOpenSockets(limits, timers)
    this.#server = createServer(SOCKET_OPTIONS, (socket) => this.#accept(socket))
    this.#tls = credentials === undefined ? undefined : this.#openTls()
    this.#ticker = new Ticker(timers, limits.frameTimeoutMs, () => this.#findSlow())
  }

  /** Where it listens. */
  get address(): Address {
    const { address: host, port } = this.#server.address() as AddressInfo
    return { host, port }
  }

  get metrics(): ListenerMetrics {
    return {
      accepted: this.#accepted,
      halfOpen: this.#halfOpen.count,
      clients: this.#clients.size,
      controls: this.#controls.size,
      refusals: { ...this.#refusals },
    }
  }

  /** The node's mailbox was drained: clients may send more. */
  drained(): void {
    for (const { framed } of this.#clients) framed.drained()
  }

  /**
   * Closes the port and all connections that came over it: those of clients and operators once what was sent to them has
   * left. Those of peers are the transport's, which is closed first; whatever is still open soon after is cut off.
   */
  async close(): Promise<void> {
    this.#ticker.stop()
    this.#stopWatching()
    const owned = [...Array.from(this.#clients, ({ framed }) => framed), ...this.#controls]
    const closed = [once(this.#server, 'close'), ...owned.map(({ socket }) => once(socket, 'close'))]
    this.#server.close()
    for (const framed of owned) framed.close()
    for (const socket of this.#sockets) if (this.#halfOpen.settled(keyOf(socket))) socket.destroy()
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, CLOSE_MS)
    await Promise.all(closed)
    clearTimeout(timer)
  }

  async #listen(ip: string, address: Address): Promise<void> {
    this.#server.listen({ host: ip, port: address.port })
    try {
      await once(this.#server, 'listening')
    } catch (error) {
      this.#ticker.stop()
      this.#stopWatching()
      const { code } = error as NodeJS.ErrnoException
      throw invalidOption('listen', formatAddress(address), `an address of this host that is free (${code})`)
    }
    // Where a connection cannot be accepted (too many files are open) there are others.
    this.#server.on('error', () => {})
  }

  /** It never listens itself: it is handed sockets that were counted before. */
  #openTls(): TlsServer {
    const credentials = this.#options.credentials as NonNullable<ListenOptions['credentials']>
    const server = tls().createServer({
      ...credentials.options,
      requestCert: true,
      // Clients may have a token instead; and whoever is refused is told why (authorization.ts).
      rejectUnauthorized: false,
      handshakeTimeout: this.#limits.handshakeTimeoutMs,
      // Nobody comes back with what a certificate proved before it ended.
      secureOptions: constants.SSL_OP_NO_TICKET,
    })
    server.on('secureConnection', (socket) => this.#shakeHands(socket))
    server.on('tlsClientError', (error, socket) => {
      const { code, message } = error as NodeJS.ErrnoException
      this.#refused(socket, { code: 'tls', reason: `no TLS came about: ${code ?? message}` })
      socket.destroy()
    })
    this.#stopWatching = credentials.onChange(() => server.setSecureContext(credentials.options))
    return server
  }

  #accept(socket: Socket): void {
    this.#accepted++
    const remote = addressOf(socket)
    // Told by `close`, which follows.
    socket.on('error', () => {})
    const tooMany = this.#halfOpen.admit(socket, {
      expired: (framed) => {
        const late = { code: 'timeout', reason: 'no handshake in time' } as const
        if (framed !== undefined) return this.#refuse(framed, late, late.code)
        this.#refused(socket, late)
        socket.destroy()
      },
      abandoned: () => this.#count({ code: 'closed', reason: 'closed before the handshake' }, remote),
    })
    if (tooMany !== undefined) return this.#turnAway(socket, tooMany)
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    if (this.#tls === undefined) this.#shakeHands(socket)
    else this.#tls.emit('connection', socket)
  }

  /** Before TLS nothing can be said; the cheapest way out is the right one for somebody who opens connections by the thousand. */
  #turnAway(socket: Socket, reason: string): void {
    this.#count({ code: 'half-open', reason }, addressOf(socket))
    if (this.#tls === undefined) socket.end(refusalFrame({ code: 'full', reason }))
    socket.destroySoon()
  }

  #shakeHands(socket: Socket): void {
    const framed: FramedSocket = new FramedSocket(socket, MAX_HANDSHAKE_BYTES, {
      frame: (payload) => this.#hello(framed, payload),
      broken: (damage) => this.#refuse(framed, damage, 'no-handshake'),
      // Seen by whoever counts half-open ones.
      closed: () => {},
    })
    this.#halfOpen.shaking(framed)
  }

  /** What peers know without being told. */
  #told(role: ConnectionRole): Pick<Hello, 'nodes' | 'durability'> {
    const { nodes, durability } = this.#options
    if (role === 'peer' || nodes === undefined) return {}
    return { nodes: nodes(), ...(durability === undefined ? {} : { durability }) }
  }

  #hello(framed: FramedSocket, payload: Uint8Array): void {
    const { tokens = {} } = this.#options
    const handshake = readHandshake(payload, this.#own)
    if (isRefusal(handshake)) return this.#refuse(framed, handshake, handshake.code)
    const refusal = refusalOf(handshake, framed.socket, tokens) ?? this.#noRoomFor(handshake)
    if (refusal !== undefined) return this.#refuse(framed, refusal, refusal.code)
    // The time was up in this very turn.
    if (!this.#halfOpen.settled(keyOf(framed.socket))) return framed.destroy()
    const { role, channel, link } = handshake
    const welcome = { ...this.#own, role, channel, link }
    framed.send([streamFrameOf(encodeHandshake({ ...welcome, ...this.#told(role) }))])
    const window = role === 'client' ? this.#limits.clientWindow : WINDOW
    framed.open(this.#limits.maxFrameBytes[role], window)
    this.#handOver(framed, handshake)
  }

  #noRoomFor(handshake: Handshake): HandshakeRefusal | undefined {
    const { role } = handshake
    const { maxClients, maxControls } = this.#limits
    const { peer, client, control, checkPeer } = this.#events
    const isTaken = { peer, client, control }[role] !== undefined
    if (!isTaken) return { code: 'role', reason: `no ${role} is taken here` }
    if (role === 'peer') return checkPeer?.(handshake)
    const [count, most] =
      role === 'client' ? [this.#clients.size, maxClients] : [this.#controls.size, maxControls]
    return count < most ? undefined : { code: 'full', reason: `${count} connections of a ${role} already` }
  }

  #handOver(framed: FramedSocket, handshake: Handshake): void {
    const { socket } = framed
    if (handshake.role === 'peer') return this.#events.peer?.(framed, handshake)
    if (handshake.role === 'control') {
      this.#controls.add(framed)
      socket.once('close', () => this.#controls.delete(framed))
      return this.#events.control?.(framed, handshake, (refusal) => this.#breakOff(framed, refusal))
    }
    const push = (event: ClientEvent): void => this.#events.client?.(event)
    const broken = (damage: ConnectionRefusal): void => this.#breakOff(framed, damage)
    const offended = (reason: string): void => this.#count({ code: 'protocol', reason }, framed.remoteAddress)
    const { maxUnsentBytes } = this.#limits
    const client = new ClientSocket(framed, maxUnsentBytes, push, broken, offended, (gone) =>
      this.#clients.delete(gone),
    )
    this.#clients.add(client)
  }

  /** Nobody keeps a connection with a frame that never ends. Called once in `frameTimeoutMs`. */
  #findSlow(): void {
    const { frameTimeoutMs } = this.#limits
    const reason = `a frame that took longer than ${frameTimeoutMs} ms`
    const all = [...Array.from(this.#clients, ({ framed }) => framed), ...this.#controls]
    for (const framed of all) if (framed.isInSameFrame()) this.#breakOff(framed, { code: 'slow', reason })
  }

  #breakOff(framed: FramedSocket, refusal: ConnectionRefusal): void {
    this.#count(refusal, framed.remoteAddress)
    framed.destroy()
  }

  #refuse(framed: FramedSocket, refusal: ConnectionRefusal, told: HandshakeRefusal['code']): void {
    this.#refused(framed.socket, refusal)
    framed.refuse(encodeRefusal({ code: told, reason: refusal.reason }))
  }

  /** Counts a connection that got no further, once. */
  #refused(socket: Socket, refusal: ConnectionRefusal): void {
    if (this.#halfOpen.settled(keyOf(socket))) this.#count(refusal, addressOf(socket))
  }

  #count(refusal: ConnectionRefusal, remote: string): void {
    this.#refusals[refusal.code]++
    this.#events.refused?.(refusal, remote)
  }
}

const refusalFrame = (refusal: HandshakeRefusal): Uint8Array => streamFrameOf(encodeRefusal(refusal))
const addressOf = (socket: Socket): string => `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`
