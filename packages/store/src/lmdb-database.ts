/**
 * The part of lmdb that the stores need, with the types it really has (its own leave out callbacks and options): an
 * environment with one unnamed database of bytes.
 */
import { join } from 'node:path'
import { type Durability, RaftError } from '@troupe/core'
import { open } from 'lmdb'
import { checkLmdbFiles } from './lmdb-file-check.ts'
import { storageDamaged, storageFailed } from './storage-errors.ts'
import { makeDirectory } from './sync-files.ts'

export interface Database {
  /** Everything put or removed within `write` becomes one transaction. */
  batch(write: () => void): Promise<boolean>
  /** The same within this call, committed and, where flushes are on, flushed when it returns. */
  transactionSync(write: () => void): void
  /** Resolves false where `append` finds a key at or behind this one; without options it fails only as a whole. */
  put(key: Uint8Array, value: Uint8Array, options?: { readonly append: true }): Promise<boolean>
  /** `removed` is false where the key was not there. */
  remove(key: Uint8Array, done?: (error: unknown, removed?: boolean) => void): void
  /** A view that the next read overwrites; its `length` is right, its `byteLength` is not. */
  getBinaryFast(key: Uint8Array): Uint8Array | undefined
  /** Resolves when everything written so far is committed and flushed. */
  readonly flushed: PromiseLike<unknown>
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** A directory; made where it is missing. Its last part has no dot: lmdb would take it for a file. */
  readonly path: string
  readonly durability: Exclude<Durability, 'memory'>
  /** Address space to reserve at first; it grows by itself. */
  readonly mapSizeBytes?: number | undefined
}

/**
 * Opens the environment at `path`, creating it where it is missing. Whoever does not know that the file is sound reads it
 * first (`readLmdbFile`): on damaged pages LMDB ends the process.
 *
 * `eventTurnBatching` off and `txnStartThreshold` 1 let a transaction start within {@link commit}, and not at the end of
 * the turn: the disk works while the node sends and applies.
 *
 * @throws RaftError STORAGE_DAMAGED where it is no LMDB file; STORAGE_FAILED where it cannot be opened
 */
export function openDatabase({ path, durability, mapSizeBytes }: DatabaseOptions): Database {
  try {
    makeDirectory(path)
    checkLmdbFiles(path)
    return open({
      path,
      encoding: 'binary',
      keyEncoding: 'binary',
      compression: false,
      overlappingSync: false,
      noSync: durability === 'acked-before-flush',
      maxDbs: 1,
      eventTurnBatching: false,
      txnStartThreshold: 1,
      ...(mapSizeBytes === undefined ? {} : { mapSize: mapSizeBytes }),
    } as Parameters<typeof open>[0] & { path: string }) as unknown as Database
  } catch (error) {
    if (error instanceof RaftError) throw error
    const isDamage =
      error instanceof Error && /MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|VERSION)/.test(error.message)
    throw isDamage ? storageDamaged(path, error) : storageFailed(path, error)
  }
}

const nothing = (): void => {}

/**
 * One transaction and one flush of what `write` puts and removes. lmdb starts a transaction when its threshold of writes
 * is passed, at the end of the turn otherwise. A batch counts once it is complete, so an empty one behind it passes the
 * threshold: both run as one transaction.
 */
export function commit(database: Database, write: () => void): Promise<unknown> {
  const committed = database.batch(write)
  const started = database.batch(nothing)
  return Promise.all([committed, started, database.flushed])
}

/** What is stored under `key`, valid until the next read. */
export function storedBytes(database: Database, key: Uint8Array): Uint8Array | undefined {
  const bytes = database.getBinaryFast(key)
  // lmdb's buffer claims a `byteLength` that slices follow, not its `length`.
  return bytes && new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

export const dataFileOf = (path: string): string => join(path, 'data.mdb')

/** What a failed commit rejects with. */
export type CommitError = Error & { readonly commitError?: Promise<never> }

/** Tells why a commit failed: lmdb hands the cause over as a promise of its own, which rejects in the same turn. */
export function causeOf(error: CommitError): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>()
  error.commitError?.catch(resolve)
  setImmediate(resolve, error)
  return promise
}
