/**
 * The core's contract with its host.
 *
 * The host steps every event of a drain into the core and then calls `ready()` once. For each `Ready`, in this
 * order and without awaiting anything in between:
 *
 *   1. hand `persist` to the store, if there is one;
 *   2. send `messages`;
 *   3. apply `committed`, answer clients, serve `reads` once their index is applied, follow `role`;
 *   4. when the store reports `persist.token`: call `persisted(token)`, then send `persist.messages`.
 *
 * Tokens complete in order. Nothing in a Ready may be used after the next call of `ready()`, except for
 * what the store and the transport were handed. A failed flush is fatal to the node: it is never retried.
 *
 * Two outboxes (DESIGN law 6). `messages` never wait for the disk: heartbeats, pre-votes, a leader's appends
 * (the leader's disk works in parallel with its followers', thesis §10.2.1), refusals in a term that is already
 * flushed. `persist.messages` leave only after everything before them is flushed: RequestVote, votes,
 * acknowledgements of appends, and every reply in a term that is not yet flushed.
 */
import type { Entry } from './entry.ts'
import type { Message } from './message.ts'
import type { HardState, NodeId, Role } from './types.ts'

export interface PersistRequest {
  /** Rises by one with each request. */
  readonly token: number
  /** Present where term or vote changed. */
  readonly hardState: HardState | undefined
  /** Remove all entries from this index on, before `entries` are added. */
  readonly truncateFrom: number | undefined
  /** Consecutive, following what is stored once `truncateFrom` is done. May be empty. */
  readonly entries: readonly Entry[]
  /** To be sent when this request, and all before it, are flushed. */
  readonly messages: readonly Message[]
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

export interface Ready {
  readonly persist: PersistRequest | undefined
  readonly messages: readonly Message[]
  /** Committed and not yet handed out, bounded in bytes: more may follow in the next Ready. */
  readonly committed: readonly Entry[]
  readonly reads: readonly ReadGrant[]
  /** Reads that will not be granted, because this node is no longer the leader. */
  readonly readsRefused: readonly number[]
  readonly role: RoleChange | undefined
}
