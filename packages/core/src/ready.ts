/**
 * The core's contract with its host.
 *
 * The host steps every event of a drain into the core and then calls `ready()` once. Where `forgotten` is set it tells the
 * log store, goes down and does nothing else: nothing that this node says can be trusted before it is repaired. For each
 * other `Ready`, in this order and without awaiting anything in between:
 *
 *   1. hand `persist` to the log store, `snapshotWrites` to the snapshot store;
 *   2. send `messages`;
 *   3. follow `role` and `configuration`;
 *   4. where `install` is set: replace the application's state by that snapshot; until that is done hand nothing else
 *      to the application and do not report it as applied;
 *   5. apply `committed`, answer clients, serve `reads` once their index is applied;
 *   6. when the store reports `persist.token`: call `persisted(token)`, then send `persist.messages`.
 *
 * Tokens complete in order. Nothing in a Ready may be used after the next call of `ready()`, except for
 * what the stores and the transport were handed. A failed flush is fatal to the node: it is never retried.
 *
 * Two outboxes (DESIGN law 6). `messages` never wait for the disk: heartbeats, pre-votes, a leader's appends
 * (the leader's disk works in parallel with its followers', thesis §10.2.1), refusals in a term that is already
 * flushed. `persist.messages` leave only after everything before them is flushed: RequestVote, votes,
 * acknowledgements of appends, and every reply in a term that is not yet flushed.
 */
import type { Entry } from './entry.ts'
import type { Message } from './message.ts'
import type { RefusedProposal } from './proposal.ts'
import type { Configuration, HardState, NodeId, Role, SnapshotMeta } from './types.ts'

export interface PersistRequest {
  /** Rises by one with each request. */
  readonly token: number
  /** Present where term or vote changed. */
  readonly hardState: HardState | undefined
  /**
   * The whole log is replaced by an empty one that begins behind this place: a snapshot was installed. It stands in
   * the snapshot store already. Done before everything else in this request.
   */
  readonly reset: LogPosition | undefined
  /** Remove all entries from this index on, before `entries` are added. */
  readonly truncateFrom: number | undefined
  /** Damaged entries to be replaced in place by sound ones, `from..to` as the store reported them. */
  readonly repairs: readonly Entry[]
  /** Consecutive, following what is stored once `truncateFrom` is done. May be empty. */
  readonly entries: readonly Entry[]
  /**
   * Entries up to here are in a snapshot and no longer needed: the log's new base. The store may drop them when it
   * likes, but from the completion of this request on `base` says that they are gone. Done after everything else in
   * this request; the entry at that index exists, but may be damaged (hence its term is given).
   */
  readonly compactTo: LogPosition | undefined
  /** To be sent when this request, and all before it, are flushed. */
  readonly messages: readonly Message[]
}

/** A place in a log. */
export interface LogPosition {
  readonly index: number
  readonly term: number
}

/** A read that leadership was confirmed for: answer it once `index` is applied (thesis §6.4). */
export interface ReadGrant {
  readonly id: number
  readonly index: number
}

/** Reported whenever role, term or known leader changed. */
export interface RoleChange {
  readonly role: Role
  readonly term: number
  readonly leader: NodeId | undefined
}

/** A piece of a snapshot that is being received, in order of `offset`. */
export interface SnapshotWrite {
  readonly meta: SnapshotMeta
  readonly offset: number
  readonly data: Uint8Array
}

export interface Ready {
  /** Peers prove that entries up to here were on this disk, which has them no longer: for `LogStore.forgotten`. */
  readonly forgotten: number | undefined
  readonly persist: PersistRequest | undefined
  readonly snapshotWrites: readonly SnapshotWrite[]
  readonly messages: readonly Message[]
  /** Take a snapshot soon, whatever the policy says: a peer whose own is damaged waits for it. */
  readonly snapshotWanted: boolean
  /** A snapshot of the snapshot store that the application's state is to be replaced by. */
  readonly install: SnapshotMeta | undefined
  /** Committed and not yet handed out, bounded in bytes: more may follow in the next Ready. */
  readonly committed: readonly Entry[]
  readonly reads: readonly ReadGrant[]
  /** Reads that will not be granted, because this node is no longer the leader. */
  readonly readsRefused: readonly number[]
  /** Forwarded proposals that the leader did not take. */
  readonly proposalsRefused: readonly RefusedProposal[]
  readonly role: RoleChange | undefined
  /** The configuration in effect, where it changed: appended or truncated, not necessarily committed. */
  readonly configuration: Configuration | undefined
}
