/** What the main thread and the inside of a node's worker say to each other beside the data path. */

import type { MessagePort } from 'node:worker_threads'
import type { CpuProfile, ThreadUsage } from '@troupe/actor'
import type {
  Configuration,
  ControlCommand,
  Durability,
  Identity,
  IndexRange,
  NodeId,
  OverlayTopology,
  RaftKnobs,
  RaftMetrics,
  Role,
  StoreMetrics,
  WireError,
} from '@troupe/core'
import type { GatewayOptions, SessionLimits } from '@troupe/machines'
import type { LogLimits } from '@troupe/store'
import type { TransportMetrics } from '@troupe/transport'
import type { FaultBirth, FaultOrder } from './faults/fault-orders.ts'
import type { LogLevel } from './logger.ts'
import type { HistogramReading } from './metrics/histogram.ts'
import type { RecordingOptions } from './recording/recording-file.ts'
import type { NodeTrace } from './stage-trace.ts'
import type { MemberView } from './view/status-board.ts'

/** Everything a node is started with, wherever it runs. Plain values only: it crosses threads. */
export interface NodeSettings {
  readonly identity: Identity
  /** The node's own data directory; it exists and bears the identity. Unused where durability is `memory`. */
  readonly directory: string
  /** What the group begins with, for a node without a directory; others have it there. */
  readonly configuration: Configuration
  readonly durability: Durability
  readonly log: LogLimits
  /** Name of a machine of ours, or the URL of a module. */
  readonly machine: string
  readonly machineOptions: Readonly<Record<string, unknown>>
  readonly raft: RaftKnobs
  readonly gateway: GatewayOptions
  readonly sessions: SessionLimits
  readonly seed: number
}

/** Everything a node's worker is started with. */
export interface NodeBirth extends NodeSettings {
  /** Where the node tells what happens to it ({@link NodeNotice}). */
  readonly notices: MessagePort
  /** Undefined: it cannot have any. */
  readonly faults: FaultBirth | undefined
  /** Undefined in a full mesh. */
  readonly overlay: OverlayBirth | undefined
  /** For its observer, where it has one. */
  readonly laboratory: unknown
  /** Undefined: its turns are not recorded. */
  readonly record: RecordingOptions | undefined
}

/** Who is connected to whom, by the list of all nodes. */
export interface OverlayBirth {
  readonly topology: OverlayTopology
  readonly nodes: readonly NodeId[]
}

/** What a port that is handed to a node leads to. */
export type PortMeta = { readonly kind: 'peer' } | { readonly kind: 'client' }

/** Where a node tells what happens to it. */
export interface NodeNotices {
  tell(notice: NodeNotice): void
  close(): void
}

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
  /** How a command given with {@link NodeControl.begin} ended; null where it was done. */
  | { readonly kind: 'control'; readonly id: number; readonly error: WireError | null }
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly event: string
      readonly detail: Readonly<Record<string, unknown>>
    }
  /** What its observer tells (node-observer.ts). */
  | { readonly kind: 'observed'; readonly record: unknown }

/** Counters of a node since it started. */
export interface NodeMetrics extends RaftMetrics, StoreMetrics, TransportMetrics, ThreadUsage {
  readonly commandsApplied: number
  readonly sessions: number
  readonly clients: number
  /** Frames of commands that were refused. */
  readonly refusedFrames: number
  readonly turns: number
  /** The longest time that one turn has kept the node from its mailbox. */
  readonly longestTurnMs: number
  /** Of this node's own heap: memory that its objects take, and memory that they hold outside of it. */
  readonly heapUsedBytes: number
  readonly externalBytes: number
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
  /** Last index that its log no longer has: compacted, or never had because a snapshot was installed. */
  readonly base: number
  /** Index of its latest complete snapshot, 0 where there is none. */
  readonly snapshot: number
  readonly incarnation: number
  /** The members in effect at this node: the latest in its log, committed or not. */
  readonly configuration: Configuration
  readonly isConfigurationCommitted: boolean
  /** Index of the entry that made it; 0 for what the node began with. */
  readonly configurationIndex: number
  /** Damaged entries that are being repaired from the peers. */
  readonly damaged: readonly IndexRange[]
  /** Damaged entries that no voter has. */
  readonly lost: IndexRange | undefined
  /** Its disk is refused space: what it writes waits, and as a leader it refuses commands with NO_SPACE. */
  readonly isDiskFull: boolean
  /** On a leader: the highest index that each peer is known to have flushed. */
  readonly match: Readonly<Record<NodeId, number>>
  readonly durability: Durability
  /** What this node knows of all members, by what they spread with their heartbeats; also while nobody leads. */
  readonly view: readonly MemberView[]
  readonly metrics: NodeMetrics
}

/** A node's measures as they stand. Plain values: they cross threads. */
export interface NodeReading {
  readonly status: NodeStatus
  readonly flushes: HistogramReading
  readonly roundTrips: readonly (readonly [peer: NodeId, reading: HistogramReading])[]
  /** Frames beside the protocol that made no sense. */
  readonly newsIgnored: number
  /** Changes of whom it follows, that it has seen. */
  readonly leaderChanges: number
  /** Of its thread's event loop, from 0 to 1, since the reading before. */
  readonly utilization: number
}

/** The control plane of a node: rare calls, over comlink. */
export interface NodeControl {
  status(): Promise<NodeStatus>
  /** SHA-256 over the replicated state (sessions and machine) as of `applied`. */
  digest(): Promise<{ readonly applied: number; readonly sha256: string }>
  /** Its measures, for monitoring. */
  measures(): Promise<NodeReading>
  /** Puts a command into the node's mailbox; how it ends is told as a notice under `id`. */
  begin(id: number, command: ControlCommand): Promise<void>
  /** Turns, flushes and frames are written down from now on; anew where they were already. */
  startTrace(): Promise<void>
  /** Ends the trace and hands it out; undefined where none was begun. */
  takeTrace(): Promise<NodeTrace | undefined>
  /** The thread's stack is sampled from now on; nothing where it is already. */
  startProfile(): Promise<void>
  /** Ends the profile and hands it out; undefined where none was begun. */
  takeProfile(): Promise<CpuProfile | undefined>
  /** The supervisor saw that start of a peer end. */
  peerExited(id: NodeId, boot: number): Promise<void>
  /** The nodes of the overlay are these now. Nothing in a full mesh. */
  replan(nodes: readonly NodeId[]): Promise<void>
  /**
   * Begins or ends a fault; tells when that took effect, by the process-wide monotonic clock.
   * @throws RaftError INVALID_OPTIONS where the node was not born with faults
   */
  obey(order: FaultOrder): Promise<number>
}
