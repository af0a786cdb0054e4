/**
 * The log and hard state of a group in LMDB: one value per entry, the entry's record as it is.
 *
 *     persist ──► WriteQueue ──► batch: remove, put, put ... ──► one commit, one flush ──► onPersisted
 *                    ▲                                                       │
 *                    └──────── what arrives meanwhile is the next batch ◄────┘
 *
 * Invariants: at most one transaction is in flight; `firstIndex..lastIndex` are flushed entries without a
 * gap; after a failure nothing is written and nothing completes. Why lmdb's checks are enough: a put without
 * options fails only together with its whole transaction; the first put of a batch has `append`, which fails
 * where something stands at or behind its place (another writer); each removal reports whether its key was
 * there.
 */
import { crc32 } from 'node:zlib'
import {
  type Durability,
  decodeEntry,
  ENTRY_HEADER_BYTES,
  type Entry,
  entryIsIntact,
  type GroupId,
  type HardState,
  invalidOption,
  invariant,
  type LogStore,
  type PersistRequest,
  type RaftError,
  type StoreEvents,
  type StoreMetrics,
} from '@troupe/core'
import { decodeHardState, encodeHardState } from './hard-state-record.ts'
import { type Environment, openEnvironment } from './lmdb-environment.ts'
import { storageDamaged, storageFailed } from './storage-errors.ts'
import { type WriteBatch, WriteQueue } from './write-queue.ts'

export interface LmdbLogStoreOptions {
  /** Directory of the environment; created where it is missing. All groups of a node share one. */
  readonly path: string
  /** @default 0 */
  readonly group?: GroupId | undefined
  /**
   * - `flush-before-ack`: a token is reported after its commit was flushed.
   * - `acked-before-flush`: after its commit was handed to the operating system (LMDB's noSync). Survives the
   *   death of the process. A power loss may lose or garble the environment: it is refused after a restart of
   *   the machine (STORAGE_DAMAGED) unless it was closed before. Where there is no boot id (not Linux) that
   *   goes unnoticed.
   * @default 'flush-before-ack'
   */
  readonly durability?: Exclude<Durability, 'memory'> | undefined
  readonly events: StoreEvents
  /** Address space to reserve at first, in bytes; it grows by itself. @default LMDB's choice */
  readonly mapSizeBytes?: number | undefined
  /** Index of the first entry of a log that is empty; ignored for one that is not. @default 1 */
  readonly startIndex?: number | undefined
}

/**
 * Opens the LogStore of a group in an LMDB environment.
 *
 * `firstIndex`, `lastIndex`, `termAt` and `read` know what is flushed: they change when a request completes,
 * just before `onPersisted`, and still show the old log while a persist is in flight. `hardState` is what was
 * handed over last. Records handed over are neither changed nor transferred until their token completes: LMDB
 * reads them from another thread. Entries that are read own their memory.
 *
 * @throws RaftError STORAGE_DAMAGED where the last entry or the hard state is damaged, or entries are missing;
 *   STORAGE_FAILED where LMDB cannot open; INVALID_OPTIONS
 */
export function openLmdbLogStore(options: LmdbLogStoreOptions): LogStore {
  const { path, group = 0, durability = 'flush-before-ack', startIndex = 1, mapSizeBytes } = options
  if (!Number.isSafeInteger(startIndex) || startIndex < 1) {
    throw invalidOption('startIndex', startIndex, 'an integer of at least 1')
  }
  const environment = openEnvironment({ path, group, durability, mapSizeBytes })
  try {
    return new LmdbLogStore(environment, group, durability, startIndex, options.events)
  } catch (error) {
    environment.close().catch(() => {})
    throw error
  }
}

const HARD_STATE_KEY = new Uint8Array([1])
const APPEND = { append: true } as const
const KEY_BYTES = 8
const nothing = (): void => {}

