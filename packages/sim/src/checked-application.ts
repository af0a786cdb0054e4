import type {
  Application,
  Entry,
  KeptState,
  NodeId,
  ProposalRefusal,
  RaftHandle,
  ReadGrant,
  RefusedProposal,
  RoleChange,
  StateLoader,
} from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'

/** Told of what an application is given, and asks for. */
export interface ApplicationObserver {
  applying(entries: readonly Entry[]): void
  /** A snapshot of everything up to `index` took the place of the state. */
  loaded(index: number): void
  readAsked(read: number): void
  /** Without its number: by the lease. */
  readGranted(read: number | undefined, index: number): void
}

/** Hands everything on, and tells of reads. */
class CheckedRaft implements RaftHandle {
  readonly inner: RaftHandle
  readonly #observer: ApplicationObserver

  constructor(inner: RaftHandle, observer: ApplicationObserver) {
    this.inner = inner
    this.#observer = observer
  }

  get leader(): NodeId | undefined {
    return this.inner.leader
  }
  get proposalRefusal(): ProposalRefusal | undefined {
    return this.inner.proposalRefusal
  }
  get hasRoom(): boolean {
    return this.inner.hasRoom
  }
  get hasUncommitted(): boolean {
    return this.inner.hasUncommitted
  }
  propose(parts: readonly Uint8Array[], commandCount: number): number {
    return this.inner.propose(parts, commandCount)
  }
  readIndex(id: number, mayForward: boolean): void {
    this.#observer.readAsked(id)
    this.inner.readIndex(id, mayForward)
  }
  leaseIndex(nowMs: number): number | undefined {
    const index = this.inner.leaseIndex(nowMs)
    if (index !== undefined) this.#observer.readGranted(undefined, index)
    return index
  }
  holdsLease(nowMs: number): boolean {
    return this.inner.holdsLease(nowMs)
  }
}

/** Hands everything on, and tells of it first. */
export class CheckedApplication implements Application<ClientEvent> {
  readonly #inner: Application<ClientEvent>
  readonly #observer: ApplicationObserver
  #raft: CheckedRaft | undefined

  constructor(inner: Application<ClientEvent>, observer: ApplicationObserver) {
    this.#inner = inner
    this.#observer = observer
  }

  get deadlineMs(): number | undefined {
    return this.#inner.deadlineMs
  }
  get hasWaiting(): boolean {
    return this.#inner.hasWaiting
  }
  get kept(): KeptState | undefined {
    return this.#inner.kept
  }
  discard(): void {
    this.#inner.discard()
  }
  client(event: ClientEvent): void {
    this.#inner.client(event)
  }
  gather(raft: RaftHandle, nowMs: number): void {
    if (this.#raft?.inner !== raft) this.#raft = new CheckedRaft(raft, this.#observer)
    this.#inner.gather(this.#raft, nowMs)
  }
  apply(entries: readonly Entry[]): void {
    this.#observer.applying(entries)
    this.#inner.apply(entries)
  }
  save(): Iterator<Uint8Array> {
    return this.#inner.save()
  }
  load(position: KeptState): StateLoader {
    const loader = this.#inner.load(position)
    return {
      chunk: (bytes) => loader.chunk(bytes),
      end: () => {
        loader.end()
        this.#observer.loaded(position.index)
      },
    }
  }
  reads(granted: readonly ReadGrant[], refused: readonly number[]): void {
    for (const { id, index } of granted) this.#observer.readGranted(id, index)
    this.#inner.reads(granted, refused)
  }
  forwardRefused(refused: readonly RefusedProposal[]): void {
    this.#inner.forwardRefused(refused)
  }
  roleChanged(change: RoleChange): void {
    this.#inner.roleChanged(change)
  }
  flush(raft: RaftHandle): void {
    this.#inner.flush(raft)
  }
}
