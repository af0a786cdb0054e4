/**
 * Messages between the nodes of one process: a mesh of MessagePorts, one link to each peer.
 *
 *     add(port) ─► handshake both ways ─► peerUp ─► frames ... close ─► peerGone
 *
 * A peer's later connection replaces its earlier one. Fire and forget: what a link refuses (the peer has too much
 * unread) or what has no link is dropped and counted; Raft sends again what matters.
 */
import type { MessagePort } from 'node:worker_threads'
import { Link, type LinkWindow } from '@troupe/actor'
import type { Configuration, Identity, Message, NodeId, PeerTransport } from '@troupe/core'
import { decodePeerFrame, encodeHandshake, encodePeerFrame, readHandshake } from '@troupe/wire'

/** How much may be on its way to a peer. Above what a leader's in-flight bounds allow, so that it never refuses those. */
export const defaultPeerWindow: LinkWindow = { maxUnreadMessages: 4096, maxUnreadBytes: 256 << 20 }

/** What happens on the mesh. Called from port events: the receiver puts it into its mailbox. */
export interface PortTransportEvents {
  message(message: Message): void
  peerUp(id: NodeId): void
  /** The connection closed: a hint that the peer died, not a proof. */
  peerGone(id: NodeId): void
  /** A connection was refused or broken off; for the log. */
  refused(id: string, reason: string): void
}

export interface TransportMetrics {
  framesSent: number
  bytesSent: number
  framesReceived: number
  bytesReceived: number
  /** Frames that no link took. */
  framesDropped: number
}

interface Peer {
  readonly name: string
  readonly link: Link
  /** Set once the handshake fits. */
  id: NodeId | undefined
  /** Received since the last drain. */
  unreadFrames: number
  unreadBytes: number
}

export class PortTransport implements PeerTransport {
  readonly metrics: TransportMetrics = {
    framesSent: 0,
    bytesSent: 0,
    framesReceived: 0,
    bytesReceived: 0,
    framesDropped: 0,
  }

  readonly #identity: Identity
  readonly #incarnations: ReadonlyMap<NodeId, number>
  readonly #events: PortTransportEvents
  readonly #window: LinkWindow
  readonly #peers = new Map<NodeId, Peer>()
  readonly #connections = new Set<Peer>()

  constructor(
    identity: Identity,
    configuration: Configuration,
    events: PortTransportEvents,
    window: LinkWindow = defaultPeerWindow,
  ) {
    this.#identity = identity
    this.#incarnations = new Map(configuration.voters.map(({ id, incarnation }) => [id, incarnation]))
    this.#events = events
    this.#window = window
  }

  /** Takes over an open port to `name`. Both ends speak first. */
  add(name: string, port: MessagePort): void {
    const link = new Link(port, this.#window, {
      onFrame: (frame) => this.#frame(peer, frame),
      onClose: () => this.#closed(peer),
    })
    const peer: Peer = { name, link, id: undefined, unreadFrames: 0, unreadBytes: 0 }
    this.#connections.add(peer)
    link.send(encodeHandshake(this.#identity), true)
  }

  send(messages: readonly Message[]): void {
    const byPeer = new Map<NodeId, Message[]>()
    for (const message of messages) {
      const batch = byPeer.get(message.to)
      if (batch === undefined) byPeer.set(message.to, [message])
      else batch.push(message)
    }
    for (const [id, batch] of byPeer) this.#sendTo(id, batch)
  }

  #sendTo(id: NodeId, messages: readonly Message[]): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) {
      this.metrics.framesDropped++
      return
    }
    const frame = encodePeerFrame(this.#identity.group, messages)
    const bytes = frame.byteLength
    if (peer.link.send(frame, true)) {
      this.metrics.framesSent++
      this.metrics.bytesSent += bytes
    } else {
      this.metrics.framesDropped++
    }
  }

  /** The owner's mailbox was drained: everything received so far counts as read. */
  drained(): void {
    for (const peer of this.#connections) {
      if (peer.unreadFrames === 0) continue
      peer.link.consumed(peer.unreadFrames, peer.unreadBytes)
      peer.unreadFrames = 0
      peer.unreadBytes = 0
    }
  }

  close(): void {
    for (const { link } of this.#connections) link.close()
  }

  #frame(peer: Peer, frame: Uint8Array): void {
    peer.unreadFrames++
    peer.unreadBytes += frame.byteLength
    if (peer.id === undefined) return this.#handshake(peer, frame)
    this.metrics.framesReceived++
    this.metrics.bytesReceived += frame.byteLength
    const decoded = decodePeerFrame(frame)
    if (typeof decoded === 'string') return this.#refuse(peer, decoded)
    if (decoded.group !== this.#identity.group) return this.#refuse(peer, `group ${decoded.group}`)
    for (const message of decoded.messages) {
      if (message.from !== peer.id) return this.#refuse(peer, `a message from ${message.from}`)
      this.#events.message(message)
    }
  }

  #handshake(peer: Peer, frame: Uint8Array): void {
    const handshake = readHandshake(frame, this.#identity)
    if (typeof handshake === 'string') return this.#refuse(peer, handshake)
    const { from, incarnation } = handshake
    if (this.#incarnations.get(from) !== incarnation) {
      return this.#refuse(peer, `${from} with incarnation ${incarnation} is no member`)
    }
    peer.id = from
    const earlier = this.#peers.get(from)
    this.#peers.set(from, peer)
    earlier?.link.close()
    this.#events.peerUp(from)
  }

  #refuse(peer: Peer, reason: string): void {
    this.#events.refused(peer.id ?? peer.name, reason)
    peer.link.close()
  }

  #closed(peer: Peer): void {
    this.#connections.delete(peer)
    const { violation } = peer.link.metrics()
    if (violation !== undefined) this.#events.refused(peer.id ?? peer.name, violation)
    if (peer.id === undefined || this.#peers.get(peer.id) !== peer) return
    this.#peers.delete(peer.id)
    this.#events.peerGone(peer.id)
  }
}
