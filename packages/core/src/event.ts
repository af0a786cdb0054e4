/** Everything that can happen to a node: what its mailbox holds. */
import type { RaftError } from './errors.ts'
import type { Message } from './message.ts'
import type { Member, NodeId, SnapshotMeta } from './types.ts'

/** `client` events belong to the application's protocol. */
export type NodeEvent<ClientEvent> =
  | { readonly kind: 'peer'; readonly message: Message }
  | { readonly kind: 'peerUp'; readonly id: NodeId }
  /** A connection closed: a hint. */
  | { readonly kind: 'peerGone'; readonly id: NodeId }
  /** The supervisor saw that start of the peer end: a proof. */
  | { readonly kind: 'peerExited'; readonly id: NodeId; readonly boot: number }
  | { readonly kind: 'persisted'; readonly token: number }
  /** The store is refused space, or has it again. */
  | { readonly kind: 'diskSpace'; readonly isFull: boolean }
  | { readonly kind: 'snapshotSaved'; readonly meta: SnapshotMeta }
  | { readonly kind: 'snapshotReceived'; readonly meta: SnapshotMeta }
  | { readonly kind: 'control'; readonly id: number; readonly command: ControlCommand }
  | { readonly kind: 'client'; readonly event: ClientEvent }

/** One step of a change of the members. */
export type MemberChange =
  /** A new member; `member` must not be one yet, under any incarnation. */
  | { readonly kind: 'addLearner'; readonly member: Member }
  /** A learner that has caught up becomes a voter. */
  | { readonly kind: 'promote'; readonly id: NodeId }
  /** A voter becomes a learner. */
  | { readonly kind: 'demote'; readonly id: NodeId }
  | { readonly kind: 'remove'; readonly id: NodeId }

/** What operators ask of a node. Each is answered once, by a {@link ControlOutcome} with its number. */
export type ControlCommand =
  /** Asks for votes now, as if the election timeout had passed. Answered at once. */
  | { readonly kind: 'campaign' }
  /**
   * Changes the members: one voter more or less at once (thesis §4.1), more than that, or with `leave: 'explicit'`,
   * through a joint configuration (Raft §6). Answered when the change is committed, and left where `leave` is `auto`.
   */
  | {
      readonly kind: 'changeMembers'
      readonly changes: readonly MemberChange[]
      readonly leave: 'auto' | 'explicit'
    }
  /** Leaves a joint configuration that was entered with `leave: 'explicit'`. Answered when that is committed. */
  | { readonly kind: 'leaveJoint' }
  /** Hands leadership over (thesis §3.10), to the best voter where none is named. Answered when another leads. */
  | { readonly kind: 'transferLeadership'; readonly to: NodeId | undefined }
  /** Takes a snapshot of what is applied and compacts the log. Answered when it is on the disk. */
  | { readonly kind: 'takeSnapshot' }

export interface ControlOutcome {
  readonly id: number
  /** NOT_LEADER, REFUSED_CHANGE: nothing happened. INDETERMINATE: leadership was lost on the way. */
  readonly error: RaftError | undefined
}
