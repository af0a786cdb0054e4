/**
 * The bytes of messages: written one behind the other into segments, which are dropped when nobody needs a byte of them.
 *
 *     append ─► open segment (in memory) ─ full ─► sealed: in the space, never changed ─ nothing alive ─► dropped
 *                       ▲                               │
 *                       └────── survivors, copied ──────┘  where more is dead than alive
 *
 * So one old message does not pin a segment, and what is kept is at most about twice what is alive. Where a message's bytes lie is
 * decided by the commands alone: it is the same on every replica.
 *
 *     record   u32 slot, u32 bytes, then the bytes, up to a multiple of 16
 *     address  segment * units of a segment + offset, in units of 16 bytes: 32 bits reach 64 GiB. 0 is nobody's
 */
import { invariant, type SegmentSpace } from '@troupe/core'
import { damagedState } from '../chunk-frames.ts'
import { copyBytes, type ViewedBytes, viewed } from '../viewed-bytes.ts'
import { holdsBytes } from './messages.ts'

const UNIT_BYTES = 16
const HEADER_BYTES = 8
export const DEFAULT_SEGMENT_BYTES = 4 << 20
/** Dead bytes that are not worth the copying. */
const SLACK_SEGMENTS = 2

export interface Segment {
  /** Bytes of its records; 0 in one that is not there. */
  endBytes: number
  aliveBytes: number
}

/** Who has which bytes, and is told where they are now. */
export interface Owners {
  readonly words: { readonly length: number; get(address: number): number }
  moved(slot: number, from: number, to: number): void
}

export const recordBytes = (bytes: number): number => (HEADER_BYTES + bytes + UNIT_BYTES - 1) & -UNIT_BYTES

export class Payloads {
  readonly segmentBytes: number
  readonly #space: SegmentSpace
  readonly #owners: Owners
  #segments: Segment[] = []
  /** Numbers of dropped segments, to be used again: the last first. */
  #freed: number[] = []
  #open = 0
  readonly #tail: ViewedBytes
  #sealedBytes = 0
  #aliveBytes = 0
  #isCompacting = false

  constructor(space: SegmentSpace, owners: Owners, segmentBytes: number = DEFAULT_SEGMENT_BYTES) {
    this.#space = space
    this.#owners = owners
    this.segmentBytes = segmentBytes
    this.#tail = viewed(new Uint8Array(segmentBytes))
    this.#segments.push({ endBytes: UNIT_BYTES, aliveBytes: 0 })
    // Nobody's unit, so that no address is 0.
    writeHeader(this.#tail, 0, 0, UNIT_BYTES - HEADER_BYTES)
  }

  /** Bytes of records that somebody has. */
  get aliveBytes(): number {
    return this.#aliveBytes
  }

  /** Bytes of all segments. */
  get keptBytes(): number {
    return this.#sealedBytes + this.#openSegment.endBytes
  }

  /** Whether addresses for so many more bytes are there for certain. */
  hasRoomFor(bytes: number): boolean {
    const most = Math.floor((0x100000000 * UNIT_BYTES) / this.segmentBytes)
    return this.#segments.length - this.#freed.length + 2 * Math.ceil(bytes / this.segmentBytes) + 4 < most
  }

  get #openSegment(): Segment {
    return this.#segments[this.#open] as Segment
  }

