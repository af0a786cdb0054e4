/** Reads snapshot files: what they say they are, whether they are sound, and how far a draft is. */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { RaftError, type SnapshotMeta } from '@troupe/core'
import { readFailure, storageDamaged, storageFailed } from '../storage-errors.ts'
import { realDisk, type SnapshotDisk } from './snapshot-disk.ts'
import type { StoredDraft } from './snapshot-draft.ts'
import {
  CHUNK_BYTES,
  CHUNK_HEADER_BYTES,
  CHUNK_STRIDE,
  checksumOf,
  chunkedBytes,
  completeName,
  decodeHeader,
  decodeSeal,
  formatOf,
  HEADER_START_BYTES,
  headerBytesOf,
  isSameSnapshot,
  isSoundChunk,
  isSoundSeal,
  lengthOf,
  parseName,
  SEAL_END_BYTES,
  SEAL_FRAME_BYTES,
  SNAPSHOT_FORMAT,
  type SnapshotHeader,
  type SnapshotName,
  type SnapshotOwner,
  sealBytesOf,
} from './snapshot-format.ts'

/** Chunks that are read at a time: one piece of a little more than 1 MiB. */
const PIECE_CHUNKS = 16

/** An open file and its header. */
export interface OpenedFile {
  readonly path: string
  readonly file: number
  readonly header: SnapshotHeader
  readonly headerBytes: number
  readonly headerChecksum: number
  readonly fileBytes: number
}

/** An open file of a complete snapshot. */
export interface CompleteFile extends OpenedFile {
  readonly meta: SnapshotMeta
  readonly seal: Buffer
}

/** @throws RaftError STORAGE_DAMAGED where there are fewer bytes, or the medium cannot give them; STORAGE_FAILED */
export function readAt(file: number, path: string, position: number, target: Buffer): Buffer {
  let filled = 0
  while (filled < target.byteLength) {
    let count: number
    try {
      count = readSync(file, target, filled, target.byteLength - filled, position + filled)
    } catch (error) {
      const isDamage = (error as NodeJS.ErrnoException).code === 'EIO'
      throw isDamage ? storageDamaged(path, error) : storageFailed(path, error)
    }
    if (count === 0) throw storageDamaged(path, `it ends at byte ${position + filled}`)
    filled += count
  }
  return target
}

/**
 * Reads the header of an open file.
 * @throws RaftError STORAGE_DAMAGED; INVALID_DIRECTORY where the file has another format; STORAGE_FAILED
 */
export function readHeader(file: number, path: string): OpenedFile {
  const fileBytes = fstatSync(file).size
  const start = readAt(file, path, 0, Buffer.alloc(HEADER_START_BYTES))
  const format = formatOf(start)
  if (format === undefined) throw storageDamaged(path, 'its beginning is not that of a snapshot')
  if (format !== SNAPSHOT_FORMAT) throw otherFormat(path, format)
  const headerBytes = headerBytesOf(start)
  if (headerBytes > fileBytes) throw storageDamaged(path, 'its header is damaged or cut')
  const found = decodeHeader(readAt(file, path, 0, Buffer.alloc(headerBytes)))
  if (found === undefined) throw storageDamaged(path, 'its header is damaged')
  return { path, file, header: found.header, headerBytes, headerChecksum: found.checksum, fileBytes }
}

function otherFormat(path: string, format: number): RaftError<'INVALID_DIRECTORY'> {
  const advice = format > SNAPSHOT_FORMAT ? 'upgrade Troupe' : 'it was made by an older Troupe'
  const reason = `the snapshot has format ${format}, this version reads ${SNAPSHOT_FORMAT}: ${advice}`
  return new RaftError('INVALID_DIRECTORY', `${path}: ${reason}`, { path, reason })
}

/**
 * Reads header and seal of an open file that is complete, and checks them, size and name. Its chunks are not read.
 * @throws RaftError STORAGE_DAMAGED; INVALID_DIRECTORY where the file has another format; STORAGE_FAILED
 */
