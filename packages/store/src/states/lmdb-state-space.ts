/** A named database of a state's environment, as the port of core/state-storage.ts has it. */
import {
  invariant,
  type MachineStorage,
  type StorageEntry,
  type StorageRange,
  type StorageView,
} from '@troupe/core'

/** LMDB's bound for a key with pages of 4 KiB. */
const MAX_KEY_BYTES = 1978
/** Nothing lies before it: LMDB has no empty key. */
const FIRST_KEY = Uint8Array.of(0)

/** A transaction that reads: what it sees stays as it is. */
export interface ReadTransaction {
  done(): void
}

interface ReadOptions {
  readonly transaction?: ReadTransaction
}

/** The part of an lmdb database that this needs, with the types it really has. Within a write transaction all is of that. */
export interface StateDatabase {
  /** A view that the next read overwrites; its length is a property of its own. */
  getBinaryFast(key: Uint8Array, options?: ReadOptions): { readonly length: number } | undefined
  putSync(key: Uint8Array, value: Uint8Array): boolean
  removeSync(key: Uint8Array): boolean
  clearSync(): void
  getRange(range: ReadOptions & LmdbRange): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>
  getStats(): { readonly entryCount: number }
  useReadTransaction(): ReadTransaction
}

interface LmdbRange {
  readonly start?: Uint8Array
  readonly end?: Uint8Array
  readonly exclusiveStart?: boolean
  readonly inclusiveEnd?: boolean
  readonly reverse?: boolean
  readonly limit?: number
}

const LATEST: ReadOptions = {}

/** Which database is the present one, and whether it may be written to. */
export interface SpaceHost {
  readonly isInBatch: boolean
  opened(view: StorageView): void
  closed(view: StorageView): void
}

/** Another database takes the place of this one when a draft is adopted. */
export class LmdbStateSpace implements MachineStorage {
  readonly maxKeyBytes = MAX_KEY_BYTES
  readonly #host: SpaceHost
  #database: StateDatabase

  constructor(database: StateDatabase, host: SpaceHost) {
    this.#database = database
    this.#host = host
  }

  replace(database: StateDatabase): void {
    this.#database = database
  }

  get count(): number {
    return this.#database.getStats().entryCount
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return bytesOf(this.#database.getBinaryFast(key, LATEST))
  }

  entries(range: StorageRange = {}): Iterable<StorageEntry> {
    return entriesOf(this.#database, range, LATEST)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    invariant(this.#host.isInBatch, 'a write outside of a batch')
    this.#database.putSync(key, value)
  }

  remove(key: Uint8Array): boolean {
    invariant(this.#host.isInBatch, 'a write outside of a batch')
    return this.#database.removeSync(key)
  }

  clear(): void {
    invariant(this.#host.isInBatch, 'a write outside of a batch')
    this.#database.clearSync()
  }

  view(): StorageView {
    invariant(!this.#host.isInBatch, 'a view is taken between batches')
    const view = new LmdbStateView(this.#database, this.#host)
    this.#host.opened(view)
    return view
  }
}

/** No cursor lives longer than a call: closing a transaction with one open crashes the process. */
class LmdbStateView implements StorageView {
  readonly count: number
  readonly #database: StateDatabase
  readonly #host: SpaceHost
  readonly #options: { readonly transaction: ReadTransaction }
  #isOpen = true

  constructor(database: StateDatabase, host: SpaceHost) {
    this.#database = database
    this.#host = host
    this.count = database.getStats().entryCount
    this.#options = { transaction: database.useReadTransaction() }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen()
    return bytesOf(this.#database.getBinaryFast(key, this.#options))
  }

  entries(range: StorageRange = {}): Iterable<StorageEntry> {
    this.#checkOpen()
    return entriesOf(this.#database, range, this.#options)
  }

  /** Within a batch lmdb would read what that has written. */
  #checkOpen(): void {
    invariant(this.#isOpen, 'a read of a view that is closed')
    invariant(!this.#host.isInBatch, 'a read of a view within a batch')
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#options.transaction.done()
    this.#host.closed(this)
  }
}

/** Of plain bytes: lmdb's buffer says how many it holds by a property that hides the real one. */
function bytesOf(found: { readonly length: number } | undefined): Uint8Array | undefined {
  if (found === undefined) return undefined
  const { buffer, byteOffset } = found as unknown as Uint8Array
  return new Uint8Array(buffer, byteOffset, found.length)
}

function* entriesOf(
  database: StateDatabase,
  range: StorageRange,
  options: ReadOptions,
): Generator<StorageEntry, undefined, undefined> {
  for (const { key, value } of database.getRange({ ...options, ...lmdbRangeOf(range) })) yield [key, value]
  return undefined
}

/** LMDB goes from its start to its end in either direction, by default without the end. */
function lmdbRangeOf({ from, after, to, reverse = false, limit }: StorageRange): LmdbRange {
  const bound = limit === undefined ? {} : { limit }
  const isAfter = after !== undefined
  const low = after ?? from
  if (!reverse) {
    return {
      ...(low === undefined ? {} : { start: low, exclusiveStart: isAfter }),
      ...(to === undefined ? {} : { end: to }),
      ...bound,
    }
  }
  return {
    reverse,
    ...(to === undefined ? {} : { start: to, exclusiveStart: true }),
    end: low ?? FIRST_KEY,
    inclusiveEnd: !isAfter,
    ...bound,
  }
}
