/** One LMDB environment of a state that is kept on the disk: its databases, its identity, its batches. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { invariant, RaftError, type StateSpaces, type StorageView } from '@troupe/core'
import { open } from 'lmdb'
import { checkLmdbFiles } from '../lmdb-file-check.ts'
import { storageDamaged, storageFailed } from '../storage-errors.ts'
import { makeDirectory } from '../sync-files.ts'
import { LmdbStateSpace, type SpaceHost, type StateDatabase } from './lmdb-state-space.ts'

/** Address space, not memory and not disk: the map never has to be moved. */
const MAP_BYTES = 2 ** 40
const IDENTITY_KEY = new TextEncoder().encode('identity')
/** Commit before the call returns, without a flush. */
const COMMIT_UNFLUSHED = 2

interface Root {
  openDB(options: object): StateDatabase
  transactionSync(run: () => void, flags: number): void
  close(): Promise<void>
}

export class StateEnvironment implements StateSpaces, SpaceHost {
  readonly path: string
  readonly machine: LmdbStateSpace
  readonly replica: LmdbStateSpace
  readonly databases: { readonly machine: StateDatabase; readonly replica: StateDatabase }
  readonly #root: Root
  readonly #identity: StateDatabase
  readonly #views = new Set<StorageView>()
  #isInBatch = false
  #closing: Promise<void> | undefined

  private constructor(path: string, root: Root) {
    const database = (name: string): StateDatabase =>
      root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
    this.path = path
    this.#root = root
    this.#identity = database('identity')
    this.databases = { machine: database('machine'), replica: database('replica') }
    this.machine = new LmdbStateSpace(this.databases.machine, this)
    this.replica = new LmdbStateSpace(this.databases.replica, this)
  }

  /**
   * Makes one that bears an identity.
   * @throws RaftError STORAGE_FAILED
   */
  static create(path: string, identity: string): StateEnvironment {
    try {
      makeDirectory(path)
    } catch (error) {
      throw storageFailed(path, error)
    }
    const made = StateEnvironment.#open(path)
    made.batch(() => made.#identity.putSync(IDENTITY_KEY, new TextEncoder().encode(identity)))
    return made
  }

  /**
   * Opens the one that is there.
   * @throws RaftError STORAGE_DAMAGED where it is none, or bears another identity; STORAGE_FAILED
   */
  static find(path: string, identity: string): StateEnvironment {
    if (!existsSync(join(path, 'data.mdb'))) throw storageDamaged(path, 'data.mdb is not there')
    checkLmdbFiles(path)
    const found = StateEnvironment.#open(path)
    const bytes = found.#identity.getBinaryFast(IDENTITY_KEY)
    const borne = bytes && new TextDecoder().decode((bytes as Uint8Array).subarray(0, bytes.length))
    if (borne === identity) return found
    found.close().catch(() => {})
    throw storageDamaged(path, `it belongs to ${borne ?? 'nobody'}, expected ${identity}`)
  }

  static #open(path: string): StateEnvironment {
    const options = {
      path,
      encoding: 'binary',
      compression: false,
      overlappingSync: false,
      noSync: true,
      noMemInit: true,
      maxDbs: 4,
      mapSize: MAP_BYTES,
    }
    try {
      return new StateEnvironment(
        path,
        open(options as Parameters<typeof open>[0] & { path: string }) as unknown as Root,
      )
    } catch (error) {
      const isDamaged =
        error instanceof Error && /MDB_(INVALID|CORRUPTED|PAGE_NOTFOUND|VERSION)/.test(error.message)
      throw isDamaged ? storageDamaged(path, error) : storageFailed(path, error)
    }
  }

  get isInBatch(): boolean {
    return this.#isInBatch
  }

  opened(view: StorageView): void {
    this.#views.add(view)
  }

  closed(view: StorageView): void {
    this.#views.delete(view)
  }

  /** @throws RaftError STORAGE_FAILED where it cannot be committed, and what `run` throws */
  batch(run: () => void): void {
    invariant(!this.#isInBatch, 'a batch within a batch')
    let thrown: { readonly error: unknown } | undefined
    const guarded = (): void => {
      try {
        run()
      } catch (error) {
        thrown = { error }
        throw error
      }
    }
    this.#isInBatch = true
    try {
      this.#root.transactionSync(guarded, COMMIT_UNFLUSHED)
    } catch (error) {
      throw thrown === undefined && !(error instanceof RaftError) ? storageFailed(this.path, error) : error
    } finally {
      this.#isInBatch = false
    }
  }

  /** Idempotent. Views are closed with it. */
  close(): Promise<void> {
    for (const view of this.#views) view.close()
    this.#closing ??= Promise.resolve(this.#root.close())
    return this.#closing
  }
}