class LmdbLogStore implements LogStore {
  readonly durability: Durability
  readonly metrics: StoreMetrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  hardState: HardState = { term: 0, vote: '' }
  readonly #environment: Environment
  readonly #group: GroupId
  readonly #events: StoreEvents
  readonly #queue: WriteQueue
  /** lmdb copies a key when it is handed over, so one buffer serves all. */
  readonly #key = new Uint8Array(KEY_BYTES)
  readonly #keyView = new DataView(this.#key.buffer)
  #firstIndex: number
  #lastIndex: number
  /** Whether the first put of the batch in flight found its place free; undefined where there is none. */
  #placed: Promise<boolean> | undefined
  #removalMissed = false
  #failed = false
  #closing: Promise<void> | undefined
  #drained: PromiseWithResolvers<void> | undefined

  constructor(
    environment: Environment,
    group: GroupId,
    durability: Durability,
    startIndex: number,
    events: StoreEvents,
  ) {
    this.#environment = environment
    this.#group = group
    this.durability = durability
    this.#events = events
    this.#firstIndex = startIndex
    this.#lastIndex = startIndex - 1
    this.#findBounds()
    this.#findHardState()
    this.#queue = new WriteQueue(this.#firstIndex, this.#lastIndex + 1)
  }

  get firstIndex(): number {
    return this.#firstIndex
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  termAt(index: number): number | undefined {
    if (!(index >= this.#firstIndex && index <= this.#lastIndex)) return undefined
    const record = this.#view(index)
    if (record.byteLength < ENTRY_HEADER_BYTES) throw this.#damaged(`entry ${index} is cut off`)
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
    if (view.getFloat64(8, true) !== index) throw this.#damaged(`entry ${index} is another one`)
    return view.getFloat64(16, true)
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    invariant(
      from >= this.#firstIndex && from <= to && to <= this.#lastIndex,
      `read of ${from}..${to} from a log ${this.#firstIndex}..${this.#lastIndex}`,
    )
    const entries: Entry[] = []
    let bytes = 0
    let term = 0
    for (let index = from; index <= to; index++) {
      const view = this.#view(index)
      bytes += view.byteLength
      if (index > from && bytes > maxBytes) break
      const entry = this.#verified(index, view.slice())
      if (entry.term < term) throw this.#damaged(`entry ${index} has term ${entry.term} after term ${term}`)
      term = entry.term
      entries.push(entry)
    }
    return entries
  }

  persist(request: PersistRequest): void {
    invariant(this.#closing === undefined, 'persist after close')
    if (this.#failed) return
    const atOnce = this.#queue.add(request)
    if (request.hardState !== undefined) this.hardState = request.hardState
    if (atOnce) {
      const { token } = request
      queueMicrotask(() => this.#reportIdle(token))
    } else if (this.#queue.inFlight === undefined) {
      this.#flush()
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#queue.inFlight !== undefined && !this.#failed) {
      this.#drained = Promise.withResolvers()
      await this.#drained.promise
    }
    await this.#environment.close()
  }

  #reportIdle(token: number): void {
    if (!this.#failed) this.#events.onPersisted(token)
  }

  #flush(): void {
    this.#queue.take()
    this.#placed = undefined
    this.#removalMissed = false
    const { log, flushed } = this.#environment
    // lmdb starts a transaction when its threshold of writes is passed, at the end of the turn otherwise. A
    // batch counts once it is complete, so an empty one behind it passes the threshold: both run as one
    // transaction.
    const committed = log.batch(this.#writeInFlight)
    const started = log.batch(nothing)
    Promise.all([this.#placed, committed, started, flushed]).then(this.#onFlushed, this.#onFlushFailed)
  }

  readonly #writeInFlight = (): void => {
    const batch = this.#queue.inFlight as WriteBatch
    const { log, state } = this.#environment
    const { truncateFrom, entries, hardState } = batch
    if (truncateFrom !== undefined) {
      for (let index = truncateFrom; index <= this.#lastIndex; index++) {
        log.remove(this.#keyOf(index), this.#onRemoved)
      }
    }
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry
      const key = this.#keyOf(entry.index)
      if (i === 0) this.#placed = log.put(key, unshared(entry.record), APPEND)
      else void log.put(key, unshared(entry.record))
    }
    if (hardState !== undefined) void state.put(HARD_STATE_KEY, encodeHardState(hardState))
  }

  readonly #onRemoved = (_error: unknown, removed?: boolean): void => {
    if (removed === false) this.#removalMissed = true
  }

  readonly #onFlushed = ([placed]: readonly [boolean | undefined, ...unknown[]]): void => {
    if (placed === false || this.#removalMissed) {
      this.#fail('the log on the disk is not the one that was written: is there another writer?')
      return
    }
    const batch = this.#queue.inFlight as WriteBatch
    const { token } = batch
    this.#account(batch)
    this.#queue.release()
    if (this.#queue.hasContent) this.#flush()
    else this.#drained?.resolve()
    this.#events.onPersisted(token)
  }

  #account(batch: WriteBatch): void {
    const { truncateFrom, entries } = batch
    if (truncateFrom !== undefined) this.#lastIndex = Math.min(this.#lastIndex, truncateFrom - 1)
    for (const entry of entries) this.metrics.bytesFlushed += entry.record.byteLength
    this.#lastIndex += entries.length
    this.metrics.entriesFlushed += entries.length
    this.metrics.flushes += 1
  }

  /** lmdb hands the cause over as a promise of its own, which rejects in the same turn. */
  readonly #onFlushFailed = (error: Error & { commitError?: Promise<never> }): void => {
    error.commitError?.catch((cause: unknown) => this.#fail(cause))
    setImmediate(() => this.#fail(error))
  }

  #fail(cause: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#drained?.resolve()
    const error: RaftError<'STORAGE_FAILED'> = storageFailed(this.#environment.path, cause)
    this.#events.onFailed(error)
  }

  #keyOf(index: number): Uint8Array {
    this.#keyView.setUint32(0, Math.floor(index / 2 ** 32))
    this.#keyView.setUint32(4, index >>> 0)
    return this.#key
  }

  /**
   * The stored bytes, valid until the next read: lmdb's buffer claims a `length` that slices do not follow.
   */
  #view(index: number): Uint8Array {
    const bytes = this.#environment.log.getBinaryFast(this.#keyOf(index))
    if (bytes === undefined) throw this.#damaged(`entry ${index} is missing`)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  #verified(index: number, record: Uint8Array): Entry {
    const entry = decodeEntry(record)
    if (entry === undefined) throw this.#damaged(`entry ${index} has no valid header`)
    if (!entryIsIntact(record, crc32)) throw this.#damaged(`entry ${index} does not fit its checksum`)
    if (entry.index !== index) throw this.#damaged(`entry ${index} says it is ${entry.index}`)
    return entry
  }

  /** The ends of the log by its keys, its lack of gaps by their count, its last entry by its checksum. */
  #findBounds(): void {
    const { log } = this.#environment
    const first = this.#edge(false)
    const last = this.#edge(true)
    if (first === undefined || last === undefined) return
    const { entryCount } = log.getStats()
    if (entryCount !== last - first + 1) {
      throw this.#damaged(`${entryCount} entries in a log ${first}..${last}`)
    }
    this.#verified(last, this.#view(last).slice())
    this.#firstIndex = first
    this.#lastIndex = last
  }

  #edge(reverse: boolean): number | undefined {
    const [key] = this.#environment.log.getKeys({ reverse, limit: 1 })
    if (key === undefined) return undefined
    if (key.byteLength !== KEY_BYTES) throw this.#damaged('a key of the log is not an index')
    const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES)
    return view.getUint32(0) * 2 ** 32 + view.getUint32(4)
  }

  #findHardState(): void {
    const bytes = this.#environment.state.getBinaryFast(HARD_STATE_KEY)
    if (bytes === undefined) return
    const state = decodeHardState(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
    if (state === undefined) throw this.#damaged('the hard state does not fit its checksum')
    this.hardState = state
  }

  #damaged(reason: string): RaftError<'STORAGE_DAMAGED'> {
    return storageDamaged(this.#environment.path, `group ${this.#group}: ${reason}`)
  }
}

/**
 * lmdb takes the address of the bytes: shared memory crashed the process there (see FIELD-NOTES), so it is
 * copied.
 */
const unshared = (record: Uint8Array): Uint8Array =>
  record.buffer instanceof SharedArrayBuffer ? record.slice() : record
