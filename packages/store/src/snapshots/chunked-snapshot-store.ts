/**
 * What the snapshot stores do, over a backend that keeps the bytes.
 *
 *     write ───► own draft ──────┐
 *                                ├─► written, a batch at a time ─► installed: flushed, verified, complete ─► event
 *     receive ─► received draft ─┘
 *
 * Invariants: at most one step of a draft is in flight, what comes meanwhile is its next batch; drafts do not wait for
 * each other. Nothing is complete before the backend has verified it, and nothing that is complete is removed before
 * the one that supersedes it is.
 */
import {
  invariant,
  RaftError,
  type SnapshotEvents,
  type SnapshotMeta,
  type SnapshotStore,
} from '@troupe/core'
import type { Scheduler } from '../log/memory-log-store.ts'
import { storageFailed } from '../storage-errors.ts'
import { type Completion, SnapshotDraft, type SnapshotId, type StoredDraft } from './snapshot-draft.ts'
import { isSameSnapshot, type SnapshotChunk } from './snapshot-format.ts'

/** What an earlier start has left. */
export interface FoundSnapshot {
  readonly id: SnapshotId
  readonly meta: SnapshotMeta
  /** Undefined for a complete one. */
  readonly draft: StoredDraft | undefined
}

/** Called later, when a step is done or has failed. */
export type Done = (error?: unknown) => void

/** A step was given up because nobody waits for it any more: see {@link SnapshotBackend.giveUp}. */
export class GivenUp extends Error {}

/** Where the bytes are kept. Steps of one snapshot are called one after another. */
export interface SnapshotBackend {
  /** For error messages. */
  readonly path: string
  readonly found: readonly FoundSnapshot[]
  /** Writes chunks of a draft, which begins with the first of them. `meta` is that of a received one. */
  write(id: SnapshotId, meta: SnapshotMeta | undefined, chunks: readonly SnapshotChunk[], done: Done): void
  /** Makes a draft complete, once it is flushed and verified. */
  install(id: SnapshotId, completion: Completion, done: Done): void
  /** Removes a draft, of which perhaps nothing was written, or a complete one. */
  remove(id: SnapshotId, done: Done): void
  /** Lets a step of a draft that waits for room, or would, fail with GivenUp. Without `id`: of any, from now on. */
  giveUp(id?: SnapshotId): void
  /** Bytes of a complete one that are known to be in it. Throws STORAGE_DAMAGED: then it is complete no more. */
  read(id: SnapshotId, offset: number, bytes: number): Uint8Array
  /** Waits for what is in flight. */
  close(): Promise<void>
}

/** Complete snapshots that are kept: somebody may be fetching the earlier one. */
const KEPT = 2

interface Complete {
  readonly id: SnapshotId
  readonly meta: SnapshotMeta
}

export class ChunkedSnapshotStore implements SnapshotStore {
  readonly #backend: SnapshotBackend
  readonly #events: SnapshotEvents
  readonly #later: Scheduler
  /** The best first. */
  #complete: Complete[] = []
  #own: SnapshotDraft | undefined
  #receiving: SnapshotDraft | undefined
  /** All that grow, are about to be complete, or are dropped and not removed yet. */
  readonly #drafts = new Set<SnapshotDraft>()
  #nextId = 1
  #pendingBytes = 0
  /** Superseded snapshots that are being removed. */
  #removing = 0
  #isScheduled = false
  /** After a failure, and once closed, nothing is written any more. */
  #stopped = false
  #closing: Promise<void> | undefined
  #drained: PromiseWithResolvers<void> | undefined

