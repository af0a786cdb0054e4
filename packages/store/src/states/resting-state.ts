/**
 * What a stop in good order leaves beside the segments of a machine, so that the next start need not load a snapshot:
 *
 *     <path>/state   all that is not in segments, as the machine gave it
 *     <path>/rest    whose it is, what it stands for, which file has which segment, length and CRC-32 of `state`; written last
 *
 * Nothing is flushed: it counts under the boot id of the stop alone, when the page cache has what was written. It is not
 * needed: what is missing, damaged, another's, or of another boot is passed over, and the snapshot is loaded.
 */
import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { KeptState } from '@troupe/core'
import { storageDamaged } from '../storage-errors.ts'
import { bootId, UNKNOWN_BOOT } from '../unsynced-mark.ts'

const FORMAT = 1
const REST_FILE = 'rest'
const STATE_FILE = 'state'
/** Written and read at once. */
const BLOCK_BYTES = 1 << 20

/** A file of a segment: its number among files, and how long it is. */
export type RestingSegment = readonly [segment: number, file: number, bytes: number]

interface RestNote {
  readonly format: number
  readonly boot: string
  readonly identity: string
  readonly position: KeptState
  readonly segments: readonly RestingSegment[]
  readonly lastFile: number
  readonly stateBytes: number
  readonly checksum: number
}

/** What was found at a start. */
export interface RestingState {
  readonly position: KeptState
  readonly segments: readonly RestingSegment[]
  readonly lastFile: number
  /** Gives all of it, piece by piece. @throws RaftError STORAGE_DAMAGED */
  read(take: (piece: Uint8Array) => void): void
}

/** @param identity whose state it must be */
export function findRestingState(path: string, identity: string): RestingState | undefined {
  const note = noteIn(path)
  if (note === undefined || note.format !== FORMAT || note.identity !== identity) return undefined
  if (note.boot !== bootId() || note.boot === UNKNOWN_BOOT) return undefined
  const { position, segments, lastFile } = note
  return { position, segments, lastFile, read: (take) => readState(join(path, STATE_FILE), note, take) }
}

function noteIn(path: string): RestNote | undefined {
  try {
    return JSON.parse(readFileSync(join(path, REST_FILE), 'utf8'))
  } catch {
    return undefined
  }
}

function readState(path: string, note: RestNote, take: (piece: Uint8Array) => void): void {
  const buffer = new Uint8Array(BLOCK_BYTES)
  let checksum = 0
  let left = note.stateBytes
  const descriptor = openAt(path)
  try {
    while (left > 0) {
      const bytes = readSync(descriptor, buffer, 0, Math.min(left, BLOCK_BYTES), null)
      if (bytes === 0) throw storageDamaged(path, `it ends ${left} bytes early`)
      const piece = buffer.subarray(0, bytes)
      checksum = crc32(piece, checksum)
      take(piece)
      left -= bytes
    }
  } finally {
    closeSync(descriptor)
  }
  if (checksum !== note.checksum) throw storageDamaged(path, 'its checksum is wrong')
}

function openAt(path: string): number {
  try {
    return openSync(path, 'r')
  } catch {
    throw storageDamaged(path, 'it is not there')
  }
}

/** @throws what writing throws, and leaves nothing then */
export function writeRestingState(
  path: string,
  about: Pick<RestNote, 'identity' | 'position' | 'segments' | 'lastFile'>,
  pieces: Iterator<Uint8Array>,
): void {
  const boot = bootId()
  removeRestingState(path)
  if (boot === UNKNOWN_BOOT) return
  try {
    const written = writeState(join(path, STATE_FILE), pieces)
    const note: RestNote = { format: FORMAT, boot, ...about, ...written }
    const file = join(path, REST_FILE)
    writeFileSync(`${file}.tmp`, JSON.stringify(note))
    renameSync(`${file}.tmp`, file)
  } catch (error) {
    removeRestingState(path)
    throw error
  }
}

function writeState(path: string, pieces: Iterator<Uint8Array>): Pick<RestNote, 'stateBytes' | 'checksum'> {
  const block = new Uint8Array(BLOCK_BYTES)
  let filled = 0
  let stateBytes = 0
  let checksum = 0
  const descriptor = openSync(path, 'wx')
  const flush = (): void => {
    const full = block.subarray(0, filled)
    checksum = crc32(full, checksum)
    for (let written = 0; written < filled; ) written += writeSync(descriptor, full, written)
    stateBytes += filled
    filled = 0
  }
  try {
    for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
      for (let piece = next.value; piece.byteLength > 0; ) {
        const some = piece.subarray(0, BLOCK_BYTES - filled)
        block.set(some, filled)
        filled += some.byteLength
        piece = piece.subarray(some.byteLength)
        if (filled === BLOCK_BYTES) flush()
      }
    }
    flush()
  } finally {
    closeSync(descriptor)
  }
  return { stateBytes, checksum }
}

/** What it says first. Idempotent. */
export function removeRestingState(path: string): void {
  for (const name of [REST_FILE, `${REST_FILE}.tmp`, STATE_FILE]) rmSync(join(path, name), { force: true })
}
