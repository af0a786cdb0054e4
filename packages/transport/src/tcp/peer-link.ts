/**
 * Both connections to one start of a peer: `urgent` for what must not wait, `bulk` for what is large. The link stands when
 * both do, and falls with either.
 *
 *     votes ─┐                            appends ───┐
 *            ├─► urgent socket                       ├─► bulk socket
 *     acks  ─┘                            snapshots ─┘
 *
 * A queue by priority before one full socket does not help: what the kernel has taken stays in its order, megabytes of
 * it. So a heartbeat never stands behind an append or a piece of a snapshot, but in another socket.
 */
import type { GroupId, Message } from '@troupe/core'
import {
  type Aside,
  encodeAside,
  encodePeerFrame,
  type Handshake,
  MAX_PEER_FRAME_BYTES,
  readRefusal,
  STREAM_HEADER_BYTES,
  sealStreamFrame,
} from '@troupe/wire'
import type { FramedSocket, ReadWindow } from './framed-socket.ts'
import { LANE_OF, LANES, type Lane, type LaneLimits, LaneQueue } from './lanes.ts'
import { PeerChannel } from './peer-channel.ts'

export type LinkChannel = 'urgent' | 'bulk'

/** For what has arrived over the other connection, when one was closed: at the end of a process both are, in one moment. */
const LAST_WORDS_MS = 50

/** In the order in which they are sent. */
export const CHANNELS: readonly LinkChannel[] = ['urgent', 'bulk']

const LANES_OF: Readonly<Record<LinkChannel, readonly Lane[]>> = {
  urgent: ['votes', 'acknowledgements'],
  bulk: ['appends', 'snapshots'],
}

/** Until the link stands no more than the frames of one chunk are taken in. */
const EARLY_WINDOW: ReadWindow = { maxUnreadFrames: 1, maxUnreadBytes: 1 }

export interface LinkOptions {
  readonly group: GroupId
  readonly lanes: Readonly<Record<Lane, LaneLimits>>
  /** What may be unread of each connection. */
  readonly window: ReadWindow
  /** What is handed to a socket at once: that much may lie before something more urgent of the same connection. */
  readonly maxSocketBytes: Readonly<Record<LinkChannel, number>>
}

/** What a link tells its transport. */
export interface LinkEvents {
  /** Both connections stand. */
  completed(link: PeerLink): void
  frame(link: PeerLink, payload: Uint8Array): void
  /** The peer does not speak the protocol; the link falls. */
  broken(link: PeerLink, reason: string): void
  /** The last that is heard of it, once. */
  fell(link: PeerLink): void
}

/** What became of a call of `send`. */
export interface SentFrames {
  frames: number
  bytes: number
  dropped: Record<Lane, number>
}

interface Connection {
  readonly framed: FramedSocket
  readonly channel: PeerChannel
}

