/** How a client reaches nodes: over ports of its process (client-feed.ts), or over TCP (client-dialer.ts). */
import type { Durability, NodeId } from '@troupe/core'
import type { NodeLink } from '@troupe/machines'

/** A connection to a node. */
export interface ClientLink extends NodeLink {
  close(): void
}

/** What a client is told of its connections. */
export interface ClientLinkEvents {
  opened(node: NodeId, link: ClientLink): void
  frame(node: NodeId, link: ClientLink, frame: Uint8Array): void
  /** A link that has refused a frame takes more. */
  writable(): void
  closed(node: NodeId, link: ClientLink): void
  /** There will be no connections any more. */
  ended(): void
}

/** Where a client's connections come from. */
export interface ClientLinks {
  /** The nodes that it knows of. */
  readonly nodes: Iterable<NodeId>
  /** How they write before they acknowledge, as they have said; where they differ, the weakest of it. Undefined until one has. */
  readonly durability: Durability | undefined
  /** Connections come from now on. */
  start(events: ClientLinkEvents): void
  /** No connections come any more; those that stand belong to the client. */
  close(): void
}
