/**
 * Snapshots in files, one for each, that nothing ever writes again once they are complete:
 *
 *     <path>/<group>/own-<id>.draft              one of the node's own that is being taken; worthless after a restart
 *     <path>/<group>/received-<id>.draft         one that is being received: a restart goes on behind what is sound of it
 *     <path>/<group>/<index>-<checksum>.snapshot a complete one; the latest two are kept
 *     <path>/<group>/....snapshot.damaged-<n>    one that was found damaged; nobody reads or removes it
 *
 *     draft ─► sealed ─► flushed ─► read back and verified ─► renamed ─► directory flushed ─► reported
 *
 * Invariants: a file with the name of a complete snapshot was verified, whole, after its flush; what is reported
 * survives a power loss; what is read was checked against its checksums in that very call. A complete file that is
 * found damaged, when the store opens (header, seal, size, name) or by a read (chunks), is moved aside at once: the
 * node goes down by the failed read, and its next start finds the snapshot missing and asks its peers. See docs/adr/0010.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  renameSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type Durability,
  RaftError,
  type SnapshotEvents,
  type SnapshotMeta,
  type SnapshotStore,
} from '@troupe/core'
import { storageFailed } from '../storage-errors.ts'
import { makeDirectory, syncPath } from '../sync-files.ts'
import { markUnsynced, refuseUnsynced, unmarkUnsynced } from '../unsynced-mark.ts'
import {
  ChunkedSnapshotStore,
  type Done,
  type FoundSnapshot,
  GivenUp,
  type SnapshotBackend,
} from './chunked-snapshot-store.ts'
import { realDisk, type SnapshotDisk } from './snapshot-disk.ts'
import type { Completion, SnapshotId } from './snapshot-draft.ts'
import { SnapshotDraftFile } from './snapshot-draft-file.ts'
import {
  type CompleteFile,
  checksumBefore,
  chunksOf,
  damagedAt,
  readAt,
  readComplete,
  scanDraft,
} from './snapshot-file.ts'
import {
  CHUNK_BYTES,
  CHUNK_HEADER_BYTES,
  CHUNK_STRIDE,
  checksumOf,
  chunkedBytes,
  completeName,
  draftName,
  isSoundChunk,
  parseName,
  type SnapshotChunk,
  type SnapshotOwner,
} from './snapshot-format.ts'

/** A complete snapshot that was found damaged. */
export interface DamagedSnapshot {
  /** Where its file is now. */
  readonly path: string
  readonly reason: string
}

export interface FileSnapshotStoreOptions {
  /** Directory of a node's snapshots, of all its groups; made with the first of them. */
  readonly path: string
  /** Whose they are: files of another cluster or group count as damaged. @default no cluster, group 0, not compared */
  readonly identity?: SnapshotOwner | undefined
  /**
   * As the log's: what is reported as saved or received survives a power loss, or the death of the process.
   * With `acked-before-flush` the store is refused after a restart of the machine, unless it was closed before.
   * @default 'flush-before-ack'
   */
  readonly durability?: Exclude<Durability, 'memory'> | undefined
  readonly events: SnapshotEvents
  /** Told of what is moved aside, also while the store opens. */
  readonly onDamaged?: ((damaged: DamagedSnapshot) => void) | undefined
}

/**
 * Opens the SnapshotStore of a group in files. Damaged snapshots are moved aside and count no more.
 * @throws RaftError INVALID_DIRECTORY where a snapshot has another format; STORAGE_FAILED where the directory cannot
 *   be read; STORAGE_DAMAGED where the machine was restarted while nothing was flushed
 */
export function openFileSnapshotStore(options: FileSnapshotStoreOptions): SnapshotStore {
  return openFileSnapshotStoreOn(realDisk, options)
}

/** The same on a disk that may fail on purpose. */
export function openFileSnapshotStoreOn(
  disk: SnapshotDisk,
  options: FileSnapshotStoreOptions,
): SnapshotStore {
  return new ChunkedSnapshotStore(new FileSnapshotBackend(disk, options), options.events, queueMicrotask)
}

/** Chunks that a read checks at a time. */
const READ_CHUNKS = 16

class FileSnapshotBackend implements SnapshotBackend {
  readonly path: string
  readonly found: readonly FoundSnapshot[]
  readonly #disk: SnapshotDisk
  readonly #options: FileSnapshotStoreOptions
  readonly #owner: SnapshotOwner
  readonly #isFlushed: boolean
  readonly #drafts = new Map<SnapshotId, SnapshotDraftFile>()
  readonly #complete = new Map<SnapshotId, CompleteFile>()
  /** Which snapshot a name stands for: one that was taken twice gives its name to the later one. */
  readonly #named = new Map<string, SnapshotId>()
  readonly #inFlight = new Set<Promise<void>>()
  #isPrepared = false
  #isClosing = false
  #buffer = Buffer.alloc(0)

