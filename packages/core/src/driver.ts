/**
 * Drives one core: a drain of its mailbox in, one turn of work out. The same on every engine.
 *
 *     events ─► step all ─► tick ─► proposals ─► ready ─► persist │ send │ install │ apply │ reply
 *
 * `handle` is the only entry. Given the same events with the same drain boundaries and times, it does the same:
 * a run can be recorded and replayed.
 */
import type { Application } from './application.ts'
import { Controls } from './controls.ts'
import type { Checksum, Entry } from './entry.ts'
import { RaftError } from './errors.ts'
import type { ControlOutcome, NodeEvent } from './event.ts'
import { Installation } from './installation.ts'
import { isPartOf } from './kept-state.ts'
import type { Message } from './message.ts'
import type { Clock, LogStore, PeerTransport, SnapshotStore, TurnTracer } from './ports.ts'
import type { RaftCore } from './raft-core.ts'
import type { PersistRequest, Ready, RoleChange } from './ready.ts'
import { type SnapshotKnobs, Snapshotter } from './snapshotter.ts'
import type { Configuration } from './types.ts'

export interface DriverParts<ClientEvent> {
  readonly core: RaftCore
  readonly store: LogStore
  readonly snapshots: SnapshotStore
  readonly transport: PeerTransport
  readonly application: Application<ClientEvent>
  readonly clock: Clock
  readonly checksum: Checksum
  /** When and in what pieces snapshots are taken. */
  readonly knobs: SnapshotKnobs
  /** Told of role changes at once, beside the application: for logs and supervisors. */
  readonly onRole?: (change: RoleChange) => void
  /** Told of the configuration in effect, whenever it changes. */
  readonly onConfiguration?: (configuration: Configuration) => void
  /** Told how control commands ended. */
  readonly onControl?: (outcome: ControlOutcome) => void
}

export class NodeDriver<ClientEvent> {
  readonly core: RaftCore
  /** Set while somebody measures. */
  tracer: TurnTracer | undefined
  readonly #parts: DriverParts<ClientEvent>
  readonly #snapshotter: Snapshotter
  readonly #installation: Installation
  readonly #controls: Controls
  /** Requests handed to the store whose messages wait for the flush, oldest first. */
  readonly #persisting: PersistRequest[] = []
  #outgoing: Message[] = []
  #applied: number
  #nowMs: number

