/**
 * Messages between the nodes of several processes: a link of two connections to each peer.
 *
 *     addPeer ─► PeerDialer ─┐
 *                            ├─► PeerLink ─► peerUp ─► messages ... ─► peerGone ─► PeerDialer, after a wait
 *     TcpListener ─► accept ─┘
 *
 * Any node of the same cluster and group is taken, whether its address is known here or not: who is a member is the core's
 * business. A later link of the same node replaces the earlier one. Over a link comes only what the start of the node that
 * shook hands has sent, and all of it before its `peerGone`.
 *
 * Fire and forget: what finds no room in its lane, or no link, is dropped and counted; Raft sends again what matters.
 */
import { type Identity, type Message, type NodeId, type PeerTransport, show } from '@troupe/core'
import {
  type Aside,
  decodeAside,
  type Handshake,
  type HandshakeRefusal,
  type Hello,
  helloOf,
  isAside,
} from '@troupe/wire'
import { openPeerFrame } from '../open-peer-frame.ts'
import type { AsideTransport, PeerEvents, TransportMetrics } from '../peer-events.ts'
import type { Address } from './address.ts'
import { Backoff, type BackoffOptions } from './backoff.ts'
import type { Credentials } from './credentials.ts'
import type { FramedSocket, ReadWindow } from './framed-socket.ts'
import { LANES, type Lane, type LaneLimits, resolveLaneLimits } from './lanes.ts'
import { Namesakes } from './namesakes.ts'
import { dials, PeerDialer } from './peer-dialer.ts'
import {
  CHANNELS,
  type LinkChannel,
  type LinkEvents,
  type LinkOptions,
  PeerLink,
  type SentFrames,
} from './peer-link.ts'
import { nodeTimers, Ticker, type Timers } from './timers.ts'

export interface TcpTransportOptions {
  readonly identity: Identity
  /** Without them peers are not asked to prove who they are. */
  readonly credentials?: Credentials | undefined
  readonly backoff?: Partial<BackoffOptions>
  /** For an attempt to reach a peer, handshake and all. @default 3000 */
  readonly handshakeTimeoutMs?: number
  /** How often a peer is shown that somebody is there, where nothing else is sent. @default 1000 */
  readonly keepAliveMs?: number
  /** After so many intervals without a sign of life a link is given up. @default 5 */
  readonly maxSilentIntervals?: number
  /** Peers whose address is not known here are taken up to so many in all. @default 64 */
  readonly maxPeers?: number
  /** How much may wait for one peer, by lane. */
  readonly lanes?: Partial<Record<Lane, Partial<LaneLimits>>>
  /** What of a peer may wait for the node's mailbox, of each connection. */
  readonly window?: ReadWindow
  /** What is handed to a socket at once. @default 64 KiB urgent, 1 MiB bulk */
  readonly maxSocketBytes?: Readonly<Record<LinkChannel, number>>
  /** Draws from [0, 1): spreads attempts. @default Math.random */
  readonly random?: () => number
  readonly timers?: Timers
}

/** As over ports: what a leader's in-flight bounds allow fits. */
const defaultReadWindow: ReadWindow = Object.freeze({
  maxUnreadFrames: 4096,
  maxUnreadBytes: 256 << 20,
})

export interface TcpTransportMetrics extends TransportMetrics {
  /** Of the dropped frames: those whose lane was full, or that still waited in it when the link fell. */
  readonly droppedByLane: Readonly<Record<Lane, number>>
  /** Links that stand. */
  readonly links: number
  /** Attempts that came to nothing. */
  readonly failedAttempts: number
  /** Links that this end has given up: what came over them made no sense, or nothing came for too long. */
  readonly brokenLinks: number
}

export class TcpTransport implements PeerTransport, AsideTransport {
  readonly #identity: Identity
  readonly #hello: Hello
  readonly #options: TcpTransportOptions
  readonly #events: PeerEvents
  readonly #timers: Timers
  readonly #linkOptions: LinkOptions
  readonly #linkEvents: LinkEvents
  readonly #dialers = new Map<NodeId, PeerDialer>()
  /** What stands. */
  readonly #links = new Map<NodeId, PeerLink>()
  /** What has one connection of two. */
  readonly #pending = new Map<NodeId, PeerLink>()
  /** Starts that have asked for a link, until there is one. */
  readonly #knocked = new Map<NodeId, number>()
  readonly #namesakes = new Namesakes()
  /** The last reason that was told for a peer: attempts that fail alike are told once. */
  readonly #told = new Map<NodeId, string>()
  readonly #sent: SentFrames = { frames: 0, bytes: 0, dropped: noFrames() }
  readonly #ticker: Ticker
  readonly #sockets = new Set<FramedSocket>()
  #isClosed = false
  #linkNumber = 0
  #framesReceived = 0
  #bytesReceived = 0
  #withoutLink = 0
  #failedAttempts = 0
  #brokenLinks = 0

