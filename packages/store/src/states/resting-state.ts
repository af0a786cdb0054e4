/**
 * What a stop in good order leaves beside the segments of a machine, so that the next start need not load a snapshot:
 *
 *     <path>/state   all that is not in segments, as the machine gave it: blocks of 1 MiB, each compressed (zstd), behind its length and CRC-32
 *     <path>/rest    whose it is, what it stands for, which file has which segment, how long `state` is;
 *                    behind a CRC-32 of that; written last
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
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { KeptState } from '@troupe/core'
import { storageDamaged } from '../storage-errors.ts'
import { bootId, UNKNOWN_BOOT } from '../unsynced-mark.ts'

const FORMAT = 1
const REST_FILE = 'rest'
const STATE_FILE = 'state'
/** What is compressed at once. */
const BLOCK_BYTES = 1 << 20
/** Length and CRC-32 of a compressed block. */
const HEADER_BYTES = 8
/** A tenth is left of a deep queue's words, and disks are slower than this. */
const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

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
    const [checksum, text = ''] = readFileSync(join(path, REST_FILE), 'utf8').split('\n')
    return checksum === `${crc32(text)}` ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

function readState(path: string, { stateBytes }: RestNote, take: (piece: Uint8Array) => void): void {
  const descriptor = openAt(path)
  let left = stateBytes
  const read = (target: Uint8Array): void => {
    left -= target.byteLength
    for (let filled = 0; filled < target.byteLength; ) {
      const bytes = readSync(descriptor, target, filled, target.byteLength - filled, null)
      if (bytes === 0) throw storageDamaged(path, 'it ends early')
      filled += bytes
    }
  }
  const header = new Uint8Array(HEADER_BYTES)
  const view = new DataView(header.buffer)
  try {
    while (left > 0) {
      read(header)
      const bytes = view.getUint32(0, true)
      if (bytes > left) throw storageDamaged(path, `a block of ${bytes} bytes, where ${left} are left`)
      const block = new Uint8Array(bytes)
      read(block)
      if (crc32(block) !== view.getUint32(4, true)) throw storageDamaged(path, 'a checksum is wrong')
      take(zstdDecompressSync(block, { maxOutputLength: BLOCK_BYTES, chunkSize: BLOCK_BYTES }))
    }
  } finally {
    closeSync(descriptor)
  }
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
    const stateBytes = writeState(join(path, STATE_FILE), pieces)
    const note: RestNote = { format: FORMAT, boot, ...about, stateBytes }
    const file = join(path, REST_FILE)
    const text = JSON.stringify(note)
    writeFileSync(`${file}.tmp`, `${crc32(text)}\n${text}`)
    renameSync(`${file}.tmp`, file)
  } catch (error) {
    removeRestingState(path)
    throw error
  }
}

function writeState(path: string, pieces: Iterator<Uint8Array>): number {
  const block = new Uint8Array(BLOCK_BYTES)
  const header = new Uint8Array(HEADER_BYTES)
  const view = new DataView(header.buffer)
  let filled = 0
  let stateBytes = 0
  const descriptor = openSync(path, 'wx')
  const write = (bytes: Uint8Array): void => {
    for (let written = 0; written < bytes.byteLength; ) written += writeSync(descriptor, bytes, written)
    stateBytes += bytes.byteLength
  }
  const flush = (): void => {
    const compressed = zstdCompressSync(block.subarray(0, filled), FAST)
    view.setUint32(0, compressed.byteLength, true)
    view.setUint32(4, crc32(compressed), true)
    write(header)
    write(compressed)
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
    if (filled > 0) flush()
  } finally {
    closeSync(descriptor)
  }
  return stateBytes
}

/** What it says first. Idempotent. */
export function removeRestingState(path: string): void {
  for (const name of [REST_FILE, `${REST_FILE}.tmp`, STATE_FILE]) rmSync(join(path, name), { force: true })
}
