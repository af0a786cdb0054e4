/**
 * Reads a log as it stands on the disk, without LMDB: what is whole, what is damaged, what is missing. Changes nothing; for
 * the store before it opens a log, and for tools that look at one.
 *
 *     newest segment ─► the one before it, up to where that begins ─► ... ─► the base
 *
 * A segment counts from its first index to the one before the first index of the next that counts; what stands behind
 * that in it was overwritten by a truncation. Every entry of the log must be in its segment, fit its checksum and its index,
 * and follow on the one before it. One that does not is *damaged*, wherever it stands: LMDB commits whole transactions, so
 * what is visible was written, and may have been acknowledged. So is one that is not there at all.
 *
 * Which segments there have to be is told by the header of the newest that can be read, and by the witness. Where the
 * newest of all cannot be read, its end is not known either: the log is then taken to reach as far as it can have,
 * and a leader says what of that was never there.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type HardState, type IndexRange, type LogPosition, recordFollows } from '@troupe/core'
import { storageDamaged } from '../storage-errors.ts'
import { type FoundWitness, type Remembered, readWitness } from './log-witness.ts'
import { segmentName, sequenceOf } from './segment.ts'
import type { LogOwner, SegmentPlace } from './segment-records.ts'
import { type ScannedSegment, scanSegment } from './segment-scan.ts'

export const WITNESS_FILE = 'witness'

/** A segment that counts. */
export interface FoundSegment extends SegmentPlace {
  readonly path: string
  /** Where the next one begins, or the log ends. */
  readonly lastIndex: number
  readonly bytes: number
  readonly entryCount: number
  /** Undefined where it is missing. */
  readonly scanned: ScannedSegment | undefined
  /** It is missing, another one's, or LMDB must not open it: to be made anew from what is whole in it. */
  readonly mustBeRebuilt: boolean
}

export interface Problem {
  readonly path: string
  readonly reason: string
}

export interface FoundLog {
  readonly witness: FoundWitness | undefined
  /** Oldest first; none in a new log. */
  readonly segments: readonly FoundSegment[]
  /** Directories that count for nothing: overwritten, compacted, or left over. */
  readonly dead: readonly string[]
  /** Undefined where nothing was ever stored. */
  readonly hardState: HardState | undefined
  readonly base: LogPosition
  readonly lastIndex: number
  readonly damaged: readonly IndexRange[]
  readonly problems: readonly Problem[]
  /** Newer than all that count, and never written to. */
  readonly spare: number | undefined
  readonly highestSequence: number
}

/**
 * @param path the directory of one group's log; one that does not exist is an empty log
 * @param visit called with each whole entry's record, a segment after the other, the newest first
 * @throws RaftError STORAGE_DAMAGED where it is of another format or another log's, or term and vote are lost;
 *   STORAGE_FAILED where it cannot be read
 */
export function scanLog(
  path: string,
  owner?: LogOwner,
  visit?: (index: number, record: Uint8Array) => void,
): FoundLog {
  const witness = readWitness(join(path, WITNESS_FILE))
  if (witness !== undefined && owner !== undefined) refuseStranger(path, witness.remembered.owner, owner)
  const names = existsSync(path) ? readdirSync(path) : []
  const sequences = names.flatMap((name) => sequenceOf(name) ?? []).sort((a, b) => b - a)
  const scan = new LogScan(path, witness?.remembered, owner, visit)
  scan.scan(sequences)
  const leftOver = names.filter((name) => name.endsWith(REBUILDING)).map((name) => join(path, name))
  const dead = [...scan.dead, ...leftOver]
  return { witness, ...scan.result(), dead, spare: scan.spare, highestSequence: sequences[0] ?? 0 }
}

/** A segment that is being made anew has this behind its name until it is whole. */
export const REBUILDING = '-new'

function refuseStranger(path: string, found: LogOwner, owner: LogOwner): void {
  for (const field of ['clusterId', 'group', 'nodeId', 'incarnation'] as const) {
    if (found[field] === owner[field]) continue
    throw storageDamaged(path, `it is the log of ${field} ${found[field]}, not ${owner[field]}`)
  }
}

/** What is known of a segment before it is decided where it ends. */
interface Candidate {
  readonly sequence: number
  readonly firstIndex: number
  readonly scanned: ScannedSegment | undefined
  readonly isReadable: boolean
}

class LogScan {
  readonly dead: string[] = []
  spare: number | undefined
  readonly #path: string
  readonly #witness: Remembered | undefined
  readonly #owner: LogOwner | undefined
  readonly #visit: ((index: number, record: Uint8Array) => void) | undefined
  /** Newest first. */
  readonly #live: Candidate[] = []
  readonly #problems: Problem[] = []
  readonly #scanned: ScannedSegment[] = []
  /** Those newer than the newest that can be read, and that may hold entries. */
  readonly #unreadable: { sequence: number; scanned: ScannedSegment | undefined }[] = []

