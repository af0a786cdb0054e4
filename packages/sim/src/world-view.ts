/** What the parts of a simulation know of each other. */
import type {
  ControlCommand,
  ControlOutcome,
  Entry,
  IndexRange,
  Member,
  Message,
  NodeDriver,
  NodeEvent,
  PersistRequest,
  RaftCore,
  RaftErrorCode,
  RaftKnobs,
  SnapshotMeta,
} from '@troupe/core'
import type { FailpointName } from '@troupe/faults'
import type { ClientEvent, SessionLimits } from '@troupe/machines'
import type { Ledger } from './ledger.ts'
import type { LogContent } from './log-content.ts'
import type { Deed } from './step.ts'

/** One life of a node, from its start to its crash. */
export interface Life {
  readonly core: RaftCore
  readonly driver: NodeDriver<ClientEvent>
}

/** What invariants and situations look at of a disk. */
export interface DiskView {
  readonly log: {
    readonly seen: LogContent
    readonly flushed: LogContent
    readonly waiting: readonly PersistRequest[]
    readonly damaged: readonly IndexRange[]
    readonly isProven: boolean
    readonly isRolledBack: boolean
  }
  readonly snapshots: { readonly latest: SnapshotMeta | undefined }
  readonly isStalled: boolean
  readonly isFull: boolean
  /** Whether nothing in it is damaged. */
  readonly isWhole: boolean
}

/** A node as invariants and timeline see it. */
export interface NodeView {
  readonly id: string
  /** Its place among the nodes of the world. */
  readonly index: number
  readonly incarnation: number
  readonly boot: number
  readonly disk: DiskView
  /** What it takes for the time. */
  readonly clock: { nowMs(): number }
  /** Undefined while the node is down. */
  readonly life: Life | undefined
}

/** What a client asked, when it is over. */
export interface SettledOperation {
  readonly client: string
  readonly isWrite: boolean
  readonly calledMs: number
  /** Why there was no answer. */
  readonly code: RaftErrorCode | undefined
}

/** `once`: done and over at once, or ended by something else. */
export type FaultEdge = 'begin' | 'end' | 'once'

/** What happened. Objects live as long as the call that reports them. */
export type SimEvent =
  | { readonly kind: 'started'; readonly node: NodeView }
  /** `at`: the failpoint that it died at. */
  | { readonly kind: 'crashed'; readonly node: NodeView; readonly at?: FailpointName | undefined }
  /** A turn is over, with these events. */
  | { readonly kind: 'turned'; readonly node: NodeView; readonly events: readonly NodeEvent<ClientEvent>[] }
  | { readonly kind: 'sent'; readonly node: NodeView; readonly message: Message }
  /** Handed to the store: `disk.log.seen` is still what it was. */
  | { readonly kind: 'persisting'; readonly node: NodeView; readonly request: PersistRequest }
  /** On its way to the disk: `disk.log.flushed` is still what it was. */
  | { readonly kind: 'flushing'; readonly node: NodeView; readonly request: PersistRequest }
  /** Handed to the application. */
  | { readonly kind: 'applied'; readonly node: NodeView; readonly entries: readonly Entry[] }
  /** The application has loaded a snapshot of everything up to `index`. */
  | { readonly kind: 'loaded'; readonly node: NodeView; readonly index: number }
  /** Asked of the core: a linearizable read. */
  | { readonly kind: 'readAsked'; readonly node: NodeView; readonly read: number }
  /** May be answered once `index` is applied; without its number: at once, by the lease. */
  | {
      readonly kind: 'readGranted'
      readonly node: NodeView
      readonly read: number | undefined
      readonly index: number
    }
  /** Client traffic that is checked as it comes in. */
  | { readonly kind: 'answered'; readonly complaint: string | undefined }
  /** A frame between nodes came in that does not decode. */
  | { readonly kind: 'frameRefused' }
  /** A node has answered what an operator asked for; undefined: it went down. */
  | {
      readonly kind: 'operated'
      readonly command: ControlCommand
      readonly outcome: ControlOutcome | undefined
    }
  /** What a client asked of the store is over. */
  | ({ readonly kind: 'settled' } & SettledOperation)
  /** Something was done to the world; what lasts has an end of the same number. */
  | { readonly kind: 'fault'; readonly id: number; readonly deed: Deed; readonly edge: FaultEdge }
  /** All faults are over. */
  | { readonly kind: 'healed' }

export type SimEventKind = SimEvent['kind']

/** What invariants may ask of the world. */
export interface WorldView {
  /** The part of it that the world is judged by. */
  readonly plan: { readonly knobs: RaftKnobs; readonly sessions: SessionLimits }
  readonly nowMs: number
  readonly nodes: readonly NodeView[]
  readonly ledger: Ledger
  /** What the directory of a member holds, also of one that was wiped since; undefined where there never was one. */
  contentOf(member: Member): LogContent | undefined
}

/** Somebody who looks at events of some kinds. */
export interface Watcher {
  readonly on: readonly SimEventKind[]
  /** Called after each such event. */
  check(world: WorldView, event: SimEvent): void
}

/** One property that holds at any time: `check` throws a Violation (contract.ts) where it does not. One file each. */
export interface Invariant extends Watcher {
  readonly name: string
}
