/** Loads a snapshot into the application, a chunk a turn: nothing is applied meanwhile, everything else goes on. */
import type { Application, StateLoader } from './application.ts'
import { invariant } from './errors.ts'
import type { SnapshotStore } from './ports.ts'
import type { SnapshotMeta } from './types.ts'

export class Installation {
  readonly #snapshots: SnapshotStore
  readonly #application: Pick<Application<never>, 'load'>
  readonly #chunkBytes: number
  #meta: SnapshotMeta | undefined
  #loader: StateLoader | undefined
  #offset = 0

  constructor(snapshots: SnapshotStore, application: Pick<Application<never>, 'load'>, chunkBytes: number) {
    this.#snapshots = snapshots
    this.#application = application
    this.#chunkBytes = chunkBytes
  }

  get isUnderWay(): boolean {
    return this.#meta !== undefined
  }

  /** Begins with `meta`; a later snapshot takes the place of one that is not loaded yet. */
  begin(meta: SnapshotMeta): void {
    this.#meta = meta
    this.#loader = this.#application.load(meta)
    this.#offset = 0
  }

  /** One chunk. Returns the snapshot when its last byte is loaded. */
  work(): SnapshotMeta | undefined {
    const meta = this.#meta
    if (meta === undefined) return undefined
    const loader = this.#loader as StateLoader
    const { index, checksum, bytes } = meta
    if (this.#offset < bytes) {
      const chunk = this.#snapshots.read(index, checksum, this.#offset, this.#chunkBytes)
      invariant(chunk !== undefined && chunk.byteLength > 0, `snapshot ${index} is gone while it is loaded`)
      loader.chunk(chunk)
      this.#offset += chunk.byteLength
      if (this.#offset < bytes) return undefined
    }
    loader.end()
    this.#meta = undefined
    this.#loader = undefined
    return meta
  }
}
