/**
 * What a node under observation tells: chunks of plain values, in the order in which things happened in it. A chunk leaves the
 * node before anything that is in it can be seen elsewhere (a message, an acknowledgement), so that whoever takes the chunks of
 * all nodes by their numbers never sees an effect before its cause.
 */
import type {
  Configuration,
  ControlCommand,
  Entry,
  HardState,
  IndexRange,
  LogPosition,
  Message,
  NodeEvent,
  NodeId,
  PersistRequest,
  ProposalRefusal,
  Role,
  SnapshotMeta,
  WireError,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'

/** What a leader knows of a peer. */
export interface PeerProgress {
  readonly id: NodeId
  readonly match: number
  readonly next: number
  readonly isFull: boolean
  readonly inflightMessages: number
  readonly inflightBytes: number
}

/** The core and the driver as they are now. */
export interface CoreState {
  readonly role: Role
  readonly term: number
  readonly vote: NodeId
  readonly leader: NodeId | undefined
  readonly commitIndex: number
  readonly applied: number
  readonly lastIndex: number
  readonly stableIndex: number
  readonly configurationIndex: number
  /** Only where it is another one than in the chunk before. */
  readonly configuration: Configuration | undefined
  readonly damaged: readonly IndexRange[]
  readonly lost: IndexRange | undefined
  readonly isDiskFull: boolean
  readonly persistStalls: number
  readonly snapshot: SnapshotMeta | undefined
  /** Of a leader. */
  readonly progress: readonly PeerProgress[]
  readonly leaseIndex: number | undefined
  readonly proposalRefusal: ProposalRefusal | undefined
  readonly transferTarget: NodeId | undefined
  readonly framesLost: number
}

/** What is told of an event of a turn: of clients' frames the bytes, where they are few. */
export type ToldEvent = NodeEvent<{ readonly kind: 'frame'; readonly bytes: Uint8Array }>

export type NodeRecord =
  /** A life begins: all that its disk holds. */
  | {
      readonly kind: 'started'
      readonly incarnation: number
      readonly boot: number
      readonly hardState: HardState
      readonly base: LogPosition
      /** Those that can be read. Undefined where that failed: then nobody knows. */
      readonly entries: readonly Entry[] | undefined
      /** Those that cannot. */
      readonly damaged: readonly IndexRange[]
    }
  | { readonly kind: 'persisting'; readonly request: Omit<PersistRequest, 'messages'> }
  /** All requests up to this one are flushed, as the node was told. */
  | { readonly kind: 'flushed'; readonly token: number }
  | { readonly kind: 'sent'; readonly message: Message }
  | { readonly kind: 'applied'; readonly entries: readonly Entry[] }
  | { readonly kind: 'loaded'; readonly index: number }
  | { readonly kind: 'readAsked'; readonly read: number }
  | { readonly kind: 'readGranted'; readonly read: number; readonly index: number }
  | { readonly kind: 'turned'; readonly events: readonly ToldEvent[] }
  | {
      readonly kind: 'operated'
      readonly command: ControlCommand
      readonly error: WireError | undefined
    }
  /** It dies now, perhaps at a failpoint. */
  | { readonly kind: 'ended'; readonly at?: FailpointName }

export interface Chunk {
  /** Ascending, among all nodes; 0 where there is no common counter: then `atMs` orders them. */
  readonly number: number
  /** When it left, by the monotonic clock of the computer. */
  readonly atMs: number
  /** Undefined where it left amid a turn, before what the turn has changed was handed to the disk. */
  readonly state: CoreState | undefined
  readonly records: readonly NodeRecord[]
}
