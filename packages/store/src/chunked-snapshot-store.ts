/**
 * What the snapshot stores do, over a backend that keeps chunks and records.
 *
 *     write ───► own draft ──────┐
 *                                ├─► chunks, records ──► one commit, one flush ──► events
 *     receive ─► received draft ─┘         ▲                    │
 *                                          └── what has come ◄──┘
 *
 * Invariants: at most one commit is in flight; the record that makes a snapshot complete is committed together
 * with its last bytes, and that of a received one only when all bytes fit the checksum, so that a crash leaves whole
 * snapshots and leftovers, never something between; a record tells of no byte that is not committed with or
 * before it. Leftovers (dropped drafts, snapshots that were superseded) are taken away a slice with each commit.
 */
import {
  invariant,
  RaftError,
  type SnapshotEvents,
  type SnapshotMeta,
  type SnapshotStore,
} from '@troupe/core'
import type { Scheduler } from './memory-log-store.ts'
import { SnapshotDraft } from './snapshot-draft.ts'
import {
  CHUNK_HEADER_BYTES,
  chunkData,
  isSameSnapshot,
  type SnapshotId,
  type SnapshotRecord,
  type StoredChunk,
} from './snapshot-records.ts'
import { storageDamaged, storageFailed } from './storage-errors.ts'

/** One step: all of it becomes visible, or nothing. */
export interface SnapshotBatch {
  readonly chunks: StoredChunk[]
  /** By snapshot; undefined removes the record. */
  readonly records: Map<SnapshotId, SnapshotRecord | undefined>
  readonly removed: { readonly id: SnapshotId; readonly offset: number }[]
}

/** Where chunks and records are kept. What is read is what was committed. */
export interface SnapshotBackend {
  /** For error messages. */
  readonly path: string
  records(): Iterable<readonly [SnapshotId, SnapshotRecord]>
  /** The snapshots that have chunks, ascending. */
  chunkIds(): readonly SnapshotId[]
  /** Offsets of up to `limit` chunks of a snapshot. */
  chunkOffsets(id: SnapshotId, limit: number): readonly number[]
  /** The chunk of a snapshot that holds the byte at `offset`, or the last one before it; valid until the next read. */
  chunkAt(id: SnapshotId, offset: number): StoredChunk | undefined
  /** Calls `done` later, when the batch is flushed or has failed. The batch is not changed until then. */
  commit(batch: SnapshotBatch, done: (error?: unknown) => void): void
  close(): Promise<void>
}

/** Complete snapshots that are kept: somebody may be fetching the earlier one. */
const KEPT = 2
/** Chunks that a commit takes away. */
const SWEEP_CHUNKS = 256

interface Complete {
  readonly id: SnapshotId
  readonly meta: SnapshotMeta
}

interface Completion extends Complete {
  readonly isOwn: boolean
}

interface Filling extends SnapshotBatch {
  readonly completed: Completion[]
}

const newFilling = (): Filling => ({ chunks: [], records: new Map(), removed: [], completed: [] })
const dataBytes = (chunks: readonly StoredChunk[]): number =>
  chunks.reduce((sum, { value }) => sum + value.byteLength - CHUNK_HEADER_BYTES, 0)

export class ChunkedSnapshotStore implements SnapshotStore {
  readonly #backend: SnapshotBackend
  readonly #events: SnapshotEvents
  readonly #later: Scheduler
  /** The best first. */
  #complete: Complete[] = []
  #own: SnapshotDraft | undefined
  #receiving: SnapshotDraft | undefined
  #nextId = 1
  #filling = newFilling()
  #inFlight: Filling | undefined
  #pendingBytes = 0
  /** Snapshots whose chunks are to be taken away. */
  readonly #leftovers: SnapshotId[] = []
  #isScheduled = false
  /** After a failure, and once closed, nothing is written any more. */
  #stopped = false
  #closing: Promise<void> | undefined
  #drained: PromiseWithResolvers<void> | undefined

  /** @param later begins a commit: what is handed over until then is part of it */
  constructor(backend: SnapshotBackend, events: SnapshotEvents, later: Scheduler) {
    this.#backend = backend
    this.#events = events
    this.#later = later
    this.#find()
  }

