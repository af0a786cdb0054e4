import type { Application, Entry, RaftHandle, ReadGrant, RoleChange, StateLoader } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'

/** Told of what an application is given. */
export interface ApplicationObserver {
  applying(entries: readonly Entry[]): void
}

/** Hands everything on, and tells of it first. */
export class CheckedApplication implements Application<ClientEvent> {
  readonly #inner: Application<ClientEvent>
  readonly #observer: ApplicationObserver

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
  client(event: ClientEvent): void {
    this.#inner.client(event)
  }
  gather(raft: RaftHandle, nowMs: number): void {
    this.#inner.gather(raft, nowMs)
  }
  apply(entries: readonly Entry[]): void {
    this.#observer.applying(entries)
    this.#inner.apply(entries)
  }
  save(): Iterator<Uint8Array> {
    return this.#inner.save()
  }
  load(): StateLoader {
    return this.#inner.load()
  }
  reads(granted: readonly ReadGrant[], refused: readonly number[]): void {
    this.#inner.reads(granted, refused)
  }
  forwardRefused(ids: readonly number[]): void {
    this.#inner.forwardRefused(ids)
  }
  roleChanged(change: RoleChange): void {
    this.#inner.roleChanged(change)
  }
  flush(raft: RaftHandle): void {
    this.#inner.flush(raft)
  }
}
