/**
 * Segments of a state machine in files: `<path>/NNNN.segment`, written once, never flushed. What a start finds there is of use
 * only with the rest of the state beside it, which a stop in good order leaves (resting-state.ts); otherwise it is removed.
 *
 * Files are named by a number that is never used again, while segments' numbers are: so views of a dropped segment go on
 * reading its file, which is removed with the last of them.
 */
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { invariant, type KeptState, type SegmentSpace, type SegmentView } from '@troupe/core'
import { storageFailed } from '../storage-errors.ts'
import { makeDirectory } from '../sync-files.ts'
import {
  findRestingState,
  type RestingSegment,
  type RestingState,
  removeRestingState,
  writeRestingState,
} from './resting-state.ts'

/** Files that are open at the same time, of each space. */
const MAX_OPEN_FILES = 32
/** What is read at once where reads follow each other. */
const AHEAD_BYTES = 64 << 10
/** A read that begins so little behind the one before follows it. */
const FOLLOWS_BYTES = 4 << 10

interface SegmentFile {
  readonly name: string
  /** Of all files that there ever were. */
  readonly number: number
  readonly bytes: number
  views: number
  isDropped: boolean
}

/** The segments of a state, and what was left at rest with them. */
export interface SegmentFolder {
  /** With the segments that were left, until they are forgotten; or empty. */
  readonly space: SegmentSpace
  /** What a machine left at rest: its segments are in `space`, and this is all else. */
  readonly resting: Pick<RestingState, 'position' | 'read'> | undefined
  /** The state was taken in: from now on it is the machine's. */
  resumed(): void
  /** It is of no use: makes the space empty. */
  forget(): void
  /**
   * Leaves segments for the next start, with the rest of the state beside them. Nothing may be called any more.
   * @param space that they are in: this one, or one beside it
   * @throws RaftError STORAGE_FAILED: then nothing is left at rest
   */
  leave(space: SegmentSpace, position: KeptState, pieces: Iterator<Uint8Array>): void
}

/**
 * Opens a folder of segments: with what `identity` left at rest there, or empty. Everything is of one thread, and of one
 * process: the directory of the node is locked.
 */
export function openFileSegments(path: string, identity: string): SegmentFolder {
  makeDirectory(path)
  const found = findRestingState(path, identity)
  const resting = found !== undefined && areThere(path, found.segments) ? found : undefined
  if (resting === undefined) removeRestingState(path)
  removeAllBut(path, new Set(resting?.segments.map(([, file]) => nameOf(file))))
  return new Segments(path, identity, resting)
}

const SUFFIX = '.segment'
const nameOf = (number: number): string => `${String(number).padStart(4, '0')}${SUFFIX}`

const areThere = (path: string, segments: readonly RestingSegment[]): boolean =>
  segments.every(
    ([, file, bytes]) => statSync(join(path, nameOf(file)), { throwIfNoEntry: false })?.size === bytes,
  )

/** Files of segments that are nobody's. */
function removeAllBut(path: string, kept: ReadonlySet<string>): void {
  for (const name of readdirSync(path))
    if (name.endsWith(SUFFIX) && !kept.has(name)) rmSync(join(path, name), { force: true })
}

/** @throws RaftError STORAGE_FAILED where `run` throws: no result of a command, but the end of this node */
function attempt(path: string, run: () => void): void {
  try {
    run()
  } catch (error) {
    throw storageFailed(path, error)
  }
}

/** Of all spaces in one directory. */
interface Folder {
  readonly path: string
  lastFile: number
}

class FileSegments implements SegmentSpace {
  readonly #folder: Folder
  readonly #segments = new Map<number, SegmentFile>()
  /** The one that was used last comes last. */
  readonly #open = new Map<SegmentFile, number>()
  #exact = new Uint8Array(4096)
  readonly #ahead = new Uint8Array(AHEAD_BYTES)
  #aheadOf: SegmentFile | undefined
  #aheadStart = 0
  #aheadEnd = 0
  /** Where the last read ended. */
  #lastOf: SegmentFile | undefined
  #lastEnd = 0

  constructor(folder: Folder, found: readonly RestingSegment[] = []) {
    this.#folder = folder
    for (const [segment, number, bytes] of found) {
      const name = join(folder.path, nameOf(number))
      this.#segments.set(segment, { name, number, bytes, views: 0, isDropped: false })
    }
  }

