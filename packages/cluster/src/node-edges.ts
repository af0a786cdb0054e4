/**
 * What leads out of a node, to its peers and to its clients: ports between threads (port-edges.ts), or sockets between
 * processes (tcp-edges.ts). A turn needs no more of it than what stands here.
 */
import type { Identity, NodeId, PeerTransport } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import type { AsideTransport, PeerEvents, TransportMetrics } from '@troupe/transport'

export interface NodeEdges {
  readonly transport: PeerTransport & AsideTransport & { readonly metrics: TransportMetrics }
  /** The mailbox was drained: peers and clients may send more. */
  drained(): void
  /** The nodes of the overlay are these now. Absent where there can be none. */
  replan?(nodes: readonly NodeId[]): void
  /** The node is about to end, at once: peers and clients need not wait until they notice. */
  farewell(): void
  /** Closes everything, once what was sent has left. */
  close(): Promise<void>
}

/** Opens the edges of a node. What comes over them is told to `peers` and `pushClient`, which put it into its mailbox. */
export type OpenEdges = (
  identity: Identity,
  peers: PeerEvents,
  pushClient: (event: ClientEvent) => void,
) => NodeEdges
