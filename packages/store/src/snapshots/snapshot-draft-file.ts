import { RaftError, type SnapshotMeta } from '@troupe/core'
import { storageFailed } from '../storage-errors.ts'
import { type SnapshotDisk, whenSpace } from './snapshot-disk.ts'
import { type CompleteFile, readComplete, type ScannedDraft, verifyChunks } from './snapshot-file.ts'
import {
  CHUNK_BYTES,
  CHUNK_STRIDE,
  checksumOf,
  checksumOfHeader,
  chunkedBytes,
  encodeChunkHeader,
  encodeHeader,
  encodeSeal,
  isSameSnapshot,
  type SnapshotChunk,
  type SnapshotHeader,
  type SnapshotOwner,
} from './snapshot-format.ts'

/** Written bytes that wait for a flush at most: one flush of everything at the end would hold up all other writers. */
const FLUSH_BYTES = 8 << 20

export interface DraftFileOptions {
  readonly disk: SnapshotDisk
  readonly path: string
  readonly header: Omit<SnapshotHeader, 'nonce'>
  /** Whether anything is flushed. */
  readonly isFlushed: boolean
  /** Makes the directory, before the file is opened. */
  prepare(): Promise<void>
}

/** The file that a snapshot grows in. Its steps are called one after another. */
export class SnapshotDraftFile {
  readonly path: string
  readonly #options: DraftFileOptions
  readonly #owner: SnapshotOwner
  /** Undefined in a file that has one. */
  readonly #header: Buffer | undefined
  readonly #headerBytes: number
  readonly #givenUp = new AbortController()
  #file: number | undefined
  /** Whether the file bears its header. */
  #isBegun: boolean
  /** Checksums of the last chunk, and of the last one that is full: it is written once only. */
  #last: number
  #lastFull: number
  #unflushedBytes = 0

  /** @param found what an earlier start has left; its file ends behind that */
  constructor(options: DraftFileOptions, found?: ScannedDraft) {
    this.path = options.path
    this.#options = options
    this.#owner = found?.header.header ?? options.header
    this.#isBegun = found !== undefined
    if (found === undefined) {
      this.#header = encodeHeader(options.header)
      this.#headerBytes = this.#header.byteLength
      this.#last = checksumOfHeader(this.#header)
      this.#lastFull = this.#last
    } else {
      this.#headerBytes = found.header.headerBytes
      this.#last = found.last
      this.#lastFull = found.lastFull
    }
  }

  /** From now on a step that waits for space fails with GivenUp. */
  giveUp(): void {
    this.#givenUp.abort()
  }

  async write(chunks: readonly SnapshotChunk[]): Promise<void> {
    const buffers: Uint8Array[] = []
    for (const chunk of chunks) {
      const header = encodeChunkHeader(chunk, this.#lastFull)
      this.#last = checksumOf(header)
      if (chunk.data.byteLength === CHUNK_BYTES) this.#lastFull = this.#last
      buffers.push(header, chunk.data)
    }
    const first = chunks[0]?.offset ?? 0
    await this.#put(buffers, this.#headerBytes + (first / CHUNK_BYTES) * CHUNK_STRIDE)
    if (this.#unflushedBytes >= FLUSH_BYTES) await this.#flush()
  }

  /**
   * Seals and flushes the file, opens it for reading and verifies it.
   * @throws RaftError STORAGE_FAILED where what is read back is not what was written; GivenUp
   */
  async complete(meta: SnapshotMeta): Promise<CompleteFile> {
    const { disk } = this.#options
    const end = this.#headerBytes + chunkedBytes(meta.bytes)
    await this.#put([encodeSeal(meta, this.#last)], end)
    await this.#flush()
    await this.close()
    const file = await disk.open(this.path)
    try {
      const complete = readComplete(file, this.path, this.#owner)
      await verifyChunks(complete, disk)
      if (isSameSnapshot(complete.meta, meta)) return complete
      throw storageFailed(this.path, 'another snapshot is read back than was written')
    } catch (error) {
      await disk.close(file)
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
      throw storageFailed(this.path, `what is read back is not what was written: ${error.message}`)
    }
  }

  /** Gives the file the name of a complete one. */
  async rename(path: string): Promise<void> {
    await whenSpace(() => this.#options.disk.rename(this.path, path), this.#givenUp.signal)
  }

  async remove(): Promise<void> {
    await this.close()
    await this.#options.disk.remove(this.path)
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    if (file !== undefined) await this.#options.disk.close(file)
  }

  /** Writes at a place, as often as it takes: what a failed write has left there is overwritten. */
  async #put(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const { disk, prepare } = this.#options
    const isFirst = !this.#isBegun && this.#header !== undefined
    const all = isFirst ? [this.#header, ...buffers] : buffers
    const from = isFirst ? 0 : position
    const write = async (): Promise<void> => {
      await prepare()
      this.#file ??= await disk.create(this.path, this.#isBegun)
      await disk.write(this.#file, all, from)
    }
    await whenSpace(write, this.#givenUp.signal)
    this.#isBegun = true
    for (const { byteLength } of all) this.#unflushedBytes += byteLength
  }

  async #flush(): Promise<void> {
    const { disk, isFlushed } = this.#options
    this.#unflushedBytes = 0
    if (isFlushed && this.#file !== undefined) await disk.flush(this.#file)
  }
}