  constructor(parts: DriverParts<ClientEvent>) {
    const { core, snapshots, application, checksum, knobs } = parts
    this.#parts = parts
    this.core = core
    this.#applied = core.baseIndex
    this.#nowMs = parts.clock.nowMs()
    this.#snapshotter = new Snapshotter(knobs, checksum, snapshots, application)
    this.#installation = new Installation(snapshots, application, knobs.snapshotChunkBytes)
    this.#controls = new Controls(
      core,
      () => this.#snapshotter.want(),
      (outcome) => parts.onControl?.(outcome),
    )
    this.#begin()
  }

  /** With a state that was kept: goes on from it, or has it begin anew, to load the snapshot and apply what follows. */
  #begin(): void {
    const { core, application, store, snapshots } = this.#parts
    const { kept } = application
    if (kept === undefined) return
    if (isPartOf(kept, store, snapshots.latest)) {
      this.#applied = kept.index
      return this.#snapshotter.startFrom(kept, store.metrics.logBytes ?? 0)
    }
    // Where the snapshot is lost nothing is applied before another one comes: until then this may be the last state there is.
    if (core.baseIndex <= (snapshots.latest?.index ?? 0)) application.discard()
  }

  /** Index of the last entry that the application was given, or that the snapshot it was given stands for. */
  get applied(): number {
    return this.#applied
  }

  /** Whether a snapshot is being loaded into the application. */
  get isInstalling(): boolean {
    return this.#installation.isUnderWay
  }

  /** When `handle` must be called again at the latest, also without events. */
  get deadlineMs(): number {
    const application = this.#parts.application.deadlineMs ?? Number.POSITIVE_INFINITY
    return Math.min(this.core.deadlineMs, application, this.#snapshotter.deadlineMs(this.#nowMs))
  }

  /** Whether another turn has work to do without any event: what was bounded in this one. */
  get hasMore(): boolean {
    if (this.#installation.isUnderWay || this.#snapshotter.hasMore) return true
    const mayPropose = this.core.hasRoom && this.core.proposalRefusal === undefined
    return this.core.hasCommitted || (this.#parts.application.hasWaiting && mayPropose)
  }

  /** One turn: all events of one drain, in mailbox order. */
  handle(events: readonly NodeEvent<ClientEvent>[]): void {
    const { core, application, clock } = this.#parts
    const nowMs = clock.nowMs()
    this.#nowMs = nowMs
    core.advance(nowMs)
    for (const event of events) this.#step(event)
    core.tick(nowMs)
    application.gather(core, nowMs)
    this.#processReady(core.ready(!this.#installation.isUnderWay))
    this.#controls.settle()
    application.flush(core)
    this.tracer?.ended()
  }

  #step(event: NodeEvent<ClientEvent>): void {
    switch (event.kind) {
      case 'peer':
        return this.core.step(event.message)
      case 'client':
        return this.#parts.application.client(event.event)
      case 'persisted':
        return this.#persisted(event.token)
      case 'diskSpace':
        return this.core.diskSpace(event.isFull)
      case 'peerUp':
        return this.core.peerUp(event.id)
      case 'peerGone':
        return this.core.peerGone(event.id)
      case 'peerExited':
        return this.core.peerExited(event.id, event.boot)
      case 'snapshotSaved':
        this.#snapshotter.saved()
        this.#controls.snapshotSaved(event.meta)
        return this.core.snapshotSaved(event.meta)
      case 'snapshotReceived':
        return this.core.snapshotReceived(event.meta)
      case 'control':
        return this.#controls.take(event.id, event.command, this.#applied)
    }
  }

  /** In the order that ready.ts demands. Messages of a turn leave together, one frame per peer. */
  #processReady(ready: Ready): void {
    if (ready.forgotten !== undefined) this.#forget(ready.forgotten)
    const { store, snapshots, transport, application } = this.#parts
    if (ready.persist !== undefined) {
      this.#persisting.push(ready.persist)
      store.persist(ready.persist)
    }
    for (const { meta, offset, data } of ready.snapshotWrites) snapshots.receive(meta, offset, data)
    for (const message of ready.messages) this.#outgoing.push(message)
    if (this.#outgoing.length > 0) {
      transport.send(this.#outgoing)
      this.#outgoing = []
    }
    const { core, tracer } = this
    tracer?.handed(this.#nowMs, core.term, core.lastIndex, ready.persist?.token ?? 0)
    if (ready.role !== undefined) this.#roleChanged(ready.role)
    if (ready.configuration !== undefined) this.#parts.onConfiguration?.(ready.configuration)
    this.#install(ready)
    this.#apply(ready.committed)
    tracer?.applied(core.commitIndex, this.#applied)
    if (ready.reads.length > 0 || ready.readsRefused.length > 0) {
      application.reads(ready.reads, ready.readsRefused)
    }
    if (ready.proposalsRefused.length > 0) application.forwardRefused(ready.proposalsRefused)
    if (ready.snapshotWanted) this.#snapshotter.want()
    if (!this.#installation.isUnderWay) this.#snapshotter.work(this.core)
  }

  /** Nothing leaves any more: the next start finds damage in the place of what is missing, and has it repaired. */
  #forget(to: number): never {
    const { store } = this.#parts
    const reason = `the log ends at ${store.lastIndex}, its leader proves that it went up to ${to}`
    store.forgotten(to)
    throw new RaftError('STORAGE_DAMAGED', reason, { path: '', reason })
  }

  #install({ install }: Ready): void {
    if (install !== undefined) {
      this.#snapshotter.abort(install)
      // Whoever asked for a snapshot of what was applied then has one of more now.
      this.#controls.snapshotSaved(install)
      this.#installation.begin(install)
    }
    const installed = this.#installation.work()
    if (installed !== undefined) this.#applied = installed.index
  }

  #apply(entries: readonly Entry[]): void {
    const last = entries.at(-1)
    if (last === undefined) return
    this.#parts.application.apply(entries)
    this.#snapshotter.applied(entries)
    this.#applied = last.index
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
