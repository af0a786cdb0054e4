/**
 * Somebody who looks at everything that a node does, in its own thread, and changes nothing: the fault laboratory. It stands
 * between the core and its ports; without one, none of this is there.
 */
import type {
  Application,
  ControlOutcome,
  LogStore,
  NodeDriver,
  NodeEvent,
  NodeId,
  PeerTransport,
  RaftCore,
  SnapshotStore,
  StoreEvents,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import type { ClientEvent } from '@troupe/machines'
import type { NodeSettings } from './node-control.ts'

/** A node that is about to take its first turn. */
export interface ObservedNode {
  readonly settings: NodeSettings
  readonly core: RaftCore
  readonly driver: NodeDriver<ClientEvent>
  readonly store: LogStore
  readonly snapshots: SnapshotStore
  nowMs(): number
  /** Frames to peers that its injected faults have lost so far. */
  framesLost(): number
}

/** Decorates the ports of one node, and is told of its turns. */
export interface NodeObserver {
  /** Opens the store by `open`, which is handed what it is to report to. */
  store(open: (events: StoreEvents) => Promise<LogStore>, events: StoreEvents): Promise<LogStore>
  transport(inner: PeerTransport): PeerTransport
  application(inner: Application<ClientEvent>): Application<ClientEvent>
  /** Once, before its first turn. */
  opened(node: ObservedNode): void
  /** A turn with these events is over; `events` is emptied after the call. */
  turned(events: readonly NodeEvent<ClientEvent>[]): void
  /** An operator's command has ended. */
  controlled(outcome: ControlOutcome): void
  /**
   * The node dies now, `at` a failpoint or by an error: nothing comes any more, but perhaps this again. Nobody else knows yet.
   * Not of one that is stopped, nor of one that is killed.
   */
  ending(at?: FailpointName): void
}

/**
 * Makes the observer of a node. What it tells comes out beside the node's notices: plain values. `shared` is what the
 * laboratory of the cluster has for all of them.
 */
export type ObserveNode = (tell: (record: unknown) => void, shared: unknown) => NodeObserver

/** What the fault laboratory puts into a cluster on threads. */
export interface Laboratory {
  /** The module of the nodes' workers, which calls `runNode`. */
  readonly worker?: URL
  /** Handed to the observer of each node. */
  readonly shared?: unknown
  /** Of each node's heap, in MiB. @default as much as Node.js gives a thread */
  readonly heapMb?: number | undefined
  /** Asked when a node has died by itself: true leaves it down until somebody starts it. @default false */
  readonly staysDown?: (node: NodeId) => boolean
  /** Told what the observers of the nodes tell, in the order of each node. */
  readonly onRecord?: (node: NodeId, record: unknown) => void
}

/** What a node runs in, and whether it is started again. */
export function workerOf({ worker, heapMb, staysDown }: Laboratory, id: NodeId): Worker {
  return {
    url: worker ?? new URL(import.meta.resolve('@troupe/cluster/node-worker')),
    ...(heapMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: heapMb } }),
    ...(staysDown !== undefined && { mayRestart: () => !staysDown(id) }),
  }
}

interface Worker {
  readonly url: URL
  readonly resourceLimits?: { readonly maxOldGenerationSizeMb: number }
  readonly mayRestart?: () => boolean
}