  /** Copies bytes `start` to `end` of `source`; returns their address. */
  append(slot: number, source: ViewedBytes, start: number, end: number): number {
    const size = recordBytes(end - start)
    invariant(size <= this.segmentBytes - UNIT_BYTES, `a record of ${size} bytes`)
    // Again, where survivors have filled the new one meanwhile.
    while (this.#openSegment.endBytes + size > this.segmentBytes) this.#seal()
    const segment = this.#openSegment
    const offset = segment.endBytes
    writeHeader(this.#tail, offset, slot, end - start)
    copyBytes(source, start, end, this.#tail, offset + HEADER_BYTES)
    // What was in the buffer before differs from replica to replica, and is saved with the record.
    const { bytes } = this.#tail
    for (let at = offset + HEADER_BYTES + end - start; at < offset + size; at++) bytes[at] = 0
    segment.endBytes += size
    segment.aliveBytes += size
    this.#aliveBytes += size
    return (this.#open * this.segmentBytes + offset) / UNIT_BYTES
  }

  /** A view that is valid until the next call. */
  read(address: number, bytes: number): Uint8Array {
    const at = address * UNIT_BYTES
    const number = Math.floor(at / this.segmentBytes)
    const offset = (at % this.segmentBytes) + HEADER_BYTES
    if (number === this.#open) return this.#tail.bytes.subarray(offset, offset + bytes)
    return this.#space.read(number, offset, bytes)
  }

  free(address: number, bytes: number): void {
    const number = Math.floor((address * UNIT_BYTES) / this.segmentBytes)
    const segment = this.#segments[number] as Segment
    const size = recordBytes(bytes)
    segment.aliveBytes -= size
    this.#aliveBytes -= size
    if (segment.aliveBytes === 0 && number !== this.#open) this.#drop(number, segment)
  }

  #drop(number: number, segment: Segment): void {
    this.#space.drop(number)
    this.#sealedBytes -= segment.endBytes
    segment.endBytes = 0
    this.#freed.push(number)
  }

  #seal(): void {
    const segment = this.#openSegment
    const number = this.#open
    this.#space.put(number, this.#tail.bytes.subarray(0, segment.endBytes))
    this.#sealedBytes += segment.endBytes
    const next = this.#freed.pop() ?? this.#segments.length
    this.#open = next
    this.#segments[next] = { endBytes: UNIT_BYTES, aliveBytes: 0 }
    writeHeader(this.#tail, 0, 0, UNIT_BYTES - HEADER_BYTES)
    if (segment.aliveBytes === 0) this.#drop(number, segment)
    this.#compact()
  }

  /** Copies the survivors of the segments with the fewest, until more is alive than dead. */
  #compact(): void {
    if (this.#isCompacting) return
    this.#isCompacting = true
    while (this.#sealedBytes > 2 * this.#aliveBytes + SLACK_SEGMENTS * this.segmentBytes) {
      const number = this.#emptiest()
      if (number === undefined) break
      this.#copySurvivors(number)
    }
    this.#isCompacting = false
  }

  /** There are a few hundred segments, and one more each few thousand messages: looking at all of them costs nothing. */
  #emptiest(): number | undefined {
    let least: number | undefined
    let leastShare = 0.5
    for (const [number, { endBytes, aliveBytes }] of this.#segments.entries()) {
      if (endBytes === 0 || number === this.#open || aliveBytes / endBytes >= leastShare) continue
      least = number
      leastShare = aliveBytes / endBytes
    }
    return least
  }

  #copySurvivors(number: number): void {
    const segment = this.#segments[number] as Segment
    // A copy, for what is appended may be written to the space meanwhile.
    const all = viewed(new Uint8Array(this.#space.read(number, 0, segment.endBytes)))
    const { words } = this.#owners
    for (const [offset, slot, bytes] of recordsOf(all, segment.endBytes)) {
      const from = (number * this.segmentBytes + offset) / UNIT_BYTES
      if (!holdsBytes(words, slot, from)) continue
      const start = offset + HEADER_BYTES
      this.#owners.moved(slot, from, this.append(slot, all, start, start + bytes))
      this.free(from, bytes)
    }
  }

  close(): void {
    this.#space.close()
  }

  // ---- saves

  /** What a saved state says of the segments. */
  get directory(): PayloadDirectory {
    const segments = this.#segments.map(({ endBytes, aliveBytes }) => [endBytes, aliveBytes] as const)
    return [this.segmentBytes, this.#open, this.#freed.slice(), segments]
  }

  /**
   * Holds the bytes as they are now.
   * @param isView whether commands go on meanwhile
   */
  hold(isView: boolean): HeldPayloads {
    return this.#hold(this.#held(isView))
  }

  /** Only what is in memory. */
  holdOpen(): HeldPayloads {
    return this.#hold([this.#heldTail(false)])
  }

  #hold(held: readonly HeldSegment[]): HeldPayloads {
    const { segmentBytes } = this
    return {
      *runs(words) {
        for (const { number, endBytes, read } of held)
          yield* runsOf(number, read(), endBytes, words, segmentBytes)
        return undefined
      },
      close() {
        for (const { close } of held) close()
      },
    }
  }

  #held(isView: boolean): HeldSegment[] {
    const held: HeldSegment[] = []
    for (const [number, { endBytes }] of this.#segments.entries()) {
      if (endBytes === 0) continue
      if (number === this.#open) {
        held.push(this.#heldTail(isView))
        continue
      }
      const view = this.#space.view(number)
      const read = isView ? () => new Uint8Array(view.read()) : () => view.read()
      held.push({ number, endBytes, read, close: () => view.close() })
    }
    return held
  }

  #heldTail(isView: boolean): HeldSegment {
    const { endBytes } = this.#openSegment
    const tail = this.#tail.bytes.subarray(0, endBytes)
    const bytes = isView ? new Uint8Array(tail) : tail
    return { number: this.#open, endBytes, read: () => bytes, close: () => {} }
  }

  /**
   * Begins to take in what a saved state has: into this object, which must be new.
   * @param isInPlace whether the sealed segments are in the space already
   * @throws RaftError STORAGE_DAMAGED where they are not
   */
  beginRestore(directory: PayloadDirectory, isInPlace: boolean): PayloadLoader {
    const [segmentBytes, open, freed, segments] = directory
    invariant(segmentBytes === this.segmentBytes, `segments of ${segmentBytes} bytes`)
    this.#open = open
    this.#freed = [...freed]
    this.#segments = segments.map(([endBytes, aliveBytes]) => ({ endBytes, aliveBytes }))
    this.#aliveBytes = segments.reduce((sum, [, aliveBytes]) => sum + aliveBytes, 0)
    const keptBytes = segments.reduce((sum, [endBytes]) => sum + endBytes, 0)
    this.#sealedBytes = keptBytes - this.#openSegment.endBytes
    if (isInPlace) this.#checkSealed()
    return new PayloadLoader(directory, (number, bytes) => {
      if (number === open) this.#tail.bytes.set(bytes)
      else if (!isInPlace) this.#space.put(number, bytes)
    })
  }

  #checkSealed(): void {
    for (const [number, { endBytes }] of this.#segments.entries()) {
      if (number === this.#open) continue
      const found = this.#space.bytesOf(number) ?? 0
      if (found !== endBytes) throw damagedState(`segment ${number} has ${found} bytes, not ${endBytes}`)
    }
  }
}

interface HeldSegment {
  readonly number: number
  readonly endBytes: number
  read(): Uint8Array
  close(): void
}

/** The bytes of a view. */
export interface HeldPayloads {
  /** The records that are alive by the words of the same view, in runs. */
  runs(words: Owners['words']): Generator<PayloadRun, undefined, undefined>
  /** Idempotent. */
  close(): void
}

export type PayloadDirectory = readonly [
  segmentBytes: number,
  open: number,
  freed: readonly number[],
  segments: readonly (readonly [endBytes: number, aliveBytes: number])[],
]

/** Records in a row. Valid until the next one is asked for. */
export interface PayloadRun {
  readonly segment: number
  readonly offset: number
  readonly bytes: Uint8Array
}

const RUN_BYTES = 64 << 10

function writeHeader({ view }: ViewedBytes, offset: number, slot: number, bytes: number): void {
  view.setUint32(offset, slot, true)
  view.setUint32(offset + 4, bytes, true)
}

function* recordsOf(
  { view }: ViewedBytes,
  endBytes: number,
): Generator<readonly [offset: number, slot: number, bytes: number], undefined, undefined> {
  for (let offset = 0; offset < endBytes; ) {
    const bytes = view.getUint32(offset + 4, true)
    yield [offset, view.getUint32(offset, true), bytes]
    offset += recordBytes(bytes)
  }
  return undefined
}

function* runsOf(
  segment: number,
  all: Uint8Array,
  endBytes: number,
  words: Owners['words'],
  segmentBytes: number,
): Generator<PayloadRun, undefined, undefined> {
  let start = 0
  let end = 0
  for (const [offset, slot, bytes] of recordsOf(viewed(all), endBytes)) {
    if (!holdsBytes(words, slot, (segment * segmentBytes + offset) / UNIT_BYTES)) continue
    if (offset !== end || end - start >= RUN_BYTES) {
      if (end > start) yield { segment, offset: start, bytes: all.subarray(start, end) }
      start = offset
    }
    end = offset + recordBytes(bytes)
  }
  if (end > start) yield { segment, offset: start, bytes: all.subarray(start, end) }
  return undefined
}

/** Puts segments together again: what was dead in them is a record of nobody. */
export class PayloadLoader {
  readonly #directory: PayloadDirectory
  readonly #put: (segment: number, bytes: Uint8Array) => void
  readonly #bytes: ViewedBytes
  #segment = -1
  #end = 0

  constructor(directory: PayloadDirectory, put: (segment: number, bytes: Uint8Array) => void) {
    this.#directory = directory
    this.#put = put
    this.#bytes = viewed(new Uint8Array(directory[0]))
  }

  run({ segment, offset, bytes }: PayloadRun): void {
    if (segment !== this.#segment) this.#complete(segment)
    this.#fill(offset)
    this.#bytes.bytes.set(bytes, offset)
    this.#end = offset + bytes.byteLength
  }

  end(): void {
    this.#complete(this.#directory[3].length)
  }

  /** Ends the segment under way, and those of which nothing is alive, up to `next`. */
  #complete(next: number): void {
    for (; this.#segment < next; this.#segment++) {
      const [endBytes = 0] = this.#directory[3][this.#segment] ?? []
      this.#fill(endBytes)
      if (endBytes > 0) this.#put(this.#segment, this.#bytes.bytes.subarray(0, endBytes))
      this.#end = 0
    }
  }

  #fill(to: number): void {
    if (to > this.#end) writeHeader(this.#bytes, this.#end, 0, to - this.#end - HEADER_BYTES)
  }
}
