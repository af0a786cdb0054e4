/**
 * Takes snapshots of the application's state, a piece a turn, while entries are applied (Raft §7).
 *
 *     applied enough since the last ─► application.save() ─► a chunk each turn ─► SnapshotStore ─► snapshotSaved
 *
 * A snapshot writes the whole state. Where that is large, the log has to have grown by half of it before: so snapshots write at most
 * twice what the log does, and the log that a restart has to replay is at most half as large as the state. A state that has become far
 * smaller than the snapshots that are kept of it is saved at once, so that they give the disk back.
 */
import type { Application } from './application.ts'
import type { Checksum, Entry } from './entry.ts'
import { invariant } from './errors.ts'
import type { KeptState } from './kept-state.ts'
import type { RaftKnobs } from './options.ts'
import type { SnapshotStore } from './ports.ts'
import type { RaftCore } from './raft-core.ts'
import type { SnapshotMeta } from './types.ts'

/** Bytes on their way to the disk, above which no more are taken from the application. */
const MAX_PENDING_BYTES = 4 << 20

/** How soon to look again whether they are written. */
const PENDING_POLL_MS = 2

/** A state above which the log is waited for. */
const LARGE_STATE_BYTES = 32 << 20
const LOG_BYTES_PER_STATE_BYTE = 0.5
/** A snapshot that is not worth to be replaced for its size. */
const SMALL_SNAPSHOT_BYTES = 1 << 20
/** Kept snapshots above so many times the present state are replaced. */
const SHRUNK = 8
/** Snapshots that a store keeps. */
const KEPT_SNAPSHOTS = 2

interface Taking {
  readonly meta: Omit<SnapshotMeta, 'bytes' | 'checksum'>
  readonly pieces: Iterator<Uint8Array>
  bytes: number
  checksum: number
}

export type SnapshotKnobs = Pick<RaftKnobs, 'snapshotEntries' | 'snapshotBytes' | 'snapshotChunkBytes'>

type SavedApplication = Pick<Application<never>, 'save' | 'stateBytes'>

export class Snapshotter {
  readonly #knobs: SnapshotKnobs
  readonly #checksum: Checksum
  readonly #snapshots: SnapshotStore
  readonly #application: SavedApplication
  /** Sizes of those that are kept, as far as they are known. */
  #keptBytes: number[]
  #entries = 0
  #bytes = 0
  #isWanted = false
  #last: KeptState | undefined
  #taking: Taking | undefined
  /** Handed over completely, not yet reported as saved. */
  #isFinishing = false

  constructor(
    knobs: SnapshotKnobs,
    checksum: Checksum,
    snapshots: SnapshotStore,
    application: SavedApplication,
  ) {
    this.#knobs = knobs
    this.#checksum = checksum
    this.#snapshots = snapshots
    this.#application = application
    this.#keptBytes = [snapshots.latest?.bytes ?? 0]
  }

  /**
   * The application goes on from a state that it has kept: the entries since the last snapshot count as applied.
   * @param logBytes of the whole log: those of the few entries that are kept behind the snapshot count too
   */
  startFrom(kept: KeptState, logBytes: number): void {
    if (kept.index === 0) return
    this.#last = kept
    this.#entries = kept.index - (this.#snapshots.latest?.index ?? 0)
    this.#bytes = this.#entries === 0 ? 0 : logBytes
  }

  /** Entries that the application has been given. */
  applied(entries: readonly Entry[]): void {
    this.#last = entries.at(-1) ?? this.#last
    this.#entries += entries.length
    for (const { record } of entries) this.#bytes += record.byteLength
    if (entries.length > 0 && this.#isDue()) this.#isWanted = true
  }

  #isDue(): boolean {
    const { snapshotEntries, snapshotBytes } = this.#knobs
    const isByEntries = snapshotEntries > 0 && this.#entries >= snapshotEntries
    const isByBytes = snapshotBytes > 0 && this.#bytes >= snapshotBytes
    const { stateBytes } = this.#application
    if (stateBytes === undefined) return isByEntries || isByBytes
    if (isByEntries || isByBytes)
      return stateBytes < LARGE_STATE_BYTES || this.#bytes >= stateBytes * LOG_BYTES_PER_STATE_BYTE
    const keptBytes = Math.max(...this.#keptBytes)
    const isAutomatic = snapshotEntries > 0 || snapshotBytes > 0
    return isAutomatic && keptBytes > SMALL_SNAPSHOT_BYTES && stateBytes < keptBytes / SHRUNK
  }

  /** A snapshot is asked for: of what is applied now. Whether there is anything to take one of. */
  want(): boolean {
    if (this.#last === undefined && this.#snapshots.latest === undefined) return false
    this.#isWanted = true
    return true
  }

  /** The application's state is replaced: what was being taken is of no use. */
  abort(meta: SnapshotMeta): void {
    this.#taking?.pieces.return?.()
    if (this.#taking !== undefined) this.#snapshots.abort()
    this.#taking = undefined
    this.#keep(meta.bytes)
    this.#last = meta
    this.#entries = 0
    this.#bytes = 0
  }

  #keep(bytes: number): void {
    this.#keptBytes = [bytes, ...this.#keptBytes].slice(0, KEPT_SNAPSHOTS)
  }

  /** A snapshot is on the disk. */
  saved(): void {
    this.#isFinishing = false
  }

  /** Whether another turn would go on at once. */
  get hasMore(): boolean {
    if (this.#taking === undefined) return this.#isWanted && !this.#isFinishing && this.#last !== undefined
    return this.#snapshots.pendingBytes <= MAX_PENDING_BYTES
  }

  /** When to look again, where the disk holds it up. */
  deadlineMs(nowMs: number): number {
    return this.#taking === undefined || this.hasMore ? Number.POSITIVE_INFINITY : nowMs + PENDING_POLL_MS
  }

  /** A piece of work, bounded in bytes. Called once a turn, after everything is applied. */
  work(core: RaftCore): void {
    if (!this.hasMore) return
    const taking = this.#taking ?? this.#begin(core)
    let bytes = 0
    while (bytes < this.#knobs.snapshotChunkBytes) {
      const { done, value } = taking.pieces.next()
      if (done) return this.#finish(taking)
      taking.checksum = this.#checksum(value, taking.checksum)
      taking.bytes += value.byteLength
      bytes += value.byteLength
      this.#snapshots.write(value)
    }
  }

  #begin(core: RaftCore): Taking {
    const { index, term, timeMs } = this.#last as KeptState
    const found = core.configurationAt(index)
    const meta = { index, term, timeMs, configuration: found.configuration, configurationIndex: found.index }
    this.#taking = { meta, pieces: this.#application.save(), bytes: 0, checksum: 0 }
    this.#isWanted = false
    this.#entries = 0
    this.#bytes = 0
    this.#snapshots.begin()
    return this.#taking
  }

  #finish({ meta, bytes, checksum }: Taking): void {
    invariant(bytes > 0, 'the application has saved a state of no bytes')
    this.#taking = undefined
    this.#isFinishing = true
    this.#keep(bytes)
    this.#snapshots.finish({ ...meta, bytes, checksum })
  }
}
