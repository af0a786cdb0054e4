/**
 * Snapshots in LMDB: an environment of their own (`snapshots/` beside `log/`), so that a flush of the log never waits
 * for one of a snapshot. The bytes are values of 64 KiB at most under snapshot and offset; a small record says what is
 * complete. Files would do as well; LMDB is what is there: one transaction makes the last bytes and the record visible
 * together, which with files takes a protocol of renames and directory flushes of our own. The price is the free list:
 * the file never shrinks, and stands at the size of up to four snapshots: two that are kept, one
 * being taken, one being received.
 *
 * The environment is made with the first snapshot: nodes that never take one keep no file open for it.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Durability, GroupId, SnapshotEvents, SnapshotStore } from '@troupe/core'
import { ChunkedSnapshotStore, type SnapshotBackend, type SnapshotBatch } from './chunked-snapshot-store.ts'
import {
  type CommitError,
  type Database,
  type Environment,
  openEnvironment,
  reportCommitError,
} from './lmdb-environment.ts'
import {
  chunkKey,
  chunkPlace,
  decodeRecord,
  encodeRecord,
  type SnapshotId,
  type SnapshotRecord,
  type StoredChunk,
} from './snapshot-records.ts'
import { storageDamaged } from './storage-errors.ts'

export interface LmdbSnapshotStoreOptions {
  /** Directory of the environment, not that of a log; made with the first snapshot. All groups of a node share one. */
  readonly path: string
  /** @default 0 */
  readonly group?: GroupId | undefined
  /** As the log's: what is reported as saved or received survives a power loss, or the death of the process. */
  readonly durability?: Exclude<Durability, 'memory'> | undefined
  readonly events: SnapshotEvents
}

/**
 * Opens the SnapshotStore of a group in an LMDB environment.
 * @throws RaftError STORAGE_DAMAGED where a record of a snapshot is damaged; STORAGE_FAILED where LMDB cannot
 *   open; INVALID_OPTIONS
 */
export function openLmdbSnapshotStore(options: LmdbSnapshotStoreOptions): SnapshotStore {
  const { path, group = 0, durability = 'flush-before-ack', events } = options
  const backend = new LmdbSnapshotBackend(path, group, durability)
  try {
    return new ChunkedSnapshotStore(backend, events, queueMicrotask)
  } catch (error) {
    backend.close().catch(() => {})
    throw error
  }
}

const nothing = (): void => {}

class LmdbSnapshotBackend implements SnapshotBackend {
  readonly path: string
  readonly #group: GroupId
  readonly #durability: Exclude<Durability, 'memory'>
  #environment: Environment<'chunks' | 'snapshots'> | undefined

  constructor(path: string, group: GroupId, durability: Exclude<Durability, 'memory'>) {
    this.path = path
    this.#group = group
    this.#durability = durability
    if (existsSync(join(path, 'data.mdb'))) this.#opened()
  }

  *records(): Iterable<readonly [SnapshotId, SnapshotRecord]> {
    const snapshots = this.#environment?.databases.snapshots
    if (snapshots === undefined) return
    for (const key of [...snapshots.getKeys({})]) {
      const bytes = storedBytes(snapshots, key)
      const record = bytes && decodeRecord(bytes)
      if (record === undefined || key.byteLength !== 4) {
        throw storageDamaged(
          this.path,
          `group ${this.#group}: a snapshot's record is damaged or of another format`,
        )
      }
      yield [new DataView(key.buffer, key.byteOffset).getUint32(0), record]
    }
  }

  chunkIds(): readonly SnapshotId[] {
    const ids: SnapshotId[] = []
    for (;;) {
      const from = ids.at(-1)
      const [place] = this.#places({ start: chunkKey(from === undefined ? 0 : from + 1, 0), limit: 1 })
      if (place === undefined) return ids
      ids.push(place.id)
    }
  }

  chunkOffsets(id: SnapshotId, limit: number): readonly number[] {
    const range = { start: chunkKey(id, 0), end: chunkKey(id + 1, 0), limit }
    return this.#places(range).map(({ offset }) => offset)
  }

  chunkAt(id: SnapshotId, offset: number): StoredChunk | undefined {
    const chunks = this.#environment?.databases.chunks
    if (chunks === undefined) return undefined
    const [key] = chunks.getKeys({ start: chunkKey(id, offset), reverse: true, limit: 1 })
    const place = key && this.#placeOf(key)
    const value = key && storedBytes(chunks, key)
    return place === undefined || value === undefined || place.id !== id ? undefined : { ...place, value }
  }

  commit(batch: SnapshotBatch, done: (error?: unknown) => void): void {
    let environment: Environment<'chunks' | 'snapshots'>
    try {
      environment = this.#opened()
    } catch (error) {
      queueMicrotask(() => done(error))
      return
    }
    const { chunks } = environment.databases
    // Both run as one transaction, which the second one makes start at once: see the log store.
    const committed = chunks.batch(() => write(environment, batch))
    const started = chunks.batch(nothing)
    Promise.all([committed, started, environment.flushed]).then(
      () => done(),
      (error: CommitError) => reportCommitError(error, done),
    )
  }

  async close(): Promise<void> {
    await this.#environment?.close()
  }

  #opened(): Environment<'chunks' | 'snapshots'> {
    const options = { path: this.path, group: this.#group, durability: this.#durability }
    this.#environment ??= openEnvironment(options, ['chunks', 'snapshots'])
    return this.#environment
  }

  #places(range: Parameters<Database['getKeys']>[0]): { id: SnapshotId; offset: number }[] {
    const chunks = this.#environment?.databases.chunks
    return chunks === undefined ? [] : [...chunks.getKeys(range)].map((key) => this.#placeOf(key))
  }

  #placeOf(key: Uint8Array): { id: SnapshotId; offset: number } {
    const place = chunkPlace(key)
    if (place === undefined) throw storageDamaged(this.path, `group ${this.#group}: a key is not a chunk's`)
    return place
  }
}

/** lmdb reads the values from another thread until the commit: whoever calls keeps the batch. */
function write({ databases }: Environment<'chunks' | 'snapshots'>, batch: SnapshotBatch): void {
  const { chunks, snapshots } = databases
  for (const { id, offset } of batch.removed) chunks.remove(chunkKey(id, offset))
  for (const { id, offset, value } of batch.chunks) void chunks.put(chunkKey(id, offset), value)
  for (const [id, record] of batch.records) {
    const key = new Uint8Array(4)
    new DataView(key.buffer).setUint32(0, id)
    if (record === undefined) snapshots.remove(key)
    else void snapshots.put(key, encodeRecord(record))
  }
}

/** The stored bytes, valid until the next read: lmdb's buffer claims a `length` that slices do not follow. */
function storedBytes(database: Database, key: Uint8Array): Uint8Array | undefined {
  const bytes = database.getBinaryFast(key)
  return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
