/**
 * The part of lmdb that the stores need, with the types it really has (its own leave out callbacks and options).
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Durability, type GroupId, invalidOption, RaftError } from '@troupe/core'
import { open } from 'lmdb'
import { checkLmdbFiles } from './lmdb-file-check.ts'
import { storageDamaged, storageFailed } from './storage-errors.ts'
import { makeDirectory, syncPath } from './sync-files.ts'
import { markUnsynced, refuseUnsynced, unmarkUnsynced } from './unsynced-mark.ts'

/** A named database with bytes as keys and values. */
export interface Database {
  /** Everything put or removed within `write` becomes one transaction. */
  batch(write: () => void): Promise<boolean>
  /**
   * Resolves false where `append` finds a key at or behind this one; without options it fails only as a
   * whole.
   */
  put(key: Uint8Array, value: Uint8Array, options?: { readonly append: true }): Promise<boolean>
  /** `removed` is false where the key was not there. */
  remove(key: Uint8Array, done?: (error: unknown, removed?: boolean) => void): void
  /** A view that the next read overwrites. */
  getBinaryFast(key: Uint8Array): Uint8Array | undefined
  getKeys(range: KeyRange): Iterable<Uint8Array>
  getKeysCount(range: KeyRange): number
  getStats(): { readonly entryCount: number }
}

/** From `start` on, `end` not included; downwards from `start`, itself included, where `reverse` is set. */
export interface KeyRange {
  readonly start?: Uint8Array
  readonly end?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

export interface Environment<Name extends string> {
  readonly path: string
  readonly databases: Readonly<Record<Name, Database>>
  /** Resolves when everything written so far is committed and flushed. */
  readonly flushed: PromiseLike<unknown>
  close(): Promise<void>
}

export interface EnvironmentOptions {
  readonly path: string
  readonly group: GroupId
  readonly durability: Exclude<Durability, 'memory'>
  readonly mapSizeBytes?: number | undefined
}

/** Two databases for each group. */
const MAX_DATABASES = 128

/**
 * Environments open in this thread. All stores on one path share its flags, so they must agree on durability.
 */
const openEnvironments = new Map<string, { durability: Durability; stores: number }>()

function enter(path: string, durability: Durability): void {
  const shared = openEnvironments.get(path) ?? { durability, stores: 0 }
  if (shared.durability !== durability) {
    throw invalidOption('durability', durability, `${shared.durability}, as the other groups in ${path}`)
  }
  shared.stores += 1
  openEnvironments.set(path, shared)
}

function leave(path: string): void {
  const shared = openEnvironments.get(path)
  if (shared === undefined) return
  shared.stores -= 1
  if (shared.stores === 0) openEnvironments.delete(path)
}

/**
 * `eventTurnBatching` off and `txnStartThreshold` 1 let a transaction start within `persist`, and not at the
 * end of the turn: the disk works while the node sends and applies.
 */
function openRoot(options: EnvironmentOptions, path: string) {
  return open({
    path,
    encoding: 'binary',
    compression: false,
    overlappingSync: false,
    noSync: options.durability === 'acked-before-flush',
    maxDbs: MAX_DATABASES,
    eventTurnBatching: false,
    txnStartThreshold: 1,
    ...(options.mapSizeBytes === undefined ? {} : { mapSize: options.mapSizeBytes }),
  } as Parameters<typeof open>[0] & { path: string })
}

/**
 * Opens the environment at `path` and a group's databases in it (`<name>-<group>`), creating what is missing.
 * What is visible may have been written by a process that was killed before its flush: the file is flushed
 * once, so that whatever is found counts as durable.
 * @throws RaftError STORAGE_DAMAGED, STORAGE_FAILED, INVALID_OPTIONS
 */
export function openEnvironment<Name extends string>(
  options: EnvironmentOptions,
  names: readonly Name[],
): Environment<Name> {
  const path = resolve(options.path)
  refuseUnsynced(path)
  enter(path, options.durability)
  try {
    return openDatabases(options, path, names)
  } catch (error) {
    leave(path)
    if (error instanceof RaftError) throw error
    const damaged =
      error instanceof Error && /MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|VERSION)/.test(error.message)
    throw damaged ? storageDamaged(path, error) : storageFailed(path, error)
  }
}

function openDatabases<Name extends string>(
  options: EnvironmentOptions,
  path: string,
  names: readonly Name[],
): Environment<Name> {
  const { group, durability } = options
  const file = join(path, 'data.mdb')
  const isNew = !existsSync(file)
  makeDirectory(path)
  checkLmdbFiles(path)
  if (durability === 'acked-before-flush') markUnsynced(path, group)
  const root = openRoot(options, path)
  const close = async (): Promise<void> => {
    await root.close()
    leave(path)
    if (durability === 'flush-before-ack') return
    syncPath(file)
    unmarkUnsynced(path, group)
  }
  try {
    const opened = names.map((name) => [name, openNamed(root, `${name}-${group}`)] as const)
    const databases = Object.fromEntries(opened) as Record<Name, Database>
    const environment = { path, databases, flushed: root.flushed, close }
    syncPath(file)
    if (isNew) for (const directory of [path, dirname(path)]) syncPath(directory)
    if (durability === 'flush-before-ack') unmarkUnsynced(path, group)
    return environment
  } catch (error) {
    root.close().catch(() => {})
    throw error
  }
}

const openNamed = (root: ReturnType<typeof open>, name: string): Database =>
  root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' }) as unknown as Database

/** What a failed commit rejects with. */
export type CommitError = Error & { readonly commitError?: Promise<never> }

/** Tells why a commit failed: lmdb hands the cause over as a promise of its own, which rejects in the same turn. */
export function reportCommitError(error: CommitError, report: (cause: unknown) => void): void {
  error.commitError?.catch(report)
  setImmediate(report, error)
}
