/** Reads backup files: from the start to the end, each frame against the chain of checksums. Changes nothing. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { RaftError } from '@troupe/core'
import { realDisk } from '../snapshots/snapshot-disk.ts'
import type { StatePieces } from '../snapshots/snapshot-file.ts'
import { readFailure, storageDamaged } from '../storage-errors.ts'
import {
  BACKUP_FORMAT,
  type BackupDescription,
  decodeDescription,
  decodeEnd,
  FRAME_HEADER_BYTES,
  FrameKind,
  formatOf,
  frameChecksumOf,
  frameHeadOf,
  isSoundFrame,
  MAX_FRAME_BYTES,
  START_BYTES,
  startChecksumOf,
} from './backup-format.ts'

/** A backup file that was read to its end and is whole. */
export interface VerifiedBackup extends BackupDescription {
  readonly path: string
  readonly fileBytes: number
  /** Of everything in the file but its last frame, which says the same. */
  readonly sha256: string
}

/** An open backup file, of which the beginning is read. */
export interface OpenBackup {
  readonly description: BackupDescription
  /**
   * The state. Each piece was checked before it is handed over, and is valid until the next; that nothing is missing is known
   * only when it has come to its end without an error.
   */
  readonly pieces: StatePieces
}

/**
 * Opens a backup file for as long as `use` runs.
 * @throws RaftError STORAGE_DAMAGED where it is damaged, cut off or no backup; INVALID_DIRECTORY where it has another
 *   format; STORAGE_FAILED where it cannot be read
 */
export async function withBackup<T>(path: string, use: (backup: OpenBackup) => Promise<T>): Promise<T> {
  return withFile(path, async (file) => {
    const { description } = await beginReading(file, path)
    return use({ description, pieces: () => piecesOf(file, path) })
  })
}

/**
 * Reads a backup file to its end and checks all of it. Of any size; changes nothing.
 * @param onProgress told how many bytes of the state are read, and how many there are
 * @throws RaftError STORAGE_DAMAGED, INVALID_DIRECTORY, STORAGE_FAILED as {@link withBackup}
 */
export async function verifyBackup(
  path: string,
  onProgress?: (bytes: number, ofBytes: number) => void,
): Promise<VerifiedBackup> {
  return withFile(path, async (file) => {
    const { description, reader } = await beginReading(file, path)
    const state = stateOf(reader, description)
    let bytes = 0
    for (;;) {
      const next = await state.next()
      if (next.done) return { ...description, path, fileBytes: reader.position, sha256: next.value }
      bytes += next.value.byteLength
      onProgress?.(bytes, description.meta.bytes)
    }
  })
}

async function withFile<T>(path: string, use: (file: number) => Promise<T>): Promise<T> {
  let file: number | undefined
  try {
    file = await realDisk.open(path)
    return await use(file)
  } catch (error) {
    throw readFailure(path, error)
  } finally {
    if (file !== undefined) await realDisk.close(file)
  }
}

async function* piecesOf(file: number, path: string): AsyncGenerator<readonly Buffer[]> {
  const { description, reader } = await beginReading(file, path)
  for await (const piece of stateOf(reader, description)) yield [piece]
}

async function beginReading(
  file: number,
  path: string,
): Promise<{ description: BackupDescription; reader: FrameReader }> {
  const reader = new FrameReader(file, path)
  await reader.start()
  const { kind, data } = await reader.frame()
  const description = kind === FrameKind.description ? decodeDescription(data) : undefined
  if (description === undefined) throw storageDamaged(path, 'it does not say what it is of')
  return { description, reader }
}

/** Returns the SHA-256 of the file, once it has come to its end. */
async function* stateOf(reader: FrameReader, { meta }: BackupDescription): AsyncGenerator<Buffer, string> {
  const { path } = reader
  let [pieces, bytes, checksum] = [0, 0, 0]
  for (;;) {
    const { kind, data } = await reader.frame()
    if (kind === FrameKind.state) {
      pieces++
      bytes += data.byteLength
      checksum = crc32(data, checksum)
      yield data
      continue
    }
    const end = kind === FrameKind.end ? decodeEnd(data) : undefined
    if (end === undefined) throw storageDamaged(path, `a frame of kind ${kind} where its end should be`)
    const sha256 = reader.digest()
    const isWhole =
      end.pieces === pieces && end.bytes === bytes && end.checksum === checksum && end.sha256 === sha256
    if (!isWhole || meta.bytes !== bytes || meta.checksum !== checksum)
      throw storageDamaged(path, `its ${bytes} bytes of state do not fit what it says about the whole`)
    await reader.refuseMore()
    return sha256
  }
}

class FrameReader {
  readonly path: string
  readonly #file: number
  readonly #hash = createHash('sha256')
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  /** Grows to the largest frame. */
  #buffer = Buffer.alloc(0)
  /** Read, and not hashed yet: the last frame is not part of the digest that it holds. */
  #unhashed: readonly Buffer[] = []
  #previous = 0
  position = 0

  constructor(file: number, path: string) {
    this.#file = file
    this.path = path
  }

  /** Of everything before the frame that was read last. Once only. */
  digest(): string {
    return this.#hash.digest('hex')
  }

  async start(): Promise<void> {
    const start = await this.#read(Buffer.alloc(START_BYTES))
    const format = formatOf(start)
    if (format === undefined) throw storageDamaged(this.path, 'its beginning is not that of a backup')
    if (format !== BACKUP_FORMAT) throw otherFormat(this.path, format)
    this.#previous = startChecksumOf(start)
    this.#unhashed = [start]
  }

  /** The next frame. Its data is valid until the one after. */
  async frame(): Promise<{ readonly kind: number; readonly data: Buffer }> {
    for (const bytes of this.#unhashed) this.#hash.update(bytes)
    const at = this.position
    const header = await this.#read(this.#header)
    const { kind, length } = frameHeadOf(header)
    if (length > MAX_FRAME_BYTES) throw this.#damagedAt(at)
    if (this.#buffer.byteLength < length) this.#buffer = Buffer.allocUnsafeSlow(length)
    const data = await this.#read(this.#buffer.subarray(0, length))
    if (!isSoundFrame(header, data, this.#previous)) throw this.#damagedAt(at)
    this.#previous = frameChecksumOf(header)
    this.#unhashed = [header, data]
    return { kind, data }
  }

  async refuseMore(): Promise<void> {
    const count = await realDisk.read(this.#file, Buffer.alloc(1), this.position)
    if (count > 0)
      throw storageDamaged(this.path, `something stands behind its end, at byte ${this.position}`)
  }

  async #read(target: Buffer): Promise<Buffer> {
    const count = await realDisk.read(this.#file, target, this.position)
    this.position += count
    if (count < target.byteLength) throw storageDamaged(this.path, `it ends at byte ${this.position}`)
    return target
  }

  #damagedAt(position: number): RaftError<'STORAGE_DAMAGED'> {
    return storageDamaged(
      this.path,
      `what stands at byte ${position} does not fit its checksum or what comes before it`,
    )
  }
}

function otherFormat(path: string, format: number): RaftError<'INVALID_DIRECTORY'> {
  const advice = format > BACKUP_FORMAT ? 'upgrade Troupe' : 'it was made by an older Troupe'
  const reason = `the backup has format ${format}, this version reads ${BACKUP_FORMAT}: ${advice}`
  return new RaftError('INVALID_DIRECTORY', `${path}: ${reason}`, { path, reason })
}
