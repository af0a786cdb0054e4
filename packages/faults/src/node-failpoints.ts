/**
 * Failpoints at the ports of a node, real or simulated. Only a node that may have faults has them: elsewhere nothing is asked and nothing is
 * called in their place.
 */
import {
  type Application,
  type Entry,
  EntryKind,
  type PersistRequest,
  type Random,
  type SnapshotEvents,
  type SnapshotStore,
} from '@troupe/core'
import { Failpoint, type FailpointAction, parseFailpoint } from './failpoints.ts'
import type { Switchboard } from './ports.ts'
import type { FailpointEffect, FailpointName } from './vocabulary.ts'

/** What its terms may ask for. */
export interface FailpointHost {
  readonly random: Random
  /** Stops this thread for so long. */
  sleep(ms: number): void
  /** Ends it at once. */
  die(name: FailpointName): never
  print(name: FailpointName, value: unknown): void
  /** The next write fails. */
  failWrite(): void
}

interface ActivePoint {
  readonly name: FailpointName
  readonly failpoint: Failpoint
}

export class NodeFailpoints implements Switchboard<FailpointEffect> {
  readonly #host: FailpointHost
  readonly #points = new Map<number, ActivePoint>()
  /** The last request that cuts the log, until it is flushed. */
  #cutToken: number | undefined

  constructor(host: FailpointHost) {
    this.#host = host
  }

  add(id: number, { name, term }: FailpointEffect): void {
    this.#points.set(id, { name, failpoint: new Failpoint(parseFailpoint('term', term)) })
  }

  remove(id: number): void {
    this.#points.delete(id)
  }

  /** The node has come to that place. */
  reached(name: FailpointName): void {
    for (const point of this.#points.values()) {
      if (point.name !== name) continue
      const action = point.failpoint.next(this.#host.random)
      if (action !== undefined) this.#do(name, action)
    }
  }

  #do(name: FailpointName, action: FailpointAction): void {
    switch (action.kind) {
      case 'off':
        return
      case 'sleep':
        return this.#host.sleep(action.forMs)
      case 'print':
        return this.#host.print(name, action.value)
      case 'panic':
        this.#host.print(name, 'panic')
        return this.#host.die(name)
      // Refused at other places: there is nothing that they could return.
      case 'return':
        return this.#host.failWrite()
    }
  }

  // ---- places

  saving(store: { persist(request: PersistRequest): void }): void {
    const persist = store.persist.bind(store)
    store.persist = (request) => {
      this.save(request)
      persist(request)
    }
  }

  /** A request is about to be handed to the store. */
  save({ token, compactTo }: PersistRequest): void {
    this.reached('before-save')
    if (compactTo === undefined) return
    this.reached('before-compact')
    this.#cutToken = token
  }

  /** All requests up to this one are flushed, and nobody was told. */
  saved(token: number): void {
    this.reached('after-save')
    if (this.#cutToken === undefined || this.#cutToken > token) return
    this.#cutToken = undefined
    this.reached('after-compact')
  }

  applying(application: Pick<Application<never>, 'apply' | 'load'>): void {
    const apply = application.apply.bind(application)
    const load = application.load.bind(application)
    application.apply = (entries) => {
      const isChange = this.#points.size > 0 && entries.some(isConfiguration)
      this.reached('before-apply')
      if (isChange) this.reached('before-change')
      apply(entries)
      this.reached('after-apply')
      if (isChange) this.reached('after-change')
    }
    application.load = (position) => {
      this.reached('before-install')
      const { chunk, end } = bound(load(position))
      return {
        chunk,
        end: () => {
          end()
          this.reached('after-install')
        },
      }
    }
  }

  snapshots(store: SnapshotStore): void {
    const finish = store.finish.bind(store)
    store.finish = (meta) => {
      this.reached('before-snapshot')
      finish(meta)
    }
  }

  /** Around what the snapshot store reports. */
  snapshotEvents(events: SnapshotEvents): SnapshotEvents {
    return {
      ...events,
      onSnapshotSaved: (meta) => {
        this.reached('after-snapshot')
        events.onSnapshotSaved(meta)
      },
      onSnapshotReceived: (meta) => {
        this.reached('after-receive')
        events.onSnapshotReceived(meta)
      },
    }
  }
}

const isConfiguration = ({ kind }: Entry): boolean => kind === EntryKind.configuration

const bound = <L extends { chunk(bytes: Uint8Array): void; end(): void }>(loader: L) => ({
  chunk: loader.chunk.bind(loader),
  end: loader.end.bind(loader),
})
