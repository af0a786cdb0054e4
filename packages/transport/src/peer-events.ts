import type { Message, NodeId, OverlayMetrics } from '@troupe/core'
import type { Aside } from '@troupe/wire'

/**
 * What a transport tells its node. Called from events of ports and sockets: the receiver puts it into its mailbox.
 * Over a connection comes only what the start of the node that shook hands has sent, and all of it before its `peerGone`.
 */
export interface PeerEvents {
  message(message: Message): void
  /** News beside the protocol, from a peer that is up: no decision depends on them, and some may never arrive. */
  aside?(id: NodeId, aside: Aside): void
  /** A handshake fits. Also where the node was up already: from now on its messages come over this connection. */
  peerUp(id: NodeId, incarnation: number, boot: number): void
  /** The connection closed: a hint that the peer died, not a proof. */
  peerGone(id: NodeId): void
  /** A connection was refused or broken off; for the log. */
  refused(id: NodeId, reason: string): void
}

/** How a node tells its peers what no decision depends on. */
export interface AsideTransport {
  /** Sends it with the most urgent lane. Dropped where there is no room or no link. */
  sendAside(to: NodeId, aside: Aside): void
}

/** Of an overlay only where there is one. */
export interface TransportMetrics extends Readonly<Partial<OverlayMetrics>> {
  framesSent: number
  bytesSent: number
  framesReceived: number
  bytesReceived: number
  /** Frames that no connection took. */
  framesDropped: number
}