  /** @param later begins to write: what is handed over until then is part of it */
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
    try {
      return this.#backend.read(found.id, offset, Math.max(0, Math.min(maxBytes, found.meta.bytes - offset)))
    } catch (error) {
      if (RaftError.is(error, 'STORAGE_DAMAGED')) {
        this.#complete = this.#complete.filter((other) => other !== found)
      }
      throw error
    }
  }

  begin(): void {
    this.#assertOpen()
    this.abort()
    this.#own = this.#newDraft(undefined)
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
    draft.completion = { meta, isOwn: true }
    this.#workSoon()
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
      draft = this.#newDraft(meta)
      this.#receiving = draft
    }
    const known = draft.bytes - offset
    if (known < 0 || known > data.byteLength) return
    this.#append(draft, data.subarray(known))
    this.#completeReceived(draft, meta)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.abort()
    this.#backend.giveUp()
    if (!this.#stopped && !this.#isIdle) {
      this.#drained = Promise.withResolvers()
      this.#workSoon()
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
    for (const { id, meta, draft } of this.#backend.found) {
      this.#nextId = Math.max(this.#nextId, id + 1)
      if (draft === undefined) this.#complete.push({ id, meta })
      else {
        this.#dropReceiving()
        this.#receiving = this.#newDraft(meta, draft, id)
      }
    }
    this.#keepLatest()
    const receiving = this.#receiving
    if (receiving?.meta === undefined) return
    // Its last bytes had come, and a crash before it was complete.
    if (this.#isWhole(receiving.meta)) this.#dropReceiving()
    else this.#completeReceived(receiving, receiving.meta)
  }

  #newDraft(meta: SnapshotMeta | undefined, stored?: StoredDraft, id = this.#nextId++): SnapshotDraft {
    const draft = new SnapshotDraft(id, meta, stored)
    this.#drafts.add(draft)
    return draft
  }

  #append(draft: SnapshotDraft, data: Uint8Array): void {
    if (this.#stopped || data.byteLength === 0) return
    this.#pendingBytes += data.byteLength
    draft.append(data)
    this.#workSoon()
  }

  #completeReceived(draft: SnapshotDraft, meta: SnapshotMeta): void {
    if (draft.bytes < meta.bytes) return
    if (draft.checksum !== meta.checksum) return this.#dropReceiving()
    this.#receiving = undefined
    draft.completion = { meta, isOwn: false }
    this.#workSoon()
  }

  /** Whether the snapshot is complete, or only its flush is awaited. */
  #isWhole(meta: SnapshotMeta): boolean {
    for (const { completion } of this.#drafts) {
      if (completion !== undefined && isSameSnapshot(completion.meta, meta)) return true
    }
    return this.#complete.some((other) => isSameSnapshot(other.meta, meta))
  }

  #dropReceiving(): void {
    if (this.#receiving !== undefined) this.#drop(this.#receiving)
    this.#receiving = undefined
  }

  #drop(draft: SnapshotDraft): void {
    this.#pendingBytes -= draft.untakenBytes
    draft.drop()
    this.#backend.giveUp(draft.id)
    this.#workSoon()
  }

  #workSoon(): void {
    if (this.#isScheduled || this.#stopped) return
    this.#isScheduled = true
    this.#later(() => {
      this.#isScheduled = false
      for (const draft of [...this.#drafts]) this.#work(draft)
      this.#settle()
    })
  }

  /** The next step of a draft. */
  #work(draft: SnapshotDraft): void {
    if (draft.isBusy || this.#stopped) return
    const { id, meta, completion } = draft
    if (draft.isDropped) {
      this.#step(draft, (done) => this.#backend.remove(id, done), this.#forget)
      return
    }
    const write = draft.take()
    if (write !== undefined) {
      const { chunks, newBytes } = write
      const written = (): void => {
        this.#pendingBytes -= newBytes
      }
      this.#step(draft, (done) => this.#backend.write(id, meta, chunks, done), written, written)
    } else if (completion !== undefined) {
      this.#step(draft, (done) => this.#backend.install(id, completion, done), this.#installed)
    }
  }

  #step(
    draft: SnapshotDraft,
    run: (done: Done) => void,
    then: (draft: SnapshotDraft) => void,
    otherwise = (_draft: SnapshotDraft): void => {},
  ): void {
    draft.isBusy = true
    run((error) => {
      draft.isBusy = false
      if (error === undefined) then(draft)
      else if (error instanceof GivenUp) {
        otherwise(draft)
        // There is no room for it, and the store closes: it stays as it is.
        if (!draft.isDropped) this.#forget(draft)
      } else this.#fail(error)
      if (this.#drafts.has(draft)) this.#work(draft)
      this.#settle()
    })
  }

  readonly #forget = (draft: SnapshotDraft): void => {
    this.#drafts.delete(draft)
  }

  readonly #installed = (draft: SnapshotDraft): void => {
    this.#drafts.delete(draft)
    if (this.#stopped) return
    const { meta, isOwn } = draft.completion as Completion
    this.#complete.push({ id: draft.id, meta })
    this.#keepLatest()
    if (isOwn) this.#events.onSnapshotSaved(meta)
    else this.#events.onSnapshotReceived(meta)
  }

  /** The best are those that stand for most; of two alike the later one. */
  #keepLatest(): void {
    this.#complete.sort((a, b) => b.meta.index - a.meta.index || b.id - a.id)
    const kept: Complete[] = []
    for (const snapshot of this.#complete) {
      const isRepeated = kept.some(({ meta }) => isSameSnapshot(meta, snapshot.meta))
      if (kept.length < KEPT && !isRepeated) kept.push(snapshot)
      else this.#remove(snapshot.id)
    }
    this.#complete = kept
  }

  #remove(id: SnapshotId): void {
    this.#removing++
    this.#backend.remove(id, (error) => {
      this.#removing--
      if (error !== undefined) this.#fail(error)
      this.#settle()
    })
  }

  get #isIdle(): boolean {
    if (this.#removing > 0) return false
    for (const { isBusy, isDropped, completion, untakenBytes } of this.#drafts) {
      if (isBusy || isDropped || completion !== undefined || untakenBytes > 0) return false
    }
    return true
  }

  #settle(): void {
    if (this.#stopped || this.#isIdle) this.#drained?.resolve()
  }

  #fail(cause: unknown): void {
    if (this.#stopped) return
    this.#stopped = true
    const isTold = RaftError.is(cause, 'STORAGE_FAILED')
    this.#events.onFailed(isTold ? cause : storageFailed(this.#backend.path, cause))
  }
}
