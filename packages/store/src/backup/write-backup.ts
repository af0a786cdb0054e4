/**
 * Writes backup files.
 *
 *     pieces of a state ─► FILE.<n>.partial ─► flushed ─► read back and verified ─► renamed ─► directory flushed
 *
 * Invariants: a file with the name that was asked for was verified, whole, after its flush; memory does not depend on how
 * large the state is.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { invalidOption, RaftError } from '@troupe/core'
import { realDisk } from '../snapshots/snapshot-disk.ts'
import type { StatePieces } from '../snapshots/snapshot-file.ts'
import { storageFailed } from '../storage-errors.ts'
import {
  type BackupDescription,
  encodeFrameHeader,
  encodeJson,
  encodeStart,
  FrameKind,
  frameChecksumOf,
  startChecksumOf,
} from './backup-format.ts'
import { type VerifiedBackup, verifyBackup } from './read-backup.ts'

export interface WriteBackupOptions {
  /** Replace a file that is there. @default false */
  readonly force?: boolean | undefined
  /** Told after each piece how many bytes of the state are written. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

/**
 * Writes a backup file, reads it back and verifies it; before that it does not have its name. Streams.
 * @throws RaftError INVALID_OPTIONS where the file is there already; STORAGE_FAILED where it cannot be written, or is not
 *   read back as it was written; what the pieces throw: then nothing is left of it
 */
export async function writeBackup(
  path: string,
  description: BackupDescription,
  pieces: StatePieces,
  options: WriteBackupOptions = {},
): Promise<VerifiedBackup> {
  refuseExisting(path, options)
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`
  try {
    const sha256 = await writePartial(partial, description, pieces, options)
    const verified = await readBack(partial, sha256)
    refuseExisting(path, options)
    await realDisk.rename(partial, path)
    await realDisk.flushNames(dirname(path))
    return { ...verified, path }
  } catch (error) {
    throw error instanceof RaftError ? error : storageFailed(path, error)
  } finally {
    rmSync(partial, { force: true })
  }
}

function refuseExisting(path: string, { force = false }: WriteBackupOptions): void {
  if (force || !existsSync(path)) return
  throw invalidOption('file', path, 'a file that does not exist yet: it is only replaced by force')
}

async function writePartial(
  path: string,
  description: BackupDescription,
  pieces: StatePieces,
  { onProgress }: WriteBackupOptions,
): Promise<string> {
  const file = await realDisk.create(path, false)
  try {
    const writer = new FrameWriter(file)
    await writer.frame(FrameKind.description, [encodeJson(description)])
    const end = { pieces: 0, bytes: 0, checksum: 0 }
    for await (const parts of pieces()) {
      for (const part of parts) {
        end.bytes += part.byteLength
        end.checksum = crc32(part, end.checksum)
      }
      end.pieces++
      await writer.frame(FrameKind.state, parts)
      onProgress?.(end.bytes)
    }
    const sha256 = writer.sha256()
    await writer.frame(FrameKind.end, [encodeJson({ ...end, sha256 })])
    await realDisk.flush(file)
    return sha256
  } finally {
    await realDisk.close(file)
  }
}

class FrameWriter {
  readonly #file: number
  readonly #hash = createHash('sha256')
  #position = 0
  #previous = 0
  #isBegun = false

  constructor(file: number) {
    this.#file = file
  }

  async frame(kind: FrameKind, parts: readonly Uint8Array[]): Promise<void> {
    if (!this.#isBegun) await this.#begin()
    const header = encodeFrameHeader(kind, parts, this.#previous)
    this.#previous = frameChecksumOf(header)
    await this.#write([header, ...parts])
  }

  async #begin(): Promise<void> {
    this.#isBegun = true
    const start = encodeStart()
    this.#previous = startChecksumOf(start)
    await this.#write([start])
  }

  async #write(buffers: readonly Uint8Array[]): Promise<void> {
    await realDisk.write(this.#file, buffers, this.#position)
    for (const buffer of buffers) {
      this.#hash.update(buffer)
      this.#position += buffer.byteLength
    }
  }

  /** Of everything so far. */
  sha256(): string {
    return this.#hash.copy().digest('hex')
  }
}

async function readBack(path: string, sha256: string): Promise<VerifiedBackup> {
  let reason = 'it is another file'
  try {
    const verified = await verifyBackup(path)
    if (verified.sha256 === sha256) return verified
  } catch (error) {
    reason = (error as Error).message
  }
  throw storageFailed(path, `what is read back is not what was written: ${reason}`)
}