export function readComplete(file: number, path: string, owner: SnapshotOwner | undefined): CompleteFile {
  const opened = readHeader(file, path)
  const { header, headerBytes, fileBytes } = opened
  const { seal, meta } = readSeal(opened)
  if (headerBytes + chunkedBytes(meta.bytes) + seal.byteLength !== fileBytes) {
    throw storageDamaged(path, `its size is ${fileBytes}, which does not fit ${meta.bytes} bytes of data`)
  }
  if (!isSoundSeal(seal, checksumBefore(opened, meta.bytes)))
    throw storageDamaged(path, 'its seal is damaged')
  if (header.meta !== undefined && !isSameSnapshot(header.meta, meta)) {
    throw storageDamaged(path, 'its header is of another snapshot than its end')
  }
  checkOwner(path, header, owner)
  const name = basename(path)
  if (parseName(name)?.kind === 'complete' && name !== completeName(meta)) {
    throw storageDamaged(path, `it holds the snapshot ${completeName(meta)}`)
  }
  return { ...opened, meta, seal }
}

/** The seal, which may not fit the chunks. */
function readSeal({ file, path, headerBytes, fileBytes }: OpenedFile): { seal: Buffer; meta: SnapshotMeta } {
  const none = (): RaftError => storageDamaged(path, 'it is not complete: it does not end with a seal')
  if (fileBytes < headerBytes + SEAL_FRAME_BYTES) throw none()
  const end = readAt(file, path, fileBytes - SEAL_END_BYTES, Buffer.alloc(SEAL_END_BYTES))
  const sealBytes = sealBytesOf(end)
  if (sealBytes === undefined || sealBytes > fileBytes - headerBytes) throw none()
  const seal = readAt(file, path, fileBytes - sealBytes, Buffer.alloc(sealBytes))
  const meta = decodeSeal(seal)
  if (meta === undefined) throw storageDamaged(path, 'its seal is damaged')
  return { seal, meta }
}

function checkOwner(path: string, header: SnapshotHeader, owner: SnapshotOwner | undefined): void {
  if (owner === undefined) return
  const { clusterId, group } = header
  if (clusterId === owner.clusterId && group === owner.group) return
  const expected = `cluster ${JSON.stringify(owner.clusterId)}, group ${owner.group}`
  throw storageDamaged(
    path,
    `it belongs to cluster ${JSON.stringify(clusterId)}, group ${group}, expected ${expected}`,
  )
}

/** The checksum that a chunk at `offset`, or the seal there, goes on from, as it stands in the file. */
export function checksumBefore(
  { file, path, headerBytes, headerChecksum }: OpenedFile,
  offset: number,
): number {
  if (offset === 0) return headerChecksum
  const chunk = Math.ceil(offset / CHUNK_BYTES) - 1
  const position = headerBytes + chunk * CHUNK_STRIDE
  return checksumOf(readAt(file, path, position, Buffer.alloc(CHUNK_HEADER_BYTES)))
}

/** Goes over consecutive chunks. */
class ChunkWalk {
  #previous: number
  /** Bytes of data so far, and their CRC-32. */
  bytes = 0
  checksum = 0

  constructor({ headerChecksum }: OpenedFile) {
    this.#previous = headerChecksum
  }

  /** The checksum of the last chunk. */
  get previous(): number {
    return this.#previous
  }

