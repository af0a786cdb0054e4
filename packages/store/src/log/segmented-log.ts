/**
 * The segments of an open log: which one an index stands in, which is written, which is made ahead.
 *
 *     0001 [1..]   0002 [801..]   0004 [1600..]   0005
 *     └ compacted: └ sealed       └ active:       └ made ahead: begun when the active one is full,
 *       unlinked                    written         and by a truncation or a reset before it
 *
 * Invariants: the segments' first indexes rise; each counts up to where the next begins; the active one is the last. A
 * sequence is used once.
 */
import { type Durability, invariant } from '@troupe/core'
import { demandSpace } from '../disk-space.ts'
import { Segment } from './segment.ts'
import type { LogOwner, SegmentPlace } from './segment-records.ts'

export interface SegmentedLogOptions {
  /** The directory of the group's log. */
  readonly path: string
  readonly owner: LogOwner
  readonly durability: Exclude<Durability, 'memory'>
  /** Record bytes after which the next segment is begun. */
  readonly segmentBytes: number
  /** Entries after which the next segment is begun, however small they are. */
  readonly segmentEntries: number
}

/** A segment that counts, as a scan found it; the oldest comes first. */
export type FoundPlace = SegmentPlace & Pick<Segment, 'bytes' | 'entryCount'>

export class SegmentedLog {
  readonly #options: SegmentedLogOptions
  /** Oldest first. */
  readonly #segments: Segment[]
  #spare: Segment | undefined
  #lastSequence: number
  /** One after the other: they share the threads that flush. */
  #removals = Promise.resolve()

  /** @param highestSequence no segment has had a higher one */
  constructor(options: SegmentedLogOptions, found: readonly FoundPlace[], highestSequence: number) {
    this.#options = options
    this.#segments = found.map(({ sequence, firstIndex, bytes, entryCount }) =>
      Object.assign(this.#segment(sequence), { firstIndex, bytes, entryCount }),
    )
    this.#lastSequence = highestSequence
  }

  /** Takes up one that an earlier start has made ahead. */
  adoptSpare(sequence: number): void {
    this.#spare = this.#segment(sequence)
  }

  get active(): Segment | undefined {
    return this.#segments.at(-1)
  }

  /** The one that was made ahead. */
  get spare(): Segment | undefined {
    return this.#spare
  }

  /** Directories of those that count. */
  get paths(): readonly string[] {
    return this.#segments.map(({ path }) => path)
  }

  /** Record bytes of all segments, those that no longer count but stand in one that does included. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /**
   * Record bytes of the entries behind `baseIndex`. An estimate: of the segment that the base stands in, the share of its
   * entries that is behind it.
   */
  bytesBetween(baseIndex: number, lastIndex: number): number {
    const [oldest, next] = this.#segments
    if (oldest === undefined || lastIndex <= baseIndex) return 0
    const end = next === undefined ? lastIndex : next.firstIndex - 1
    const count = end - oldest.firstIndex + 1
    const gone = Math.min(count, Math.max(0, baseIndex - oldest.firstIndex + 1))
    return this.bytes - (count > 0 ? Math.round(oldest.bytes * (gone / count)) : 0)
  }

  /** Whether the next entries belong into a new segment. */
  get isFull(): boolean {
    return this.#isFilled(1)
  }

  /** Whether it is time to make one ahead. */
  get wantsSpare(): boolean {
    return this.#spare === undefined && this.#isFilled(1 / 2)
  }

  #isFilled(share: number): boolean {
    const { active } = this
    const { segmentBytes, segmentEntries } = this.#options
    return (
      active === undefined ||
      active.bytes >= segmentBytes * share ||
      active.entryCount >= segmentEntries * share
    )
  }

  /** The segment that an index belongs to, which must be one of the log's. */
  of(index: number): Segment {
    for (let at = this.#segments.length - 1; at >= 0; at--) {
      const segment = this.#segments[at] as Segment
      if (segment.firstIndex <= index) return segment
    }
    invariant(false, `no segment for entry ${index}`)
  }

  /** Makes the next segment's files. @throws OutOfSpace */
  makeSpare(): Segment {
    demandSpace(this.#options.path)
    this.#lastSequence += 1
    const spare = this.#segment(this.#lastSequence)
    spare.create()
    this.#spare = spare
    return spare
  }

  #segment(sequence: number): Segment {
    const { path, durability, segmentBytes } = this.#options
    // Room for the last, large batch: a map that has to grow is mapped a second time, and both stay until the close.
    return new Segment({ logPath: path, sequence, durability, mapSizeBytes: segmentBytes * 4 })
  }

  /** The header of the segment that was made ahead, which begins with `firstIndex`. Part of its first commit. */
  begin(spare: Segment, firstIndex: number): void {
    const before = this.#segments.filter((segment) => segment.firstIndex < firstIndex)
    spare.begin(firstIndex, this.#options.owner, before)
  }

  /** It is on the disk: from now on it is the active one. What begins where it does, or behind, counts no more. */
  activate(spare: Segment): void {
    invariant(spare === this.#spare, `segment ${spare.sequence} was not made ahead`)
    this.#spare = undefined
    const shadowed = this.#segments.filter(({ firstIndex }) => firstIndex >= spare.firstIndex)
    this.#segments.length -= shadowed.length
    this.#segments.push(spare)
    for (const segment of shadowed.reverse()) this.#remove(segment)
  }

  /** Gives back the disk of segments that hold nothing behind the base. */
  dropThrough(baseIndex: number): void {
    for (;;) {
      const next = this.#segments[1]
      if (next === undefined || next.firstIndex - 1 > baseIndex) return
      this.#remove(this.#segments.shift() as Segment)
    }
  }

  /** A removal that fails leaves files that count for nothing; the next start tries again. */
  #remove(segment: Segment): void {
    this.#removals = this.#removals.then(() => segment.remove()).catch(() => {})
  }

  async close(): Promise<void> {
    await this.#removals
    await this.#spare?.close()
    await Promise.all(this.#segments.map((segment) => segment.close()))
  }
}
