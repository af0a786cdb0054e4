/**
 * Drives one core: a drain of its mailbox in, one turn of work out. The same on every engine.
 *
 *     events ─► step all ─► tick ─► proposals ─► ready ─► persist │ send │ apply │ reply
 *
 * `handle` is the only entry. Given the same events with the same drain boundaries and times, it does the same:
 * a run can be recorded and replayed.
 */

import type { Entry } from './entry.ts'
import type { Message } from './message.ts'
import type { Clock, LogStore, PeerTransport } from './ports.ts'
import type { ProposalRefusal, RaftCore } from './raft-core.ts'
import type { PersistRequest, ReadGrant, RoleChange } from './ready.ts'
import type { NodeId } from './types.ts'

/** Everything that can happen to a node. `client` events belong to the application's protocol. */
export type NodeEvent<ClientEvent> =
  | { readonly kind: 'peer'; readonly message: Message }
  | { readonly kind: 'peerUp'; readonly id: NodeId }
  | { readonly kind: 'peerGone'; readonly id: NodeId }
  | { readonly kind: 'persisted'; readonly token: number }
  | { readonly kind: 'campaign' }
  | { readonly kind: 'client'; readonly event: ClientEvent }

/** What the application may ask of the core while it handles a turn. */
export interface RaftHandle {
  readonly leader: NodeId | undefined
  readonly proposalRefusal: ProposalRefusal | undefined
  readonly hasRoom: boolean
  propose(parts: readonly Uint8Array[], commandCount: number): number
  readIndex(id: number): void
}

/** What stands on the log: client protocol, sessions, state machine. Pure and synchronous like the core. */
export interface Application<ClientEvent> {
  /** One event of a client: a frame, an opened or closed connection. */
  client(event: ClientEvent): void
  /** After all events of the drain: propose what has gathered, ask for reads. */
  gather(raft: RaftHandle, nowMs: number): void
  /** Committed entries, in order, each once. */
  apply(entries: readonly Entry[]): void
  /** Reads that may be answered as soon as their index is applied, and reads that may not. */
  reads(granted: readonly ReadGrant[], refused: readonly number[]): void
  roleChanged(change: RoleChange): void
  /** End of the turn: one reply frame for each client that has something coming. */
  flush(): void
  /** When `gather` wants to be called again (lingering batches); undefined where nothing waits. */
  readonly deadlineMs: number | undefined
  /** Whether something gathered waits for room in the core. */
  readonly hasWaiting: boolean
}

export interface DriverParts<ClientEvent> {
  readonly core: RaftCore
  readonly store: LogStore
  readonly transport: PeerTransport
  readonly application: Application<ClientEvent>
  readonly clock: Clock
  /** Told of role changes at once, beside the application: for logs and supervisors. */
  readonly onRole?: (change: RoleChange) => void
}

export class NodeDriver<ClientEvent> {
  readonly core: RaftCore
  readonly #parts: DriverParts<ClientEvent>
  /** Requests handed to the store whose messages wait for the flush, oldest first. */
  readonly #persisting: PersistRequest[] = []
  #outgoing: Message[] = []
  #applied: number

  constructor(parts: DriverParts<ClientEvent>) {
    this.#parts = parts
    this.core = parts.core
    this.#applied = parts.core.commitIndex
  }

  /** Index of the last entry that the application was given. */
  get applied(): number {
    return this.#applied
  }

  /** When `handle` must be called again at the latest, also without events. */
  get deadlineMs(): number {
    return Math.min(this.core.deadlineMs, this.#parts.application.deadlineMs ?? Number.POSITIVE_INFINITY)
  }

  /** Whether another turn has work to do without any event: what was bounded in this one. */
  get hasMore(): boolean {
    const mayPropose = this.core.hasRoom && this.core.proposalRefusal === undefined
    return this.core.hasCommitted || (this.#parts.application.hasWaiting && mayPropose)
  }

  /** One turn: all events of one drain, in mailbox order. */
  handle(events: readonly NodeEvent<ClientEvent>[]): void {
    const { core, application, clock } = this.#parts
    const nowMs = clock.nowMs()
    core.advance(nowMs)
    for (const event of events) this.#step(event)
    core.tick(nowMs)
    application.gather(core, nowMs)
    this.#processReady()
    application.flush()
  }

  #step(event: NodeEvent<ClientEvent>): void {
    switch (event.kind) {
      case 'peer':
        return this.core.step(event.message)
      case 'client':
        return this.#parts.application.client(event.event)
      case 'persisted':
        return this.#persisted(event.token)
      case 'peerUp':
        return this.core.peerUp(event.id)
      case 'peerGone':
        return this.core.peerGone(event.id)
      case 'campaign':
        return this.core.campaign()
    }
  }

  /** In the order that ready.ts demands. Messages of a turn leave together, one frame per peer. */
  #processReady(): void {
    const { core, store, transport, application } = this.#parts
    const ready = core.ready()
    if (ready.persist !== undefined) {
      this.#persisting.push(ready.persist)
      store.persist(ready.persist)
    }
    for (const message of ready.messages) this.#outgoing.push(message)
    if (this.#outgoing.length > 0) {
      transport.send(this.#outgoing)
      this.#outgoing = []
    }
    if (ready.role !== undefined) this.#roleChanged(ready.role)
    const last = ready.committed.at(-1)
    if (last !== undefined) {
      application.apply(ready.committed)
      this.#applied = last.index
    }
    if (ready.reads.length > 0 || ready.readsRefused.length > 0) {
      application.reads(ready.reads, ready.readsRefused)
    }
  }

  #roleChanged(change: RoleChange): void {
    this.#parts.onRole?.(change)
    this.#parts.application.roleChanged(change)
  }

  #persisted(token: number): void {
    let count = 0
    for (const request of this.#persisting) {
      if (request.token > token) break
      for (const message of request.messages) this.#outgoing.push(message)
      count++
    }
    this.#persisting.splice(0, count)
    this.core.persisted(token)
  }
}