  constructor(
    path: string,
    witness: Remembered | undefined,
    owner: LogOwner | undefined,
    visit: ((index: number, record: Uint8Array) => void) | undefined,
  ) {
    this.#path = path
    this.#witness = witness
    this.#owner = owner
    this.#visit = visit
  }

  scan(sequences: readonly number[]): void {
    const newest = this.#scanNewest(sequences)
    const top = newest?.scanned.sequence ?? 0
    if (newest !== undefined) this.#placeUnreadable(newest.scanned)
    else this.#placeUnreadable(undefined)
    if (newest === undefined) return
    const { header } = newest.scanned
    this.#live.push({
      sequence: top,
      firstIndex: header?.firstIndex as number,
      scanned: newest.scanned,
      isReadable: true,
    })
    const known = new Map(header?.before.map((place) => [place.sequence, place.firstIndex]))
    const older = new Set([...sequences.filter((sequence) => sequence < top), ...known.keys()])
    for (const sequence of [...older].sort((a, b) => b - a)) {
      this.#scanOlder(sequence, sequences.includes(sequence), known.get(sequence))
    }
  }

  /** Goes down to the first that can be read; remembers those above it that cannot. */
  #scanNewest(sequences: readonly number[]): { scanned: ScannedSegment } | undefined {
    const expected = this.#witness?.newestSequence ?? 0
    if (expected > (sequences[0] ?? 0)) this.#missing(expected)
    for (const sequence of sequences) {
      const scanned = this.#scanOne(sequence, this.#shadowedFrom(sequence))
      if (scanned.header !== undefined) return { scanned }
      // One that the witness knows had a file.
      if (scanned.isUnused && this.spare === undefined) this.spare = sequence
      else if (scanned.isUnused || (scanned.isBlank && sequence > expected)) this.dead.push(scanned.path)
      else this.#unreadable.push({ sequence, scanned })
    }
    return undefined
  }

  #missing(sequence: number): void {
    this.#unreadable.push({ sequence, scanned: undefined })
    this.#problems.push({ path: join(this.#path, segmentName(sequence)), reason: 'it is missing' })
  }

  /** Entries of a segment before one that cannot be read count only up to where that is known to begin. */
  #shadowedFrom(sequence: number): number {
    const shadowing = this.#witness?.shadowing
    const isLost = this.#unreadable.some((lost) => lost.sequence === shadowing?.sequence)
    return isLost && shadowing !== undefined && shadowing.sequence > sequence
      ? shadowing.firstIndex - 1
      : Number.MAX_SAFE_INTEGER
  }

  #scanOne(sequence: number, upTo: number): ScannedSegment {
    const path = join(this.#path, segmentName(sequence))
    const scanned = scanSegment(path, sequence, this.#owner, upTo, this.#visit)
    this.#scanned.push(scanned)
    for (const reason of scanned.problems) this.#problems.push({ path, reason })
    if (scanned.isBlank && sequence <= (this.#witness?.newestSequence ?? 0)) {
      this.#problems.push({ path, reason: 'its data file is missing or empty' })
    }
    return scanned
  }

  /** They begin where what can be read ends, where the witness does not know better; the oldest of them takes it all. */
  #placeUnreadable(below: ScannedSegment | undefined): void {
    const lost = this.#unreadable
    if (lost.length === 0) return
    if (this.#witness === undefined) {
      throw storageDamaged(this.#path, 'its newest segment cannot be read, and so its term and vote are lost')
    }
    const base = this.#base().index
    const end = Math.max(base, below?.last?.index ?? (below?.header?.firstIndex ?? 1) - 1)
    const { shadowing } = this.#witness
    let firstIndex = end + 1
    for (const { sequence } of lost) {
      if (sequence === shadowing?.sequence) firstIndex = Math.min(firstIndex, shadowing.firstIndex)
    }
    const oldest = lost.at(-1) as (typeof lost)[number]
    for (const { scanned } of lost)
      if (scanned !== undefined && scanned !== oldest.scanned) this.dead.push(scanned.path)
    this.#live.push({ ...oldest, firstIndex, isReadable: false })
  }

  #scanOlder(sequence: number, exists: boolean, knownFirst: number | undefined): void {
    const next = this.#live.at(-1) as Candidate
    const upTo = next.firstIndex - 1
    if (!exists) {
      if (knownFirst === undefined || knownFirst > upTo || upTo <= this.#base().index) return
      this.#problems.push({ path: join(this.#path, segmentName(sequence)), reason: 'it is missing' })
      this.#live.push({ sequence, firstIndex: knownFirst, scanned: undefined, isReadable: false })
      return
    }
    const scanned = this.#scanOne(sequence, upTo)
    const firstIndex = scanned.header?.firstIndex ?? knownFirst
    const counts = firstIndex !== undefined && firstIndex <= upTo && upTo > this.#base().index
    if (!counts) this.dead.push(scanned.path)
    else this.#live.push({ sequence, firstIndex, scanned, isReadable: scanned.header !== undefined })
  }

  /**
   * The highest that anything speaks of: it only rises. The newest segment may be unreadable, or one that was being made; the
   * witness may not have heard of the last compaction.
   */
  #base(): LogPosition {
    let base = this.#witness?.base ?? { index: 0, term: 0 }
    for (const scanned of this.#scanned) {
      if (scanned.base !== undefined && scanned.base.index > base.index) base = scanned.base
    }
    return base
  }

  /** The highest term, and in it the vote: what was flushed but never told of does no harm. */
  #hardState(): HardState | undefined {
    let best = this.#witness?.hardState
    for (const { hardState } of this.#scanned) {
      if (hardState === undefined) continue
      const isLater =
        best === undefined || hardState.term > best.term || (hardState.term === best.term && best.vote === '')
      if (isLater) best = hardState
    }
    return best
  }

  result(): Omit<FoundLog, 'witness' | 'dead' | 'spare' | 'highestSequence'> {
    const base = this.#base()
    const lastIndex = this.#lastIndex(base)
    const segments = this.#segments(lastIndex)
    const hardState = this.#hardState()
    const newest = segments.at(-1)
    if (
      newest?.scanned !== undefined &&
      newest.scanned.hardState === undefined &&
      this.#witness === undefined
    ) {
      throw storageDamaged(this.#path, 'its term and vote are lost')
    }
    const damaged = damagedOf(segments, base, lastIndex)
    const problems = this.#problems.filter(({ path }) => !this.dead.includes(path))
    return { segments, hardState, base, lastIndex, damaged, problems }
  }

  #lastIndex(base: LogPosition): number {
    const [newest] = this.#live
    const known = Math.max(this.#witness?.knownIndex ?? 0, base.index)
    if (newest === undefined) return known
    const isWhole = newest.isReadable && newest.scanned?.isSound === true
    if (isWhole) return Math.max(known, newest.scanned?.lastKey ?? 0, newest.firstIndex - 1)
    return Math.max(known, newest.scanned?.lastKey ?? 0, this.#witness?.boundIndex ?? 0)
  }

  #segments(lastIndex: number): FoundSegment[] {
    return this.#live
      .map(({ sequence, firstIndex, scanned, isReadable }, at): FoundSegment => {
        const next = this.#live[at - 1]
        return {
          sequence,
          firstIndex,
          path: join(this.#path, segmentName(sequence)),
          lastIndex: next === undefined ? lastIndex : next.firstIndex - 1,
          bytes: scanned?.bytes ?? 0,
          entryCount: scanned?.entryCount ?? 0,
          scanned,
          mustBeRebuilt: !isReadable || scanned?.isSound !== true,
        }
      })
      .reverse()
  }
}

/** What is not whole between the base and the end. */
function damagedOf(segments: readonly FoundSegment[], base: LogPosition, lastIndex: number): IndexRange[] {
  const damaged: IndexRange[] = []
  let next = base.index + 1
  let before: ScannedSegment['last']
  for (const { scanned, firstIndex, lastIndex: last } of segments) {
    const { first } = scanned ?? {}
    const isTorn =
      first !== undefined && before?.index === first.index - 1 && !recordFollows(first.head, before.head)
    if (isTorn) markDamaged(damaged, first.index - 1, first.index)
    for (const { from, to } of scanned?.whole ?? []) {
      const start = Math.max(from, firstIndex, base.index + 1) + (isTorn && from === first.index ? 1 : 0)
      const end = Math.min(to, last)
      if (end < start) continue
      if (start > next) markDamaged(damaged, next, start - 1)
      next = end + 1
    }
    before = scanned?.last ?? before
  }
  if (next <= lastIndex) markDamaged(damaged, next, lastIndex)
  return damaged
}

/** Adds a range at the end of an ascending list; it may overlap the last one. */
function markDamaged(ranges: IndexRange[], from: number, to: number): void {
  const last = ranges.at(-1)
  if (last === undefined || last.to < from - 1) {
    ranges.push({ from, to })
    return
  }
  ranges[ranges.length - 1] = { from: Math.min(last.from, from), to: Math.max(last.to, to) }
}
