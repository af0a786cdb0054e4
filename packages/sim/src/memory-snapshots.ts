import type { Checksum, SnapshotMeta, SnapshotStore } from '@troupe/core'
import { demand, Violation } from './contract.ts'
import { damage } from './memory-log.ts'

const RULE = 'snapshot store contract'
const KEPT = 2

interface Complete {
  readonly meta: SnapshotMeta
  readonly bytes: Uint8Array
  isFlipped: boolean
}

/** What is being received: the bytes so far, and how many of them a crash leaves. */
interface Partial {
  readonly meta: SnapshotMeta
  readonly bytes: Uint8Array
  length: number
  flushed: number
}

/** Asks the disk for a flush of `bytes`; `done` is called when they are on it, unless the node crashes before. */
export type FlushLater = (bytes: number, done: () => void) => void

/** How a snapshot store reports to the node that owns it. */
export interface SnapshotReports {
  saved(meta: SnapshotMeta): void
  received(meta: SnapshotMeta): void
}

/** Snapshots on a memory disk. Complete ones and what was flushed of a received one survive a crash. */
export class MemorySnapshots implements SnapshotStore {
  readonly #checksum: Checksum
  readonly #flushLater: FlushLater
  readonly #reports: SnapshotReports
  /** Latest first. */
  #complete: Complete[] = []
  #own: { chunks: Uint8Array[]; length: number } | undefined
  #partial: Partial | undefined
  #pendingBytes = 0
  /** What was asked of an earlier life is not reported to the next. */
  #life = 0
  /** Called before a snapshot of its own is handed over whole. */
  finishing: () => void = () => {}

  constructor(checksum: Checksum, flushLater: FlushLater, reports: SnapshotReports) {
    this.#checksum = checksum
    this.#flushLater = flushLater
    this.#reports = reports
  }

  get latest(): SnapshotMeta | undefined {
    return this.#complete[0]?.meta
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Whether a part of one has come. */
  get isReceiving(): boolean {
    return this.#partial !== undefined
  }

  /** Whether the latest one has a flipped bit. */
  get isDamaged(): boolean {
    return this.#complete[0]?.isFlipped === true
  }

  read(index: number, checksum: number, offset: number, maxBytes: number): Uint8Array | undefined {
    const found = this.#complete.find(({ meta }) => meta.index === index && meta.checksum === checksum)
    if (found === undefined) return undefined
    if (found.isFlipped) throw damage(`the snapshot at ${index} does not fit its checksum`)
    return found.bytes.subarray(offset, offset + maxBytes)
  }

  // ---- own

  begin(): void {
    this.#own = { chunks: [], length: 0 }
  }

  write(data: Uint8Array): void {
    demand(this.#own !== undefined, RULE, () => 'write before begin')
    this.#own.chunks.push(data.slice())
    this.#own.length += data.byteLength
    this.#flush(data.byteLength, () => {})
  }

  finish(meta: SnapshotMeta): void {
    const own = this.#own
    demand(own !== undefined, RULE, () => 'finish before begin')
    this.finishing()
    this.#own = undefined
    const bytes = joined(own.chunks, own.length)
    const fits = meta.bytes === own.length && meta.checksum === this.#checksum(bytes)
    demand(fits, RULE, () => `finish of ${meta.bytes} bytes, ${own.length} written, or another checksum`)
    this.#flush(0, () => {
      this.#add(meta, bytes)
      this.#reports.saved(meta)
    })
  }

  abort(): void {
    this.#own = undefined
  }

  // ---- received

  received(meta: SnapshotMeta): number {
    return isSame(this.#partial?.meta, meta) ? (this.#partial as Partial).length : 0
  }

  receive(meta: SnapshotMeta, offset: number, data: Uint8Array): void {
    if (!isSame(this.#partial?.meta, meta)) {
      this.#partial = { meta, bytes: new Uint8Array(meta.bytes), length: 0, flushed: 0 }
    }
    const partial = this.#partial as Partial
    if (offset !== partial.length || offset + data.byteLength > meta.bytes) return
    partial.bytes.set(data, offset)
    partial.length += data.byteLength
    const { length } = partial
    this.#flush(data.byteLength, () => {
      partial.flushed = Math.max(partial.flushed, length)
      if (length === meta.bytes && this.#partial === partial) this.#completeReceived(partial)
    })
  }

  #completeReceived({ meta, bytes }: Partial): void {
    this.#partial = undefined
    if (this.#checksum(bytes) !== meta.checksum) return
    this.#add(meta, bytes)
    this.#reports.received(meta)
  }

  #add(meta: SnapshotMeta, bytes: Uint8Array): void {
    const later = this.#complete.filter((one) => one.meta.index > meta.index)
    const earlier = this.#complete.filter((one) => one.meta.index < meta.index)
    this.#complete = [...later, { meta, bytes, isFlipped: false }, ...earlier].slice(0, KEPT)
  }

  #flush(bytes: number, done: () => void): void {
    this.#pendingBytes += bytes
    const life = this.#life
    this.#flushLater(bytes, () => {
      if (life !== this.#life) return
      this.#pendingBytes -= bytes
      done()
    })
  }

  close(): never {
    throw new Violation(RULE, 'a store in memory is not closed')
  }

  // ---- what happens to it

  /** Loses what is not flushed. */
  crash(): void {
    this.#life++
    this.#own = undefined
    this.#pendingBytes = 0
    if (this.#partial !== undefined) this.#partial.length = this.#partial.flushed
  }

  /** Flips a bit of the latest snapshot: the next read of it throws. False where there is none. */
  flip(): boolean {
    const [latest] = this.#complete
    if (latest === undefined || latest.isFlipped) return false
    latest.isFlipped = true
    return true
  }

  /** What opening finds damaged is dropped: an earlier one stands in for it, or the peers have to. */
  open(): void {
    while (this.isDamaged) this.#complete.shift()
  }
}

const isSame = (left: SnapshotMeta | undefined, right: SnapshotMeta): boolean =>
  left !== undefined &&
  left.index === right.index &&
  left.checksum === right.checksum &&
  left.bytes === right.bytes

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