  /** Which file has which segment. */
  get files(): RestingSegment[] {
    return Array.from(this.#segments, ([segment, { number, bytes }]) => [segment, number, bytes])
  }

  put(segment: number, bytes: Uint8Array): void {
    invariant(!this.#segments.has(segment), `segment ${segment} is there`)
    const number = ++this.#folder.lastFile
    const name = join(this.#folder.path, nameOf(number))
    const file: SegmentFile = { name, number, bytes: bytes.byteLength, views: 0, isDropped: false }
    attempt(name, () => {
      const descriptor = openSync(name, 'wx+')
      this.#keepOpen(file, descriptor)
      for (let written = 0; written < bytes.byteLength; )
        written += writeSync(descriptor, bytes, written, bytes.byteLength - written, written)
    })
    this.#segments.set(segment, file)
  }

  bytesOf(segment: number): number | undefined {
    return this.#segments.get(segment)?.bytes
  }

  read(segment: number, offset: number, length: number): Uint8Array {
    const file = this.#segments.get(segment)
    invariant(file !== undefined, `segment ${segment} is not there`)
    const end = offset + length
    const follows =
      file === this.#lastOf && offset >= this.#lastEnd && offset - this.#lastEnd <= FOLLOWS_BYTES
    this.#lastOf = file
    this.#lastEnd = end
    if (file === this.#aheadOf && offset >= this.#aheadStart && end <= this.#aheadEnd)
      return this.#ahead.subarray(offset - this.#aheadStart, end - this.#aheadStart)
    if (follows && length <= AHEAD_BYTES) return this.#readAhead(file, offset, length)
    if (this.#exact.byteLength < length) this.#exact = new Uint8Array(length * 2)
    this.#fill(file, this.#exact, offset, length)
    return this.#exact.subarray(0, length)
  }

  #readAhead(file: SegmentFile, offset: number, length: number): Uint8Array {
    const bytes = Math.min(AHEAD_BYTES, file.bytes - offset)
    this.#fill(file, this.#ahead, offset, bytes)
    this.#aheadOf = file
    this.#aheadStart = offset
    this.#aheadEnd = offset + bytes
    return this.#ahead.subarray(0, length)
  }

  #fill(file: SegmentFile, target: Uint8Array, offset: number, length: number): void {
    attempt(file.name, () => {
      const descriptor = this.#descriptorOf(file)
      for (let filled = 0; filled < length; ) {
        const read = readSync(descriptor, target, filled, length - filled, offset + filled)
        if (read === 0) throw new Error(`it ends before ${offset + length}`)
        filled += read
      }
    })
  }

  #descriptorOf(file: SegmentFile): number {
    const known = this.#open.get(file)
    if (known === undefined) return this.#keepOpen(file, openSync(file.name, 'r'))
    this.#open.delete(file)
    this.#open.set(file, known)
    return known
  }

  #keepOpen(file: SegmentFile, descriptor: number): number {
    this.#open.set(file, descriptor)
    if (this.#open.size > MAX_OPEN_FILES) this.#shut(this.#open.keys().next().value as SegmentFile)
    return descriptor
  }

  #shut(file: SegmentFile): void {
    const descriptor = this.#open.get(file)
    this.#open.delete(file)
    if (descriptor !== undefined) closeSync(descriptor)
  }

  drop(segment: number): void {
    const file = this.#segments.get(segment)
    invariant(file !== undefined, `segment ${segment} is not there`)
    this.#segments.delete(segment)
    file.isDropped = true
    this.#removeUnused(file)
  }

  #removeUnused(file: SegmentFile): void {
    if (!file.isDropped || file.views > 0) return
    this.#shut(file)
    unlinkSync(file.name)
  }

  view(segment: number): SegmentView {
    const file = this.#segments.get(segment)
    invariant(file !== undefined, `segment ${segment} is not there`)
    file.views++
    let isOpen = true
    return {
      read: () => {
        const all = new Uint8Array(file.bytes)
        this.#fill(file, all, 0, file.bytes)
        return all
      },
      close: () => {
        if (!isOpen) return
        isOpen = false
        file.views--
        this.#removeUnused(file)
      },
    }
  }

  beside(): SegmentSpace {
    return new FileSegments(this.#folder)
  }

  close(): void {
    for (const segment of [...this.#segments.keys()]) this.drop(segment)
    for (const file of [...this.#open.keys()]) if (file.views === 0) this.#shut(file)
  }
}

class Segments implements SegmentFolder {
  readonly space: FileSegments
  readonly #folder: Folder
  readonly #identity: string
  #resting: RestingState | undefined

  constructor(path: string, identity: string, resting: RestingState | undefined) {
    this.#folder = { path, lastFile: resting?.lastFile ?? 0 }
    this.#identity = identity
    this.#resting = resting
    this.space = new FileSegments(this.#folder, resting?.segments)
  }

  get resting(): RestingState | undefined {
    return this.#resting
  }

  resumed(): void {
    this.#resting = undefined
    removeRestingState(this.#folder.path)
  }

  forget(): void {
    this.resumed()
    for (const [segment] of this.space.files) this.space.drop(segment)
  }

  leave(space: SegmentSpace, position: KeptState, pieces: Iterator<Uint8Array>): void {
    invariant(space instanceof FileSegments, 'segments of another space')
    const { path, lastFile } = this.#folder
    const about = { identity: this.#identity, position, segments: space.files, lastFile }
    attempt(path, () => writeRestingState(path, about, pieces))
  }
}
