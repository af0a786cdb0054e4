/**
 * The witness: what a log remembers of itself outside of its segments, so that one that was lost, damaged or put back
 * from an older copy is noticed, and its vote survives it.
 *
 * A file of three slots of 4 KiB, written in turn, each with a counter and a checksum: a write that is torn leaves the two
 * before it. It is overwritten in place, so that it needs no room on a full disk. It is written where term or vote
 * change, beside the segment's own flush, and otherwise so seldom that it costs nothing.
 *
 * Invariants: it never claims what is not on the disk, so `knownIndex` is lowered *before* entries are taken away and raised
 * after they are flushed; and what bounds the log (`boundIndex`, `newestSequence`) is on the disk before anybody is
 * told of what it bounds.
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  openSync,
  readSync,
  write,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import type { HardState, LogPosition } from '@troupe/core'
import { storageDamaged } from '../storage-errors.ts'
import { syncPath } from '../sync-files.ts'
import { LOG_FORMAT, type LogOwner, type SegmentPlace } from './segment-records.ts'

export interface Remembered {
  readonly owner: LogOwner
  readonly hardState: HardState
  readonly base: LogPosition
  /** The log reached at least to here: flushed, and not taken back since. */
  readonly knownIndex: number
  /** No entry beyond this was ever written. */
  readonly boundIndex: number
  /** The highest sequence that a segment with entries may have. */
  readonly newestSequence: number
  /** A segment that begins before the end of the one before it: what it shadows must not come back if it is lost. */
  readonly shadowing: SegmentPlace | undefined
}

const SLOTS = 3
const SLOT_BYTES = 4096
const PREFIX_BYTES = 8

const writeAt = promisify(write)
const flush = promisify(fdatasync)

export class Witness {
  readonly #file: number
  readonly #isFlushed: boolean
  #count: number
  #current: Remembered
  #writing: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param isFlushed false leaves flushing to the operating system */
  private constructor(file: number, count: number, current: Remembered, isFlushed: boolean) {
    this.#file = file
    this.#count = count
    this.#current = current
    this.#isFlushed = isFlushed
  }

  /**
   * Opens the file, or makes it.
   * @param initial what it says where there was none, or none that could be read
   */
  static open(
    path: string,
    found: FoundWitness | undefined,
    initial: Remembered,
    isFlushed: boolean,
  ): Witness {
    const isNew = !existsSync(path)
    const file = openSync(path, isNew ? 'wx+' : 'r+')
    const witness = new Witness(file, found?.count ?? 0, found?.remembered ?? initial, isFlushed)
    if (isNew) writeSync(file, new Uint8Array(SLOTS * SLOT_BYTES), 0, SLOTS * SLOT_BYTES, 0)
    if (found === undefined) witness.rememberNow({})
    if (isNew) syncPath(dirname(path))
    return witness
  }

  get current(): Remembered {
    return this.#current
  }

  /** Resolves when it is on the disk; changes that come while an earlier one is written go together. */
  remember(change: Partial<Remembered>): Promise<void> {
    this.#current = { ...this.#current, ...change }
    this.#next ??= this.#afterThis()
    return this.#next
  }

  async #afterThis(): Promise<void> {
    await this.#writing
    this.#writing = this.#next
    this.#next = undefined
    const { bytes, position } = this.#slot()
    await writeAt(this.#file, bytes, 0, bytes.byteLength, position)
    if (this.#isFlushed) await flush(this.#file)
  }

  /** On the disk when it returns. */
  rememberNow(change: Partial<Remembered>): void {
    this.#current = { ...this.#current, ...change }
    const { bytes, position } = this.#slot()
    writeSync(this.#file, bytes, 0, bytes.byteLength, position)
    if (this.#isFlushed) fdatasyncSync(this.#file)
  }

  /** The next slot, and what goes there. */
  #slot(): { bytes: Uint8Array; position: number } {
    this.#count += 1
    const text = Buffer.from(JSON.stringify({ ...this.#current, format: LOG_FORMAT, count: this.#count }))
    const bytes = Buffer.alloc(SLOT_BYTES)
    bytes.writeUInt32LE(crc32(text), 0)
    bytes.writeUInt32LE(text.byteLength, 4)
    text.copy(bytes, PREFIX_BYTES)
    return { bytes, position: (this.#count % SLOTS) * SLOT_BYTES }
  }

  async close(): Promise<void> {
    // Who waits for them is told; here only the file must not be closed under them.
    await Promise.allSettled([this.#writing, this.#next])
    closeSync(this.#file)
  }
}

export interface FoundWitness {
  readonly count: number
  readonly remembered: Remembered
}

/**
 * The latest sound slot; undefined where there is none, or no file. Writes nothing.
 * @throws RaftError STORAGE_DAMAGED where it is of another format
 */
export function readWitness(path: string): FoundWitness | undefined {
  if (!existsSync(path)) return undefined
  const bytes = Buffer.alloc(SLOTS * SLOT_BYTES)
  const file = openSync(path, 'r')
  try {
    readSync(file, bytes, 0, bytes.byteLength, 0)
  } finally {
    closeSync(file)
  }
  let latest: FoundWitness | undefined
  for (let at = 0; at < SLOTS; at++) {
    const slot = decodeSlot(bytes.subarray(at * SLOT_BYTES, (at + 1) * SLOT_BYTES))
    if (slot === undefined) continue
    if (slot.format !== LOG_FORMAT)
      throw storageDamaged(path, `it has format ${slot.format}, not ${LOG_FORMAT}`)
    const { count, format: _, ...remembered } = slot
    if (latest !== undefined && count < latest.count) continue
    latest = { count, remembered: { ...remembered, shadowing: remembered.shadowing } }
  }
  return latest
}

function decodeSlot(slot: Buffer): (Remembered & { format: number; count: number }) | undefined {
  const length = slot.readUInt32LE(4)
  if (length > SLOT_BYTES - PREFIX_BYTES) return undefined
  const text = slot.subarray(PREFIX_BYTES, PREFIX_BYTES + length)
  if (crc32(text) !== slot.readUInt32LE(0)) return undefined
  if (length === 0) return undefined
  return JSON.parse(text.toString())
}
