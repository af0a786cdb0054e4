/** One segment of a log: an LMDB environment that is opened when it is first needed, and unlinked as a whole. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Durability } from '@troupe/core'
import { commit, type Database, openDatabase, storedBytes } from '../lmdb-database.ts'
import { syncPath } from '../sync-files.ts'
import {
  EntryKey,
  encodeHeader,
  HEADER_KEY,
  LOG_FORMAT,
  type LogOwner,
  type SegmentPlace,
} from './segment-records.ts'

const SEQUENCE_DIGITS = 12

export const segmentName = (sequence: number): string => String(sequence).padStart(SEQUENCE_DIGITS, '0')

/** The sequence that a directory's name stands for; undefined where it is no segment. */
export function sequenceOf(name: string): number | undefined {
  return /^\d{12}$/.test(name) ? Number(name) : undefined
}

export interface SegmentOptions {
  readonly logPath: string
  readonly sequence: number
  readonly durability: Exclude<Durability, 'memory'>
  readonly mapSizeBytes: number
}

const entryKey = new EntryKey()

export class Segment implements SegmentPlace {
  readonly sequence: number
  readonly path: string
  /** Set when it is put to use; 0 before. */
  firstIndex = 0
  /** Record bytes and entries written to it, those that were removed since included. */
  bytes = 0
  entryCount = 0
  readonly #options: SegmentOptions
  #database: Database | undefined
  #closing: Promise<void> | undefined

  constructor(options: SegmentOptions) {
    this.#options = options
    this.sequence = options.sequence
    this.path = join(options.logPath, segmentName(options.sequence))
  }

  /** Makes the files now, on the disk with their names. Takes some milliseconds of this thread: do it ahead. */
  create(): void {
    this.database
    if (this.#options.durability === 'acked-before-flush') return
    for (const path of [this.path, this.#options.logPath]) syncPath(path)
  }

  get database(): Database {
    const { durability, mapSizeBytes } = this.#options
    this.#database ??= openDatabase({ path: this.path, durability, mapSizeBytes })
    return this.#database
  }

  /** One transaction, one flush. */
  commit(write: () => void): Promise<unknown> {
    return commit(this.database, write)
  }

  /** To be called within a commit, as its first write. */
  begin(firstIndex: number, owner: LogOwner, before: readonly SegmentPlace[]): void {
    this.firstIndex = firstIndex
    const { sequence } = this
    const places = before.map((place) => ({ sequence: place.sequence, firstIndex: place.firstIndex }))
    const header = { format: LOG_FORMAT, sequence, firstIndex, owner, before: places }
    void this.database.put(HEADER_KEY, encodeHeader(header))
  }

  /** The record of an entry, valid until the next read; undefined where it is not here. */
  view(index: number): Uint8Array | undefined {
    return storedBytes(this.database, entryKey.of(index))
  }

  close(): Promise<void> {
    this.#closing ??= this.#database === undefined ? Promise.resolve() : this.#database.close()
    return this.#closing
  }

  /** Gives its disk back. What is left of it after a crash counts for nothing, and goes at the next start. */
  async remove(): Promise<void> {
    await this.close()
    // Not by this thread: a file of a segment's size takes tens of milliseconds to unlink.
    await rm(this.path, { recursive: true, force: true })
  }
}
