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
 * Where not everybody is connected to everybody (`plan`), an overlay passes frames on: then `peerUp` and `peerGone` say who
 * can be reached, over whomever, and of frames that were relayed the relays vouch for whose they are.
 *
 * Fire and forget: what a link refuses (the peer has too much unread) or what has no link is dropped and counted; Raft
 * sends again what matters.
 */
import type { MessagePort } from 'node:worker_threads'
import { Link, type LinkWindow } from '@troupe/actor'
import {
  type Delivery,
  type Identity,
  type Message,
  type NodeId,
  Overlay,
  type OverlayPlan,
  type PeerTransport,
  show,
} from '@troupe/core'
import {
  type Aside,
  decodeAside,
  encodeAside,
  encodeHandshake,
  encodePeerFrame,
  type Handshake,
  type Hello,
  helloOf,
  isAside,
  isRefusal,
  readHandshake,
} from '@troupe/wire'
import { openPeerFrame, openRelayedFrame } from './open-peer-frame.ts'
import type { AsideTransport, PeerEvents, TransportMetrics } from './peer-events.ts'

/** How much may be on its way to a peer. Above what a leader's in-flight bounds allow, so that it never refuses those. */
export const defaultPeerWindow: LinkWindow = { maxUnreadMessages: 4096, maxUnreadBytes: 256 << 20 }

interface Peer {
  readonly name: NodeId
  readonly link: Link
  /** Set once it fits. */
  handshake: Handshake | undefined
  /** Received since the last drain. */
  unreadFrames: number
  unreadBytes: number
}

