/**
 * Failpoints at the ports of a node. Only a node that may have faults has them: elsewhere nothing is asked and nothing is
 * called in their place.
 */
import type { Application, PersistRequest, Random, SnapshotEvents, SnapshotStore } from '@troupe/core'
import {
  Failpoint,
  type FailpointAction,
  type FailpointEffect,
  type FailpointName,
  parseFailpoint,
  type Switchboard,
} from '@troupe/faults'

/** What its terms may ask for. */
export interface FailpointHost {
  readonly random: Random
  /** Stops this thread for so long. */
  sleep(ms: number): void
  /** Ends it at once. */
  die(): never
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
        return this.#host.die()
      // Refused at other places: there is nothing that they could return.
      case 'return':
        return this.#host.failWrite()
    }
  }

  // ---- places

  saving(store: { persist(request: PersistRequest): void }): void {
    const persist = store.persist.bind(store)
    store.persist = (request) => {
      this.reached('before-save')
      persist(request)
    }
  }

  applying(application: Pick<Application<never>, 'apply' | 'load'>): void {
    const apply = application.apply.bind(application)
    const load = application.load.bind(application)
    application.apply = (entries) => {
      this.reached('before-apply')
      apply(entries)
      this.reached('after-apply')
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
    }
  }
}

const bound = <L extends { chunk(bytes: Uint8Array): void; end(): void }>(loader: L) => ({
  chunk: loader.chunk.bind(loader),
  end: loader.end.bind(loader),
})
