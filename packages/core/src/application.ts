/** What stands on the log, as the driver sees it: client protocol, sessions, state machine. */
import type { Entry } from './entry.ts'
import type { KeptState } from './kept-state.ts'
import type { ProposalRefusal, RefusedProposal } from './proposal.ts'
import type { ReadGrant, RoleChange } from './ready.ts'
import type { NodeId } from './types.ts'

/** What the application may ask of the core while it handles a turn. */
export interface RaftHandle {
  readonly leader: NodeId | undefined
  /** Undefined where `propose` may be called: on a leader, or on a follower that forwards. */
  readonly proposalRefusal: ProposalRefusal | undefined
  readonly hasRoom: boolean
  /** Whether an entry of this leader is not committed: a turn comes when it is. */
  readonly hasUncommitted: boolean
  /**
   * Appends one entry with the concatenation of `parts` as payload, or hands it to the leader. Returns its
   * index; for a forwarded one the negative of its number, under which `Application.forwardRefused` may name it.
   */
  propose(parts: readonly Uint8Array[], commandCount: number): number
  /**
   * Asks for a linearizable read: comes back through `Application.reads`. On a node that does not lead, the leader is
   * asked for the index where `mayForward` is set; the read is refused otherwise.
   */
  readIndex(id: number, mayForward: boolean): void
  /**
   * The index to wait for where this node holds a lease at `nowMs` (thesis §6.4.1); undefined where it does not.
   * The answer counts only if {@link holdsLease} is still true for a time sampled *after* the state was read.
   */
  leaseIndex(nowMs: number): number | undefined
  holdsLease(nowMs: number): boolean
}

/** Takes a state in, piece by piece. */
export interface StateLoader {
  /** The pieces may be cut differently from how they were given out. The view is not valid after the call. */
  chunk(bytes: Uint8Array): void
  /** All pieces were given: from now on the state is the loaded one. */
  end(): void
}

/** Pure and synchronous like the core. */
export interface Application<ClientEvent> {
  /** One event of a client: a frame, an opened or closed connection. */
  client(event: ClientEvent): void
  /** After all events of the drain: propose what has gathered, ask for reads. */
  gather(raft: RaftHandle, nowMs: number): void
  /** Committed entries, in order, each once. */
  apply(entries: readonly Entry[]): void
  /**
   * The state as it is now, at least one byte, in pieces of any size: a view that later calls of `apply` do not change. Pulled over
   * many turns; `return` is called where it is given up.
   */
  save(): Iterator<Uint8Array>
  /**
   * About how many bytes that would be, where the application knows: so large a state is saved less often, and one that has become
   * small soon gives the disk back.
   */
  readonly stateBytes?: number | undefined
  /** Begins to replace the state by that of everything up to `position`; nothing is applied until its end. */
  load(position: KeptState): StateLoader
  /** Where the state is on the disk, or was left there at rest: what it stands for. The core gets it as `RaftOptions.kept`. */
  readonly kept: KeptState | undefined
  /** The state that was kept is none that the log goes on from: it begins anew, empty. */
  discard(): void
  /** Reads that may be answered as soon as their index is applied, and reads that may not. */
  reads(granted: readonly ReadGrant[], refused: readonly number[]): void
  /** The leader did not take forwarded proposals. */
  forwardRefused(refused: readonly RefusedProposal[]): void
  roleChanged(change: RoleChange): void
  /** End of the turn: serve what may be served, one reply frame for each client that has something coming. */
  flush(raft: RaftHandle): void
  /** When `gather` wants to be called again (lingering batches); undefined where nothing waits. */
  readonly deadlineMs: number | undefined
  /** Whether something gathered waits for room in the core. */
  readonly hasWaiting: boolean
}