export class PortTransport implements PeerTransport, AsideTransport {
  readonly #metrics: TransportMetrics = {
    framesSent: 0,
    bytesSent: 0,
    framesReceived: 0,
    bytesReceived: 0,
    framesDropped: 0,
  }

  readonly #identity: Identity
  readonly #hello: Hello
  readonly #events: PeerEvents
  readonly #window: LinkWindow
  readonly #peers = new Map<NodeId, Peer>()
  readonly #connections = new Set<Peer>()
  /** Undefined in a full mesh. */
  readonly #overlay: Overlay | undefined

  /** @param plan who is connected to whom, where that is not everybody to everybody */
  constructor(
    identity: Identity,
    events: PeerEvents,
    window: LinkWindow = defaultPeerWindow,
    plan?: OverlayPlan,
  ) {
    this.#identity = identity
    this.#hello = helloOf(identity)
    this.#events = events
    this.#window = window
    this.#overlay = plan && this.#overlayOf(plan)
  }

  #overlayOf(plan: OverlayPlan): Overlay {
    return new Overlay(this.#identity, plan, {
      send: (neighbour, frame) => this.#peers.get(neighbour)?.link.send(frame, true) ?? false,
      up: (id, { incarnation, boot }) => this.#events.peerUp(id, incarnation, boot),
      gone: (id) => this.#events.peerGone(id),
    })
  }

  get metrics(): Readonly<TransportMetrics> {
    return this.#overlay === undefined ? this.#metrics : { ...this.#metrics, ...this.#overlay.metrics }
  }

  /** The nodes, or their order, are others now: links that are not in the plan are closed. Nothing in a full mesh. */
  replan(plan: OverlayPlan): void {
    if (this.#overlay === undefined) return
    this.#overlay.replan(plan)
    for (const { name, link } of this.#connections) if (!this.#overlay.neighbours.includes(name)) link.close()
  }

  /** Takes over an open port to the node `name`, and to no other. Both ends speak first. */
  add(name: NodeId, port: MessagePort): void {
    const link = new Link(port, this.#window, {
      onFrame: (frame) => this.#frame(peer, frame),
      onClose: () => this.#closed(peer),
    })
    const peer: Peer = { name, link, handshake: undefined, unreadFrames: 0, unreadBytes: 0 }
    this.#connections.add(peer)
    link.send(encodeHandshake(this.#hello), true)
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
    const overlay = this.#overlay
    if (overlay !== undefined) {
      const frame = encodePeerFrame(this.#identity.group, messages, overlay.headroomBytes(id))
      return this.#sendOver(overlay, id, frame)
    }
    const peer = this.#peers.get(id)
    if (peer === undefined) {
      this.#metrics.framesDropped++
      return
    }
    this.#transmit(peer, encodePeerFrame(this.#identity.group, messages))
  }

  sendAside(to: NodeId, aside: Aside): void {
    const overlay = this.#overlay
    if (overlay !== undefined) {
      return this.#sendOver(overlay, to, encodeAside(aside, overlay.headroomBytes(to)))
    }
    const peer = this.#peers.get(to)
    if (peer?.handshake === undefined) return
    this.#transmit(peer, encodeAside(aside))
  }

  #transmit({ link }: Peer, frame: Uint8Array): void {
    const bytes = frame.byteLength
    if (link.send(frame, true)) {
      this.#metrics.framesSent++
      this.#metrics.bytesSent += bytes
    } else {
      this.#metrics.framesDropped++
    }
  }

  /** @param frame with the headroom that the overlay asks for */
  #sendOver(overlay: Overlay, id: NodeId, frame: Uint8Array): void {
    const bytes = frame.byteLength
    if (overlay.send(id, frame)) {
      this.#metrics.framesSent++
      this.#metrics.bytesSent += bytes
    } else {
      this.#metrics.framesDropped++
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
    this.#metrics.framesReceived++
    this.#metrics.bytesReceived += frame.byteLength
    if (this.#overlay !== undefined) return this.#received(this.#overlay, peer, frame)
    if (isAside(frame)) return this.#aside(peer, peer.name, frame)
    const messages = openPeerFrame(frame, peer.handshake, this.#identity)
    if (typeof messages === 'string') return this.#refuse(peer, messages)
    for (const message of messages) this.#events.message(message)
  }

  #aside(peer: Peer, source: NodeId, frame: Uint8Array): void {
    const aside = decodeAside(frame)
    if (typeof aside === 'string') return this.#refuse(peer, aside)
    if (this.#peers.get(peer.name) === peer) this.#events.aside?.(source, aside)
  }

  #received(overlay: Overlay, peer: Peer, frame: Uint8Array): void {
    const bytes = frame.byteLength
    const received = overlay.received(peer.name, frame)
    if (typeof received === 'string') return this.#refuse(peer, received)
    if (received !== undefined) return this.#deliver(peer, received)
    // Nothing comes of it for this node, whose next turn may be far: it is read.
    peer.unreadFrames--
    peer.unreadBytes -= bytes
    peer.link.consumed(1, bytes)
  }

  #deliver(peer: Peer, { source, inner }: Delivery): void {
    if (isAside(inner)) return this.#aside(peer, source, inner)
    const { handshake } = peer
    const isDirect = handshake !== undefined && source === handshake.from
    const messages = isDirect
      ? openPeerFrame(inner, handshake, this.#identity)
      : openRelayedFrame(inner, source, this.#identity)
    if (typeof messages === 'string') return this.#refuse(peer, messages)
    for (const message of messages) this.#events.message(message)
  }

  #handshake(peer: Peer, frame: Uint8Array): void {
    const handshake = readHandshake(frame, this.#hello)
    if (isRefusal(handshake)) return this.#refuse(peer, handshake.reason)
    const { from, incarnation, boot, role } = handshake
    if (role !== 'peer') return this.#refuse(peer, `a handshake of a ${role}`)
    if (from !== peer.name) return this.#refuse(peer, `a handshake of ${show(from)}`)
    peer.handshake = handshake
    const earlier = this.#peers.get(from)
    this.#peers.set(from, peer)
    earlier?.link.close()
    if (this.#overlay === undefined) this.#events.peerUp(from, incarnation, boot)
    else this.#overlay.linkUp(from, { incarnation, boot })
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
    if (this.#overlay === undefined) this.#events.peerGone(peer.name)
    else this.#overlay.linkGone(peer.name)
  }
}
