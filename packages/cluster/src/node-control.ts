/** What the main thread and the inside of a node's worker say to each other beside the data path. */

import type { MessagePort } from 'node:worker_threads'
import type { Durability, Identity, NodeId, RaftKnobs, RaftMetrics, Role, StoreMetrics } from '@troupe/core'
import type { GatewayOptions } from '@troupe/machines'
import type { TransportMetrics } from '@troupe/transport'
import type { LogLevel } from './logger.ts'

/** Everything a node's worker is started with. Plain values only: it crosses threads. */
export interface NodeBirth {
  readonly identity: Identity
  /** The node's own data directory; it exists and bears the identity. Unused where durability is `memory`. */
  readonly directory: string
  readonly voters: readonly { readonly id: NodeId; readonly incarnation: number }[]
  readonly durability: Durability
  /** Name of a machine of ours, or the URL of a module. */
  readonly machine: string
  readonly machineOptions: Readonly<Record<string, unknown>>
  readonly raft: RaftKnobs
  readonly gateway: GatewayOptions
  readonly seed: number
  /** Where the node tells what happens to it ({@link NodeNotice}). */
  readonly notices: MessagePort
}

/** What a port that is handed to a node leads to. */
export type PortMeta = { readonly kind: 'peer' } | { readonly kind: 'client' }

/** News from a node, at once. */
export type NodeNotice =
  | {
      readonly kind: 'role'
      readonly role: Role
      readonly term: number
      readonly leader: NodeId | null
      /** When it happened, by the process-wide monotonic clock. */
      readonly atMs: number
    }
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly event: string
      readonly detail: Readonly<Record<string, unknown>>
    }

/** Counters of a node since it started. */
export interface NodeMetrics extends RaftMetrics, StoreMetrics, TransportMetrics {
  readonly commandsApplied: number
  readonly sessions: number
  readonly clients: number
  readonly turns: number
  readonly mailboxDepth: number
  readonly mailboxGreatestDepth: number
}

/** A node as it sees itself. Indexes count entries; an entry is a batch of commands. */
export interface NodeStatus {
  readonly id: NodeId
  readonly role: Role
  readonly term: number
  readonly leader: NodeId | undefined
  readonly commit: number
  readonly applied: number
  readonly lastIndex: number
  /** Last index that is flushed on this node. */
  readonly stable: number
  readonly durability: Durability
  readonly metrics: NodeMetrics
}

/** The control plane of a node: rare calls, over comlink. */
export interface NodeControl {
  status(): Promise<NodeStatus>
  /** SHA-256 over the replicated state (sessions and machine) as of `applied`. */
  digest(): Promise<{ readonly applied: number; readonly sha256: string }>
  /** Asks for votes now. */
  campaign(): Promise<void>
}