  constructor(disk: SnapshotDisk, options: FileSnapshotStoreOptions) {
    const { path, identity, durability = 'flush-before-ack' } = options
    this.#disk = disk
    this.#options = options
    this.#owner = identity ?? { clusterId: '', group: 0 }
    this.#isFlushed = durability === 'flush-before-ack'
    this.path = join(path, String(this.#owner.group))
    refuseUnsynced(this.path)
    try {
      this.found = existsSync(this.path) ? this.#find() : []
    } catch (error) {
      for (const { file } of this.#complete.values()) closeSync(file)
      throw error instanceof RaftError ? error : storageFailed(this.path, error)
    }
  }

  // ---- at the start

  #find(): FoundSnapshot[] {
    const names = readdirSync(this.path).sort()
    const complete = names.filter((name) => parseName(name)?.kind === 'complete')
    const files = complete.flatMap((name) => this.#openComplete(join(this.path, name)) ?? [])
    const found: FoundSnapshot[] = names.flatMap((name) => this.#takeUp(name) ?? [])
    found.sort((a, b) => a.id - b.id)
    let id = found.at(-1)?.id ?? 0
    for (const file of files) {
      this.#enter(++id, file)
      found.push({ id, meta: file.meta, draft: undefined })
    }
    this.#flushFound(files)
    return found
  }

  #openComplete(path: string): CompleteFile | undefined {
    const file = openSync(path, 'r')
    try {
      return readComplete(file, path, this.#options.identity)
    } catch (error) {
      closeSync(file)
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
      this.#moveAside(path, error)
      return undefined
    }
  }

  /** A draft that is received goes on; one of the node's own cannot. */
  #takeUp(name: string): FoundSnapshot | undefined {
    const parsed = parseName(name)
    if (parsed?.kind !== 'own-draft' && parsed?.kind !== 'received-draft') return undefined
    const path = join(this.path, name)
    const scanned = parsed.kind === 'own-draft' ? undefined : scanDraft(path, this.#options.identity)
    if (scanned === undefined) {
      unlinkSync(path)
      return undefined
    }
    truncateSync(path, scanned.soundBytes)
    const { meta } = scanned
    this.#drafts.set(parsed.id, new SnapshotDraftFile(this.#draftOptions(path, meta), scanned))
    return { id: parsed.id, meta, draft: scanned }
  }

  /**
   * What is visible may have been renamed by a process that was killed before its flush, or written by one that does
   * not flush: from now on the log may be compacted because of it.
   */
  #flushFound(files: readonly CompleteFile[]): void {
    for (const { file } of files) fdatasyncSync(file)
    for (const directory of [this.path, dirname(this.path)]) syncPath(directory)
    unmarkUnsynced(this.path, this.#owner.group)
  }

  // ---- steps

  write(id: SnapshotId, meta: SnapshotMeta | undefined, chunks: readonly SnapshotChunk[], done: Done): void {
    this.#run(() => this.#draft(id, meta, meta === undefined).write(chunks), done)
  }

  install(id: SnapshotId, { meta, isOwn }: Completion, done: Done): void {
    this.#run(async () => {
      const draft = this.#draft(id, isOwn ? undefined : meta, isOwn)
      const complete = await draft.complete(meta)
      const path = join(this.path, completeName(meta))
      try {
        await draft.rename(path)
        if (this.#isFlushed) await this.#disk.flushNames(this.path)
      } catch (error) {
        await this.#disk.close(complete.file)
        throw error
      }
      this.#drafts.delete(id)
      this.#enter(id, { ...complete, path })
    }, done)
  }

  remove(id: SnapshotId, done: Done): void {
    this.#run(async () => {
      const complete = this.#complete.get(id)
      if (complete === undefined) {
        const draft = this.#drafts.get(id)
        this.#drafts.delete(id)
        await draft?.remove()
        return
      }
      const isNamed = this.#leave(id, complete)
      await this.#disk.close(complete.file)
      if (isNamed) await this.#disk.remove(complete.path)
    }, done)
  }

  giveUp(id?: SnapshotId): void {
    if (id !== undefined) {
      this.#drafts.get(id)?.giveUp()
      return
    }
    this.#isClosing = true
    for (const draft of this.#drafts.values()) draft.giveUp()
  }

  #run(step: () => Promise<void>, done: Done): void {
    const running = step().then(
      () => done(),
      (error: unknown) => {
        // An environment's failure names its place; a system call's error does as well.
        done(error instanceof GivenUp || error instanceof RaftError ? error : storageFailed(this.path, error))
      },
    )
    this.#inFlight.add(running)
    void running.finally(() => this.#inFlight.delete(running))
  }

  #draft(id: SnapshotId, meta: SnapshotMeta | undefined, isOwn: boolean): SnapshotDraftFile {
    const known = this.#drafts.get(id)
    if (known !== undefined) return known
    const path = join(this.path, draftName(id, isOwn))
    const draft = new SnapshotDraftFile(this.#draftOptions(path, meta))
    if (this.#isClosing) draft.giveUp()
    this.#drafts.set(id, draft)
    return draft
  }

  #draftOptions(path: string, meta: SnapshotMeta | undefined) {
    const { clusterId, group } = this.#owner
    const header = { clusterId, group, meta }
    const prepare = (): Promise<void> => this.#prepare()
    return { disk: this.#disk, path, header, isFlushed: this.#isFlushed, prepare }
  }

  /** The directory is made with the first snapshot. */
  async #prepare(): Promise<void> {
    if (this.#isPrepared) return
    const isNew = !existsSync(this.path)
    makeDirectory(this.path)
    if (!this.#isFlushed) markUnsynced(this.path, this.#owner.group)
    const above = dirname(this.path)
    if (isNew && this.#isFlushed)
      for (const path of [above, dirname(above)]) await this.#disk.flushNames(path)
    this.#isPrepared = true
  }

  #enter(id: SnapshotId, complete: CompleteFile): void {
    this.#complete.set(id, complete)
    this.#named.set(complete.path, id)
  }

  /** Returns whether the name of the file is still its own. */
  #leave(id: SnapshotId, { path }: CompleteFile): boolean {
    this.#complete.delete(id)
    return this.#named.get(path) === id && this.#named.delete(path)
  }

  // ---- reading

  read(id: SnapshotId, offset: number, size: number): Uint8Array {
    const complete = this.#complete.get(id)
    if (complete === undefined) throw storageFailed(this.path, `snapshot ${id} is not there`)
    const bytes = new Uint8Array(size)
    try {
      for (let filled = 0; filled < size; ) {
        filled += this.#readPiece(complete, offset + filled, bytes.subarray(filled))
      }
      return bytes
    } catch (error) {
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
      closeSync(complete.file)
      if (this.#leave(id, complete)) this.#moveAside(complete.path, error)
      throw error
    }
  }

  /** Fills `target`, or its beginning, from `offset` on; returns how many bytes that were. */
  #readPiece(complete: CompleteFile, offset: number, target: Uint8Array): number {
    const { file, path, meta, headerBytes } = complete
    const first = Math.floor(offset / CHUNK_BYTES)
    const last = Math.floor((offset + target.byteLength - 1) / CHUNK_BYTES)
    const count = Math.min(last - first + 1, READ_CHUNKS)
    const start = first * CHUNK_BYTES
    const length = chunkedBytes(Math.min(count * CHUNK_BYTES, meta.bytes - start))
    if (this.#buffer.byteLength < length) this.#buffer = Buffer.allocUnsafeSlow(length)
    const position = headerBytes + first * CHUNK_STRIDE
    const piece = readAt(file, path, position, this.#buffer.subarray(0, length))
    let previous = checksumBefore(complete, start)
    let at = start
    for (const chunk of chunksOf(piece)) {
      if (!isSoundChunk(chunk, at, previous)) throw damagedAt(path, at)
      previous = checksumOf(chunk)
      const data = chunk.subarray(CHUNK_HEADER_BYTES)
      const from = Math.max(offset - at, 0)
      target.set(data.subarray(from, offset + target.byteLength - at), at + from - offset)
      at += data.byteLength
    }
    return Math.min(at - offset, target.byteLength)
  }

  #moveAside(path: string, { data: { reason } }: RaftError<'STORAGE_DAMAGED'>): void {
    let number = 1
    while (existsSync(`${path}.damaged-${number}`)) number++
    const aside = `${path}.damaged-${number}`
    renameSync(path, aside)
    this.#options.onDamaged?.({ path: aside, reason })
  }

  // ---- at the end

  async close(): Promise<void> {
    this.giveUp()
    await Promise.all(this.#inFlight)
    for (const draft of this.#drafts.values()) await draft.close()
    const files = [...this.#complete.values()]
    if (!this.#isFlushed && this.#isPrepared) {
      for (const { file } of files) await this.#disk.flush(file)
      await this.#disk.flushNames(this.path)
      unmarkUnsynced(this.path, this.#owner.group)
    }
    for (const { file } of files) await this.#disk.close(file)
    this.#complete.clear()
  }
}