  /** Takes header and data of the next chunk in; false where it is not sound. */
  take(chunk: Buffer): boolean {
    if (!isSoundChunk(chunk, this.bytes, this.#previous)) return false
    this.#previous = checksumOf(chunk)
    this.bytes += chunk.byteLength - CHUNK_HEADER_BYTES
    this.checksum = crc32(chunk.subarray(CHUNK_HEADER_BYTES), this.checksum)
    return true
  }
}

/** The chunks that a piece consists of. */
export function* chunksOf(piece: Buffer): Generator<Buffer> {
  for (let from = 0; from < piece.byteLength; from += CHUNK_STRIDE) {
    yield piece.subarray(from, from + CHUNK_STRIDE)
  }
}

export const damagedAt = (path: string, offset: number): RaftError<'STORAGE_DAMAGED'> =>
  storageDamaged(path, `the chunk at byte ${offset} does not fit its checksum or what comes before it`)

/** A state in order, in pieces of a few parts each; each call begins anew, a piece is valid until the next. */
export type StatePieces = () => AsyncIterable<readonly Uint8Array[]>

/**
 * The data of a complete file in pieces of about 1 MiB: each was checked before it is handed over, and when it has come to
 * its end every chunk, the whole and the seal were.
 * @throws RaftError STORAGE_DAMAGED
 */
async function* verifiedPieces(
  complete: CompleteFile,
  disk: SnapshotDisk = realDisk,
): AsyncGenerator<readonly Buffer[]> {
  const { file, path, meta, headerBytes, seal } = complete
  const walk = new ChunkWalk(complete)
  const end = headerBytes + chunkedBytes(meta.bytes)
  const buffer = Buffer.allocUnsafe(Math.min(PIECE_CHUNKS * CHUNK_STRIDE, end - headerBytes))
  for (let position = headerBytes; position < end; position += buffer.byteLength) {
    const piece = buffer.subarray(0, end - position)
    const count = await disk.read(file, piece, position)
    if (count < piece.byteLength) throw storageDamaged(path, `it ends at byte ${position + count}`)
    const chunks = [...chunksOf(piece)]
    for (const chunk of chunks) if (!walk.take(chunk)) throw damagedAt(path, walk.bytes)
    yield chunks.map((chunk) => chunk.subarray(CHUNK_HEADER_BYTES))
  }
  if (walk.checksum !== meta.checksum || walk.bytes !== meta.bytes) {
    throw storageDamaged(path, `its ${walk.bytes} bytes do not fit the checksum of the whole`)
  }
  if (!isSoundSeal(seal, walk.previous)) throw storageDamaged(path, 'its seal does not fit the chunks')
}

/**
 * Reads all of a complete file in pieces: every chunk, the whole, and the seal.
 * @throws RaftError STORAGE_DAMAGED
 */
export async function verifyChunks(complete: CompleteFile, disk: SnapshotDisk = realDisk): Promise<void> {
  const pieces = verifiedPieces(complete, disk)
  while (!(await pieces.next()).done);
}

/** What a file that is whole says. */
export interface VerifiedSnapshot extends SnapshotOwner {
  readonly path: string
  readonly meta: SnapshotMeta
  readonly fileBytes: number
}

/** An open file of a complete snapshot, whose header and seal are sound. */
export interface OpenSnapshot extends VerifiedSnapshot {
  /** Its data, checked as it is read: see {@link verifiedPieces}. */
  readonly pieces: StatePieces
}

/**
 * Opens a snapshot's file for as long as `use` runs: beside a running node too, which may take its name away meanwhile.
 * @param owner whose it must be, where that matters
 * @throws RaftError STORAGE_DAMAGED where it is damaged, not complete or somebody else's; INVALID_DIRECTORY where it
 *   has another format; STORAGE_FAILED where it cannot be read
 */
export async function withSnapshotFile<T>(
  path: string,
  owner: SnapshotOwner | undefined,
  use: (snapshot: OpenSnapshot) => Promise<T>,
): Promise<T> {
  let file: number | undefined
  try {
    file = await realDisk.open(path)
    const complete = readComplete(file, path, owner)
    const { header, meta, fileBytes } = complete
    const pieces = (): AsyncGenerator<readonly Buffer[]> => verifiedPieces(complete)
    return await use({ path, clusterId: header.clusterId, group: header.group, meta, fileBytes, pieces })
  } catch (error) {
    throw readFailure(path, error)
  } finally {
    if (file !== undefined) await realDisk.close(file)
  }
}

/**
 * Reads a snapshot's file to its end and checks all of it: every chunk, their order, the checksum of the whole, the
 * seal and, where it bears the name of a complete one, that. In pieces of about 1 MiB, so of any size; changes nothing.
 * @param owner whose it must be, where that matters
 * @throws RaftError STORAGE_DAMAGED, INVALID_DIRECTORY, STORAGE_FAILED as {@link withSnapshotFile}
 */
export async function verifySnapshotFile(path: string, owner?: SnapshotOwner): Promise<VerifiedSnapshot> {
  return withSnapshotFile(path, owner, async ({ pieces, ...verified }) => {
    for await (const _ of pieces());
    return verified
  })
}

/** What is sound of a received draft. */
export interface ScannedDraft extends StoredDraft {
  readonly meta: SnapshotMeta
  readonly header: OpenedFile
  /** How far its file is good. */
  readonly soundBytes: number
  /** Checksums of the last chunk, and of the last one that is full. */
  readonly last: number
  readonly lastFull: number
}

/**
 * Finds the longest sound beginning of a received draft: nobody was promised what comes behind it.
 * Undefined where not even the header is sound, or somebody else's.
 */
export function scanDraft(path: string, owner: SnapshotOwner | undefined): ScannedDraft | undefined {
  const file = openSync(path, 'r')
  try {
    const header = readHeader(file, path)
    const { meta } = header.header
    if (meta === undefined) return undefined
    checkOwner(path, header.header, owner)
    return { meta, header, ...scanChunks(header, meta.bytes) }
  } catch (error) {
    if (RaftError.is(error, 'STORAGE_DAMAGED') || RaftError.is(error, 'INVALID_DIRECTORY')) return undefined
    throw error
  } finally {
    closeSync(file)
  }
}

function scanChunks(opened: OpenedFile, maxBytes: number): Omit<ScannedDraft, 'meta' | 'header'> {
  const { file, path, headerBytes, fileBytes } = opened
  const walk = new ChunkWalk(opened)
  const buffer = Buffer.allocUnsafe(PIECE_CHUNKS * CHUNK_STRIDE)
  let lastFull = walk.previous
  let tail = new Uint8Array(0)
  scan: for (let position = headerBytes; position < fileBytes; position += buffer.byteLength) {
    const piece = readAt(file, path, position, buffer.subarray(0, fileBytes - position))
    for (const rest of chunksOf(piece)) {
      if (rest.byteLength < CHUNK_HEADER_BYTES) break scan
      // Behind a chunk that is not full there may stand what a longer one has left, or a seal.
      const length = Math.min(lengthOf(rest), CHUNK_BYTES)
      const isFitting = walk.bytes + length <= maxBytes && length > 0
      if (!isFitting || !walk.take(rest.subarray(0, CHUNK_HEADER_BYTES + length))) break scan
      if (length < CHUNK_BYTES) {
        tail = new Uint8Array(rest.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + length))
        break scan
      }
      lastFull = walk.previous
    }
  }
  const { bytes, checksum, previous } = walk
  return { bytes, checksum, tail, soundBytes: headerBytes + chunkedBytes(bytes), last: previous, lastFull }
}

/** A snapshot's file as `listSnapshots` finds it. */
export interface ListedSnapshot {
  readonly path: string
  readonly group: number
  /** `damaged`: was complete, and has been moved aside by the node. */
  readonly kind: SnapshotName['kind']
  readonly fileBytes: number
  /** Undefined where the header is damaged. */
  readonly clusterId: string | undefined
  /** Undefined for a draft of the node's own, and where it is damaged. */
  readonly meta: SnapshotMeta | undefined
  /** What is wrong with header, seal, size or name; chunks are not read: {@link verifySnapshotFile} does that. */
  readonly damage: string | undefined
}

/**
 * Lists the snapshot files of a node, by group and name. Reads headers and seals only and changes nothing; safe on
 * damaged files, and beside a running node.
 * @param path `snapshots/` of a node's data directory; where it is missing, there are none
 * @throws RaftError STORAGE_FAILED where it cannot be read
 */
export function listSnapshots(path: string): ListedSnapshot[] {
  try {
    const groups = namesIn(path).filter((name) => /^\d+$/.test(name))
    groups.sort((a, b) => Number(a) - Number(b))
    return groups.flatMap((group) =>
      namesIn(join(path, group))
        .sort()
        .flatMap((name) => describe(join(path, group, name), Number(group)) ?? []),
    )
  } catch (error) {
    throw error instanceof RaftError ? error : storageFailed(path, error)
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Undefined where it is no snapshot's, or gone. */
function describe(path: string, group: number): ListedSnapshot | undefined {
  const kind = parseName(basename(path))?.kind
  if (kind === undefined) return undefined
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return { path, group, kind, fileBytes: fstatSync(file).size, ...contentsOf(file, path, kind) }
  } finally {
    closeSync(file)
  }
}

function contentsOf(
  file: number,
  path: string,
  kind: SnapshotName['kind'],
): Pick<ListedSnapshot, 'clusterId' | 'meta' | 'damage'> {
  let header: SnapshotHeader | undefined
  try {
    header = readHeader(file, path).header
    const isComplete = kind === 'complete' || kind === 'damaged'
    const meta = isComplete ? readComplete(file, path, undefined).meta : header.meta
    return { clusterId: header.clusterId, meta, damage: undefined }
  } catch (error) {
    if (!(error instanceof RaftError)) throw error
    return { clusterId: header?.clusterId, meta: header?.meta, damage: error.message }
  }
}
