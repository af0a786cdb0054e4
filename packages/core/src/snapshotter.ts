/**
 * Takes snapshots of the application's state, a piece a turn, while entries are applied (Raft §7).
 *
 *     applied enough since the last ─► application.save() ─► a chunk each turn ─► SnapshotStore ─► snapshotSaved
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

interface Taking {
  readonly meta: Omit<SnapshotMeta, 'bytes' | 'checksum'>
  readonly pieces: Iterator<Uint8Array>
  bytes: number
  checksum: number
}

export type SnapshotKnobs = Pick<RaftKnobs, 'snapshotEntries' | 'snapshotBytes' | 'snapshotChunkBytes'>

export class Snapshotter {
  readonly #knobs: SnapshotKnobs
  readonly #checksum: Checksum
  readonly #snapshots: SnapshotStore
  readonly #application: Pick<Application<never>, 'save'>
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
    application: Pick<Application<never>, 'save'>,
  ) {
    this.#knobs = knobs
    this.#checksum = checksum
    this.#snapshots = snapshots
    this.#application = application
  }

  /** The application goes on from a state that it has kept: the entries since the last snapshot count as applied. */
  startFrom(kept: KeptState): void {
    if (kept.index === 0) return
    this.#last = kept
    this.#entries = kept.index - (this.#snapshots.latest?.index ?? 0)
  }

  /** Entries that the application has been given. */
  applied(entries: readonly Entry[]): void {
    const { snapshotEntries, snapshotBytes } = this.#knobs
    this.#last = entries.at(-1) ?? this.#last
    this.#entries += entries.length
    for (const { record } of entries) this.#bytes += record.byteLength
    if (snapshotEntries > 0 && this.#entries >= snapshotEntries) this.#isWanted = true
    if (snapshotBytes > 0 && this.#bytes >= snapshotBytes) this.#isWanted = true
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
    this.#last = meta
    this.#entries = 0
    this.#bytes = 0
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
    this.#snapshots.finish({ ...meta, bytes, checksum })
  }
}
