/**
 * Messages between the nodes of one process: a mesh of MessagePorts, one link to each peer.
 *
 *     add(port) ─► handshake both ways ─► peerUp ─► frames ... close ─► peerGone
 *
 * Any node of the same cluster and group is taken, under the name that its port was given for: who is a member is the
 * core's business (one that joins knows no configuration, one that lags an old one). Over a connection comes only what
 * the start of the node that shook hands has sent, and all of it before its `peerGone`. A later connection of the same
 * node replaces the earlier one.
 *
 * Fire and forget: what a link refuses (the peer has too much unread) or what has no link is dropped and counted; Raft
 * sends again what matters.
 */
import type { MessagePort } from 'node:worker_threads'
import { Link, type LinkWindow } from '@troupe/actor'
import { type Identity, type Message, type NodeId, type PeerTransport, show } from '@troupe/core'
import {
  decodePeerFrame,
  encodeHandshake,
  encodePeerFrame,
  type Handshake,
  readHandshake,
} from '@troupe/wire'

/** How much may be on its way to a peer. Above what a leader's in-flight bounds allow, so that it never refuses those. */
export const defaultPeerWindow: LinkWindow = { maxUnreadMessages: 4096, maxUnreadBytes: 256 << 20 }

/** What happens on the mesh. Called from port events: the receiver puts it into its mailbox. */
export interface PortTransportEvents {
  message(message: Message): void
  /** A handshake fits. Also where the node was up already: from now on its messages come over this connection. */
  peerUp(id: NodeId, incarnation: number, boot: number): void
  /** The connection closed: a hint that the peer died, not a proof. */
  peerGone(id: NodeId): void
  /** A connection was refused or broken off; for the log. */
  refused(id: NodeId, reason: string): void
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
  readonly name: NodeId
  readonly link: Link
  /** Set once it fits. */
  handshake: Handshake | undefined
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
  readonly #events: PortTransportEvents
  readonly #window: LinkWindow
  readonly #peers = new Map<NodeId, Peer>()
  readonly #connections = new Set<Peer>()

  constructor(identity: Identity, events: PortTransportEvents, window: LinkWindow = defaultPeerWindow) {
    this.#identity = identity
    this.#events = events
    this.#window = window
  }

  /** Takes over an open port to the node `name`, and to no other. Both ends speak first. */
  add(name: NodeId, port: MessagePort): void {
    const link = new Link(port, this.#window, {
      onFrame: (frame) => this.#frame(peer, frame),
      onClose: () => this.#closed(peer),
    })
    const peer: Peer = { name, link, handshake: undefined, unreadFrames: 0, unreadBytes: 0 }
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

  /** This thread is about to end: peers hear of it at once. */
  farewell(): void {
    for (const { link } of this.#connections) link.farewell()
  }

  #frame(peer: Peer, frame: Uint8Array): void {
    peer.unreadFrames++
    peer.unreadBytes += frame.byteLength
    if (peer.handshake === undefined) return this.#handshake(peer, frame)
    this.metrics.framesReceived++
    this.metrics.bytesReceived += frame.byteLength
    const decoded = decodePeerFrame(frame)
    if (typeof decoded === 'string') return this.#refuse(peer, decoded)
    if (decoded.group !== this.#identity.group) return this.#refuse(peer, `group ${decoded.group}`)
    for (const message of decoded.messages) {
      const stranger = strangerIn(message, peer.handshake, this.#identity.id)
      if (stranger !== undefined) return this.#refuse(peer, stranger)
      this.#events.message(message)
    }
  }

  #handshake(peer: Peer, frame: Uint8Array): void {
    const handshake = readHandshake(frame, this.#identity)
    if (typeof handshake === 'string') return this.#refuse(peer, handshake)
    const { from, incarnation, boot } = handshake
    if (from !== peer.name) return this.#refuse(peer, `a handshake of ${show(from)}`)
    peer.handshake = handshake
    const earlier = this.#peers.get(from)
    this.#peers.set(from, peer)
    earlier?.link.close()
    this.#events.peerUp(from, incarnation, boot)
  }

  #refuse(peer: Peer, reason: string): void {
    this.#events.refused(peer.name, reason)
    peer.link.close()
  }

  #closed(peer: Peer): void {
    this.#connections.delete(peer)
    const { violation } = peer.link.metrics()
    if (violation !== undefined) this.#events.refused(peer.name, violation)
    if (this.#peers.get(peer.name) !== peer) return
    this.#peers.delete(peer.name)
    this.#events.peerGone(peer.name)
  }
}

/** Why a message is not what the peer of this handshake may send to `own`; undefined where it is. */
function strangerIn(message: Message, handshake: Handshake, own: NodeId): string | undefined {
  const { from, fromIncarnation, fromBoot, to } = message
  if (from !== handshake.from) return `a message from ${show(from)}`
  if (fromIncarnation !== handshake.incarnation) return `a message of incarnation ${fromIncarnation}`
  if (fromBoot !== handshake.boot) return `a message of boot ${fromBoot}`
  return to === own ? undefined : `a message to ${show(to)}`
}
