import { crc32 } from 'node:zlib'
import type { SnapshotMeta } from '@troupe/core'
import { CHUNK_BYTES, type SnapshotChunk } from './snapshot-format.ts'

/** Identifies a snapshot in its store while that is open, and a draft's file beyond. */
export type SnapshotId = number

/** What is to be written next of a draft. */
export interface DraftWrite {
  /** Consecutive; the first may be one that was written before, shorter. Not changed until it is written. */
  readonly chunks: readonly SnapshotChunk[]
  /** How many bytes come in addition to those that were written before. */
  readonly newBytes: number
}

/** How a snapshot ends that has all its bytes. */
export interface Completion {
  readonly meta: SnapshotMeta
  readonly isOwn: boolean
}

/** What an earlier start has left of a received snapshot. */
export interface StoredDraft {
  readonly bytes: number
  readonly checksum: number
  /** Data of the last chunk, where that is not full. */
  readonly tail: Uint8Array
}

const NOTHING: StoredDraft = { bytes: 0, checksum: 0, tail: new Uint8Array(0) }

/** A snapshot that grows: cuts what is appended into chunks, and copies it on the way. */
export class SnapshotDraft {
  readonly id: SnapshotId
  /** Of a snapshot that is received. */
  readonly meta: SnapshotMeta | undefined
  /** Bytes appended so far, and their CRC-32. */
  bytes: number
  checksum: number
  completion: Completion | undefined
  /** Nobody wants it any more: when nothing of it is being written, it is removed. */
  isDropped = false
  /** Whether the backend is at work on it. */
  isBusy = false
  #full: SnapshotChunk[] = []
  #tail: Uint8Array | undefined
  /** Bytes in the tail. */
  #fill: number
  #taken: number

  constructor(id: SnapshotId, meta: SnapshotMeta | undefined, stored: StoredDraft = NOTHING) {
    this.id = id
    this.meta = meta
    this.bytes = stored.bytes
    this.checksum = stored.checksum
    this.#taken = stored.bytes
    this.#fill = stored.tail.byteLength
    if (this.#fill === 0) return
    this.#tail = new Uint8Array(CHUNK_BYTES)
    this.#tail.set(stored.tail)
  }

  /** Bytes that were not taken to be written yet. */
  get untakenBytes(): number {
    return this.bytes - this.#taken
  }

  append(data: Uint8Array): void {
    this.checksum = crc32(data, this.checksum)
    for (let from = 0; from < data.byteLength; ) {
      this.#tail ??= new Uint8Array(CHUNK_BYTES)
      const piece = data.subarray(from, from + CHUNK_BYTES - this.#fill)
      this.#tail.set(piece, this.#fill)
      this.#fill += piece.byteLength
      this.bytes += piece.byteLength
      from += piece.byteLength
      if (this.#fill < CHUNK_BYTES) return
      this.#full.push({ offset: this.bytes - CHUNK_BYTES, data: this.#tail })
      this.#tail = undefined
      this.#fill = 0
    }
  }

  /**
   * What was appended since the last call; undefined where that is nothing. A chunk that is not full is written as it
   * is and once more when it has grown: only bytes behind those that are being written are added to it.
   */
  take(): DraftWrite | undefined {
    const newBytes = this.untakenBytes
    if (newBytes === 0) return undefined
    const chunks = this.#full
    if (this.#tail !== undefined) {
      chunks.push({ offset: this.bytes - this.#fill, data: this.#tail.subarray(0, this.#fill) })
    }
    this.#full = []
    this.#taken = this.bytes
    return { chunks, newBytes }
  }

  /** Forgets what was not taken. */
  drop(): void {
    this.isDropped = true
    this.bytes = this.#taken
    this.#full = []
    this.#tail = undefined
  }
}