  get latest(): SnapshotMeta | undefined {
    return this.#complete[0]?.meta
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  read(index: number, checksum: number, offset: number, maxBytes: number): Uint8Array | undefined {
    const found = this.#complete.find(({ meta }) => meta.index === index && meta.checksum === checksum)
    if (found === undefined) return undefined
    const size = Math.max(0, Math.min(maxBytes, found.meta.bytes - offset))
    const bytes = new Uint8Array(size)
    for (let filled = 0; filled < size; ) {
      const data = this.#dataAt(found.id, offset + filled)
      const piece = data.subarray(0, size - filled)
      bytes.set(piece, filled)
      filled += piece.byteLength
    }
    return bytes
  }

  begin(): void {
    this.#assertOpen()
    this.abort()
    this.#own = new SnapshotDraft(this.#nextId++, undefined)
  }

  write(data: Uint8Array): void {
    this.#assertOpen()
    invariant(this.#own !== undefined, 'write without begin')
    this.#append(this.#own, data)
  }

  finish(meta: SnapshotMeta): void {
    this.#assertOpen()
    const draft = this.#own
    if (this.#stopped) return
    invariant(draft !== undefined, 'finish without begin')
    invariant(
      meta.bytes === draft.bytes && meta.checksum === draft.checksum,
      `snapshot ${meta.index} has ${draft.bytes} bytes with checksum ${draft.checksum}, not ${meta.bytes} and ${meta.checksum}`,
    )
    this.#own = undefined
    this.#completeDraft(draft, meta, true)
  }

  abort(): void {
    if (this.#own !== undefined) this.#drop(this.#own)
    this.#own = undefined
  }

  /** Counts what was handed over, also where it is not on the disk yet: it is where `receive` goes on. */
  received(meta: SnapshotMeta): number {
    const draft = this.#receiving
    if (draft?.meta !== undefined && isSameSnapshot(draft.meta, meta)) return draft.bytes
    if (!this.#isWhole(meta)) return 0
    this.#dropReceiving()
    return meta.bytes
  }

  receive(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    this.#assertOpen()
    if (this.#stopped || offset + data.byteLength > meta.bytes || this.#isWhole(meta)) return
    let draft = this.#receiving
    if (draft?.meta === undefined || !isSameSnapshot(draft.meta, meta)) {
      if (offset !== 0) return
      this.#dropReceiving()
      draft = new SnapshotDraft(this.#nextId++, meta)
      this.#receiving = draft
    }
    const known = draft.bytes - offset
    if (known < 0 || known > data.byteLength) return
    this.#append(draft, data.subarray(known))
    if (draft.bytes < meta.bytes) return
    if (draft.checksum !== meta.checksum) return this.#dropReceiving()
    this.#receiving = undefined
    this.#completeDraft(draft, meta, false)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (!this.#stopped && (this.#inFlight !== undefined || this.#hasContent)) {
      this.#drained = Promise.withResolvers()
      this.#flushSoon()
      await this.#drained.promise
    }
    this.#stopped = true
    await this.#backend.close()
  }

  #assertOpen(): void {
    invariant(this.#closing === undefined, 'the snapshot store is closed')
  }

  /** Takes up what an earlier start has left. */
  #find(): void {
    const known = new Set<SnapshotId>()
    let last = 0
    for (const [id, record] of this.#backend.records()) {
      known.add(id)
      last = Math.max(last, id)
      if (record.isComplete) {
        this.#complete.push({ id, meta: record.meta })
        continue
      }
      this.#dropReceiving()
      this.#receiving = new SnapshotDraft(id, record.meta, record)
    }
    for (const id of this.#backend.chunkIds()) {
      last = Math.max(last, id)
      if (!known.has(id)) this.#leftovers.push(id)
    }
    this.#nextId = last + 1
    this.#keepLatest()
    if (this.#hasContent || this.#leftovers.length > 0) this.#flushSoon()
  }

  /** The data of a snapshot from `offset` to the end of its chunk. */
  #dataAt(id: SnapshotId, offset: number): Uint8Array {
    const chunk = this.#backend.chunkAt(id, offset)
    const data = chunk && chunkData(chunk)
    if (chunk === undefined || data === undefined || offset >= chunk.offset + data.byteLength) {
      throw storageDamaged(this.#backend.path, `snapshot ${id} is damaged or missing at byte ${offset}`)
    }
    return data.subarray(offset - chunk.offset)
  }

  #append(draft: SnapshotDraft, data: Uint8Array): void {
    if (this.#stopped || data.byteLength === 0) return
    this.#pendingBytes += data.byteLength
    draft.append(data, this.#filling.chunks)
    this.#flushSoon()
  }

  #completeDraft(draft: SnapshotDraft, meta: SnapshotMeta, isOwn: boolean): void {
    const { id, bytes, checksum } = draft
    draft.seal(this.#filling.chunks)
    this.#filling.records.set(id, { isComplete: true, meta, bytes, checksum })
    this.#filling.completed.push({ id, meta, isOwn })
    this.#flushSoon()
  }

  /** Whether the snapshot is complete, or only its flush is awaited. */
  #isWhole(meta: SnapshotMeta): boolean {
    const isSame = (other: { meta: SnapshotMeta }): boolean => isSameSnapshot(other.meta, meta)
    return (
      this.#complete.some(isSame) ||
      this.#filling.completed.some(isSame) ||
      this.#inFlight?.completed.some(isSame) === true
    )
  }

  #dropReceiving(): void {
    const draft = this.#receiving
    if (draft === undefined) return
    this.#drop(draft)
    this.#receiving = undefined
    if (draft.recordedBytes > 0) this.#filling.records.set(draft.id, undefined)
  }

  /** What is not on its way to the disk is forgotten, the rest is left over. */
  #drop(draft: SnapshotDraft): void {
    const { chunks } = this.#filling
    const kept = chunks.filter(({ id }) => id !== draft.id)
    this.#pendingBytes -= dataBytes(chunks) - dataBytes(kept) + draft.unsealedBytes
    chunks.length = 0
    chunks.push(...kept)
    this.#leftovers.push(draft.id)
    this.#flushSoon()
  }

  get #hasContent(): boolean {
    const { chunks, records } = this.#filling
    const unsealed = (this.#own?.unsealedBytes ?? 0) + (this.#receiving?.unsealedBytes ?? 0)
    return chunks.length > 0 || records.size > 0 || unsealed > 0
  }

  #flushSoon(): void {
    if (this.#isScheduled || this.#inFlight !== undefined || this.#stopped) return
    this.#isScheduled = true
    this.#later(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#inFlight !== undefined || this.#stopped) return
    const batch = this.#take()
    if (batch === undefined) {
      this.#drained?.resolve()
      return
    }
    this.#inFlight = batch
    const bytes = dataBytes(batch.chunks)
    this.#backend.commit(batch, (error) => {
      if (error === undefined) this.#onCommitted(batch, bytes)
      else this.#fail(error)
    })
  }

  /** What is to be committed now; undefined where there is nothing. */
  #take(): Filling | undefined {
    const batch = this.#filling
    this.#own?.seal(batch.chunks)
    const receiving = this.#receiving
    if (receiving?.meta !== undefined && receiving.bytes > receiving.recordedBytes) {
      receiving.seal(batch.chunks)
      const { id, meta, bytes, checksum } = receiving
      batch.records.set(id, { isComplete: false, meta, bytes, checksum })
      receiving.recordedBytes = bytes
    }
    if (this.#closing === undefined) this.#sweep(batch)
    if (batch.chunks.length + batch.records.size + batch.removed.length === 0) return undefined
    this.#filling = newFilling()
    return batch
  }

  /** Nothing is in flight now: all that was ever written of a leftover is there to be listed. */
  #sweep(batch: Filling): void {
    let room = SWEEP_CHUNKS
    while (room > 0) {
      const [id] = this.#leftovers
      if (id === undefined) return
      const offsets = this.#backend.chunkOffsets(id, room)
      for (const offset of offsets) batch.removed.push({ id, offset })
      if (offsets.length < room) this.#leftovers.shift()
      room -= offsets.length
    }
  }

  #onCommitted({ completed }: Filling, bytes: number): void {
    this.#inFlight = undefined
    this.#pendingBytes -= bytes
    for (const { id, meta } of completed) {
      this.#complete.push({ id, meta })
      this.#keepLatest()
    }
    this.#flush()
    for (const { meta, isOwn } of completed) {
      if (isOwn) this.#events.onSnapshotSaved(meta)
      else this.#events.onSnapshotReceived(meta)
    }
  }

  /** The best are those that stand for most; of two alike the later one. */
  #keepLatest(): void {
    this.#complete.sort((a, b) => b.meta.index - a.meta.index || b.id - a.id)
    const kept: Complete[] = []
    for (const snapshot of this.#complete) {
      const isRepeated = kept.some(({ meta }) => isSameSnapshot(meta, snapshot.meta))
      if (kept.length < KEPT && !isRepeated) {
        kept.push(snapshot)
        continue
      }
      this.#filling.records.set(snapshot.id, undefined)
      this.#leftovers.push(snapshot.id)
    }
    this.#complete = kept
  }

  #fail(cause: unknown): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#drained?.resolve()
    const isTold = RaftError.is(cause, 'STORAGE_FAILED')
    this.#events.onFailed(isTold ? cause : storageFailed(this.#backend.path, cause))
  }
}