  /** @throws RaftError INVALID_OPTIONS for bounds that make no sense */
  constructor(options: TcpTransportOptions, events: PeerEvents) {
    const { identity, timers = nodeTimers, keepAliveMs = 1000, window = defaultReadWindow } = options
    this.#identity = identity
    this.#hello = helloOf(identity)
    this.#options = options
    this.#events = events
    this.#timers = timers
    this.#linkOptions = {
      group: identity.group,
      lanes: resolveLaneLimits(options.lanes),
      window,
      maxSocketBytes: options.maxSocketBytes ?? { urgent: 64 << 10, bulk: 1 << 20 },
    }
    this.#linkEvents = {
      completed: (link) => this.#up(link),
      frame: (link, payload) => this.#frame(link, payload),
      broken: (link, reason) => {
        this.#brokenLinks++
        this.#events.refused(link.handshake.from, reason)
      },
      fell: (link) => this.#fell(link),
    }
    this.#ticker = new Ticker(timers, keepAliveMs, () => this.#watch())
  }

  get metrics(): TcpTransportMetrics {
    const { frames, bytes, dropped } = this.#sent
    return {
      framesSent: frames,
      bytesSent: bytes,
      framesReceived: this.#framesReceived,
      bytesReceived: this.#bytesReceived,
      framesDropped: LANES.reduce((sum, lane) => sum + dropped[lane], this.#withoutLink),
      droppedByLane: { ...dropped },
      links: this.#links.size,
      failedAttempts: this.#failedAttempts,
      brokenLinks: this.#brokenLinks,
    }
  }

  // ---- who is reached

  /**
   * Reaches the node `id` at that address, from now on; a link that stands is kept.
   * @throws RaftError INVALID_OPTIONS for a backoff that makes no sense
   */
  addPeer(id: NodeId, address: Address): void {
    this.#dialers.get(id)?.stop()
    const {
      credentials,
      handshakeTimeoutMs: timeoutMs = 3000,
      backoff = {},
      random = Math.random,
    } = this.#options
    const dialer = new PeerDialer(
      {
        id,
        address,
        hello: this.#hello,
        credentials,
        timeoutMs,
        timers: this.#timers,
        backoff: new Backoff(backoff, random),
        nextLink: () => ++this.#linkNumber,
      },
      {
        opened: (channel, framed, welcome) => this.#reached(channel, framed, welcome),
        failed: ({ reason }) => this.#failed(id, reason),
      },
    )
    this.#dialers.set(id, dialer)
    if (!this.#links.has(id) && !this.#isClosed) dialer.start()
  }

  /** Reaches the node `id` no more, and closes the link to it. It may still come by itself. */
  removePeer(id: NodeId): void {
    this.#dialers.get(id)?.stop()
    this.#dialers.delete(id)
    this.#pending.get(id)?.close()
    this.#links.get(id)?.close()
    this.#told.delete(id)
  }

  /** Whether a link to that node stands. */
  isLinked(id: NodeId): boolean {
    return this.#links.has(id)
  }

  // ---- who comes

  /** Whether a connection with that handshake would be accepted: the reason where not. */
  checkPeer({ from, boot, channel }: Handshake): HandshakeRefusal | undefined {
    const own = this.#identity.id
    if (this.#isClosed) return { code: 'role', reason: `node ${show(own)} is stopping` }
    const namesake = this.#namesakes.refusalOf(from, boot)
    if (namesake !== undefined) return { code: 'identity', reason: namesake }
    if (channel === 'all') return { code: 'role', reason: 'a connection for everything: peers have two here' }
    const dialer = channel === 'knock' ? own : from
    const other = channel === 'knock' ? from : own
    if (dials(dialer, other)) return this.#isFullFor(from)
    return {
      code: 'role',
      reason: `of ${show(own)} and ${show(from)} the smaller name dials, the other knocks`,
    }
  }

  /** Where nobody has to prove a name there are as many as somebody likes to make up. */
  #isFullFor(from: NodeId): HandshakeRefusal | undefined {
    const { maxPeers = 64 } = this.#options
    const known = this.#links.size + this.#pending.size
    if (known < maxPeers || this.#links.has(from) || this.#dialers.has(from)) return undefined
    return { code: 'full', reason: `${known} peers already` }
  }

  /** Takes over a connection that was checked and welcomed. */
  accept(framed: FramedSocket, handshake: Handshake): void {
    const { channel, from, boot } = handshake
    if (channel === 'urgent' || channel === 'bulk') return this.#join(channel, framed, handshake)
    // What stands leads to an earlier start of it, if to any: its end has not been noticed yet.
    framed.close()
    if (this.#links.get(from)?.handshake.boot === boot) return
    if (this.#dialers.has(from)) this.#knocked.set(from, boot)
    this.#dialers.get(from)?.knocked()
  }

  #reached(channel: LinkChannel, framed: FramedSocket, welcome: Handshake): void {
    const namesake = this.#namesakes.refusalOf(welcome.from, welcome.boot)
    if (namesake === undefined) return this.#join(channel, framed, welcome)
    framed.close()
    this.#dialers.get(welcome.from)?.lost()
    this.#failed(welcome.from, namesake)
  }

  /** Of an attempt, of either side: the first connection makes a link, the second completes it. */
  #join(channel: LinkChannel, framed: FramedSocket, handshake: Handshake): void {
    this.#sockets.add(framed)
    framed.socket.once('close', () => this.#sockets.delete(framed))
    const { from } = handshake
    let link = this.#pending.get(from)
    if (link?.fits(handshake) !== true) {
      link?.close()
      link = new PeerLink(handshake, this.#linkOptions, this.#linkEvents)
      this.#pending.set(from, link)
    }
    link.add(channel, framed)
  }

  #failed(id: NodeId, reason: string): void {
    this.#failedAttempts++
    // Of the two connections of the attempt the other may stand. (That of a peer that dials is none of a knock's.)
    if (dials(this.#identity.id, id)) this.#pending.get(id)?.close()
    if (this.#told.get(id) === reason) return
    this.#told.set(id, reason)
    this.#events.refused(id, reason)
  }

  // ---- links

  #up(link: PeerLink): void {
    const { from, incarnation, boot } = link.handshake
    this.#pending.delete(from)
    const earlier = this.#links.get(from)
    this.#links.set(from, link)
    earlier?.close()
    this.#namesakes.linked(from, boot)
    const asking = this.#knocked.get(from)
    this.#knocked.delete(from)
    if (asking !== undefined) this.#namesakes.asked(from, asking, boot)
    this.#told.delete(from)
    this.#dialers.get(from)?.succeeded()
    this.#events.peerUp(from, incarnation, boot)
  }

  #frame(link: PeerLink, payload: Uint8Array): void {
    this.#framesReceived++
    this.#bytesReceived += payload.byteLength
    if (isAside(payload)) return this.#aside(link, payload)
    const messages = openPeerFrame(payload, link.handshake, this.#identity)
    if (typeof messages === 'string') return link.breakOff(messages)
    for (const message of messages) this.#events.message(message)
  }

  #aside(link: PeerLink, payload: Uint8Array): void {
    const aside = decodeAside(payload)
    if (typeof aside === 'string') return link.breakOff(aside)
    this.#events.aside?.(link.handshake.from, aside)
  }

  #fell(link: PeerLink): void {
    const { from } = link.handshake
    for (const lane of LANES) this.#sent.dropped[lane] += link.waiting(lane)
    if (this.#pending.get(from) === link) {
      this.#pending.delete(from)
      if (!this.#links.has(from)) this.#dialers.get(from)?.lost()
    }
    if (this.#links.get(from) !== link) return
    this.#links.delete(from)
    if (!this.#isClosed) this.#dialers.get(from)?.lost()
    this.#events.peerGone(from)
  }

  #watch(): void {
    const { maxSilentIntervals = 5 } = this.#options
    for (const link of this.#links.values()) link.watch(maxSilentIntervals)
    for (const link of this.#pending.values()) link.watchPending(maxSilentIntervals)
  }

  // ---- messages

  send(messages: readonly Message[]): void {
    const touched = new Set<PeerLink>()
    const unreached = new Set<NodeId>()
    for (const message of messages) {
      const link = this.#links.get(message.to)
      if (link === undefined) {
        unreached.add(message.to)
        continue
      }
      link.gather(message)
      touched.add(link)
    }
    this.#withoutLink += unreached.size
    // What is urgent goes to all before the first megabyte is encoded for anybody.
    for (const channel of CHANNELS) for (const link of touched) link.send(channel, this.#sent)
  }

  sendAside(to: NodeId, aside: Aside): void {
    this.#links.get(to)?.sendAside(aside, this.#sent)
  }

  /** The owner's mailbox was drained: peers may send more. */
  drained(): void {
    for (const link of this.#links.values()) link.drained()
  }

  /** Closes all links, which are told as gone, once what the sockets have has left. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#ticker.stop()
    for (const dialer of this.#dialers.values()) dialer.stop()
    const closed = Array.from(this.#sockets, ({ socket }) => {
      return socket.closed ? undefined : new Promise<void>((resolve) => socket.once('close', () => resolve()))
    })
    for (const link of [...this.#pending.values(), ...this.#links.values()]) link.close()
    await Promise.all(closed)
  }
}

function noFrames(): Record<Lane, number> {
  return { votes: 0, acknowledgements: 0, appends: 0, snapshots: 0 }
}