export class PeerLink {
  /** Of whichever connection came first; that of the other says the same. */
  readonly handshake: Handshake
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #lanes: Readonly<Record<Lane, LaneQueue>>
  readonly #connections: Partial<Record<LinkChannel, Connection>> = {}
  /** Messages of this turn, by lane. */
  readonly #messages: Readonly<Record<Lane, Message[]>> = {
    votes: [],
    acknowledgements: [],
    appends: [],
    snapshots: [],
  }
  readonly #early: Uint8Array[] = []
  #hasFallen = false
  #lastWords: NodeJS.Timeout | undefined
  #silentIntervals = 0
  #pendingIntervals = 0

  constructor(handshake: Handshake, options: LinkOptions, events: LinkEvents) {
    this.handshake = handshake
    this.#options = options
    this.#events = events
    const queues = LANES.map((lane) => [lane, new LaneQueue(options.lanes[lane])])
    this.#lanes = Object.fromEntries(queues) as Record<Lane, LaneQueue>
  }

  get hasFallen(): boolean {
    return this.#hasFallen
  }

  get isComplete(): boolean {
    return !this.#hasFallen && CHANNELS.every((channel) => this.#connections[channel] !== undefined)
  }

  /** Whether that connection belongs to the same attempt of the same start of the peer, and is missing. */
  fits({ from, incarnation, boot, link, channel }: Handshake): boolean {
    const own = this.handshake
    const isSameStart = own.from === from && own.incarnation === incarnation && own.boot === boot
    if (this.#hasFallen || !isSameStart || own.link !== link) return false
    return (channel === 'urgent' || channel === 'bulk') && this.#connections[channel] === undefined
  }

  /** Takes over a connection that `fits`. */
  add(channel: LinkChannel, framed: FramedSocket): void {
    const { window, maxSocketBytes } = this.#options
    framed.open(MAX_PEER_FRAME_BYTES, EARLY_WINDOW)
    framed.handlers = {
      frame: (payload) => this.#frame(payload),
      broken: ({ reason }) => this.breakOff(reason),
      closed: () => this.#closed(),
    }
    const queues = LANES_OF[channel].map((lane) => this.#lanes[lane])
    this.#connections[channel] = {
      framed,
      channel: new PeerChannel(framed, queues, maxSocketBytes[channel]),
    }
    if (!this.isComplete) return
    for (const { framed: each } of this.#all()) each.open(MAX_PEER_FRAME_BYTES, window)
    this.#events.completed(this)
    for (const payload of this.#early.splice(0)) this.#frame(payload)
  }

  /** Takes a message for the frames of this turn. */
  gather(message: Message): void {
    this.#messages[LANE_OF[message.kind]].push(message)
  }

  /** Sends what was gathered for that connection: a frame for each lane, one write. */
  send(channel: LinkChannel, sent: SentFrames): void {
    for (const lane of LANES_OF[channel]) {
      const messages = this.#messages[lane]
      if (messages.length === 0) continue
      const frame = encodePeerFrame(this.#options.group, messages, STREAM_HEADER_BYTES)
      messages.length = 0
      this.#enqueue(lane, frame, sent)
    }
    this.#connections[channel]?.channel.flush()
  }

  /** Sends news beside the protocol, with the votes. */
  sendAside(aside: Aside, sent: SentFrames): void {
    this.#enqueue('votes', encodeAside(aside, STREAM_HEADER_BYTES), sent)
    this.#connections.urgent?.channel.flush()
  }

  /** @param frame with room for its header */
  #enqueue(lane: Lane, frame: Uint8Array, sent: SentFrames): void {
    sealStreamFrame(frame)
    if (this.#lanes[lane].push(frame)) {
      sent.frames++
      sent.bytes += frame.byteLength
    } else {
      sent.dropped[lane]++
    }
  }

  /** The owner's mailbox was drained. */
  drained(): void {
    for (const { framed } of this.#all()) framed.drained()
  }

  /**
   * Looks whether the peer is still there, and shows it that this node is. To be called at intervals.
   * @param maxSilentIntervals after so many without a byte the link is broken off: its host is gone, or the way to it, and
   *   TCP alone would try for a quarter of an hour, and notice minutes late when the way is open again
   */
  watch(maxSilentIntervals: number): void {
    let hasHeard = true
    for (const { framed } of this.#all()) {
      framed.keepAlive()
      if (!framed.hasHeard()) hasHeard = false
    }
    this.#silentIntervals = hasHeard ? 0 : this.#silentIntervals + 1
    if (this.#silentIntervals >= maxSilentIntervals) this.breakOff('silent for too long')
  }

  /** As `watch`, for a link that lacks a connection: it cannot lack it for ever, whatever comes over the other. */
  watchPending(maxIntervals: number): void {
    this.#pendingIntervals++
    if (this.#pendingIntervals >= maxIntervals) this.breakOff('one connection of two for too long')
  }

  /** Frames that waited, by lane, and will not be sent; to be asked when it fell. */
  waiting(lane: Lane): number {
    return this.#lanes[lane].frameCount
  }

  breakOff(reason: string): void {
    if (this.#hasFallen) return
    this.#events.broken(this, reason)
    for (const { framed } of this.#all()) framed.destroy()
    this.#fall()
  }

  /** Closes both connections once what the sockets have has left. */
  close(): void {
    for (const { framed } of this.#all()) framed.close()
    this.#fall()
  }

  #all(): Connection[] {
    return Object.values(this.#connections)
  }

  #frame(payload: Uint8Array): void {
    if (this.#hasFallen) return
    if (this.isComplete) return this.#events.frame(this, payload)
    // The other end was welcomed, and does not like what the welcome says.
    const refusal = readRefusal(payload)
    if (refusal !== undefined) this.breakOff(refusal)
    else this.#early.push(payload)
  }

  #closed(): void {
    const open = this.#all().filter(({ framed }) => !framed.isClosed)
    if (!this.isComplete || open.length === 0) return this.#fall()
    for (const { framed } of open) framed.end()
    this.#lastWords ??= setTimeout(() => this.#fall(), LAST_WORDS_MS)
  }

  #fall(): void {
    if (this.#hasFallen) return
    this.#hasFallen = true
    clearTimeout(this.#lastWords)
    for (const { framed } of this.#all()) if (!framed.isClosed) framed.destroy()
    this.#events.fell(this)
  }
}
