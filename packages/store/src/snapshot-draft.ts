import { crc32 } from 'node:zlib'
import type { SnapshotMeta } from '@troupe/core'
import {
  CHUNK_DATA_BYTES,
  CHUNK_HEADER_BYTES,
  type SnapshotId,
  type StoredChunk,
  sealChunk,
} from './snapshot-records.ts'

/** A snapshot that grows: cuts what is appended into chunks, and copies it on the way. */
export class SnapshotDraft {
  readonly id: SnapshotId
  /** Of a snapshot that is received. */
  readonly meta: SnapshotMeta | undefined
  /** Bytes appended so far, and their CRC-32. */
  bytes: number
  checksum: number
  /** Bytes that the latest record tells of, if there is one. */
  recordedBytes: number
  #buffer: Uint8Array | undefined
  #fill = 0

  /** @param stored what an earlier start of the node has left of it */
  constructor(
    id: SnapshotId,
    meta: SnapshotMeta | undefined,
    stored: { readonly bytes: number; readonly checksum: number } = { bytes: 0, checksum: 0 },
  ) {
    this.id = id
    this.meta = meta
    this.bytes = stored.bytes
    this.checksum = stored.checksum
    this.recordedBytes = stored.bytes
  }

  /** Bytes that are in no chunk yet. */
  get unsealedBytes(): number {
    return this.#fill
  }

  /** Full chunks go to `chunks`, the rest waits for more, or for `seal`. */
  append(data: Uint8Array, chunks: StoredChunk[]): void {
    this.checksum = crc32(data, this.checksum)
    for (let from = 0; from < data.byteLength; ) {
      this.#buffer ??= new Uint8Array(CHUNK_HEADER_BYTES + CHUNK_DATA_BYTES)
      const piece = data.subarray(from, from + CHUNK_DATA_BYTES - this.#fill)
      this.#buffer.set(piece, CHUNK_HEADER_BYTES + this.#fill)
      this.#fill += piece.byteLength
      this.bytes += piece.byteLength
      from += piece.byteLength
      if (this.#fill === CHUNK_DATA_BYTES) this.seal(chunks)
    }
  }

  /** Makes a chunk of what has gathered. */
  seal(chunks: StoredChunk[]): void {
    const buffer = this.#buffer
    if (buffer === undefined || this.#fill === 0) return
    const isFull = this.#fill === CHUNK_DATA_BYTES
    // A short chunk gets memory of its own size: a store in memory keeps it.
    const value = isFull ? buffer : buffer.slice(0, CHUNK_HEADER_BYTES + this.#fill)
    chunks.push(sealChunk(this.id, this.bytes - this.#fill, value))
    if (isFull) this.#buffer = undefined
    this.#fill = 0
  }
}
