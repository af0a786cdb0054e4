/**
 * The log and hard state of a group in LMDB: one value per entry, the entry's record as it is.
 *
 *     persist ──► WriteQueue ──► batch: remove, put, put ... ──► one commit, one flush ──► onPersisted
 *                    ▲                                                       │
 *                    └──────── what arrives meanwhile is the next batch ◄────┘
 *
 * Invariants: at most one transaction is in flight; what is behind `base` up to `lastIndex` are flushed entries
 * without a gap; after a failure nothing is written and nothing completes. Why lmdb's checks are enough: a put
 * without options fails only together with its whole transaction; the first put of the entries of a batch has
 * `append`, which fails where something stands at or behind its place (another writer); each removal of a
 * truncation reports whether its key was there.
 *
 * A compaction or a reset moves the base in its transaction, and that is all: what stands at or below the base counts
 * for nothing, and later batches take it away, a bounded number of entries each, never fewer than they add. A
 * batch that has nothing to write is not begun for it: while nothing is written nothing grows either.
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
  INITIAL_HARD_STATE,
  type IndexRange,
  invalidOption,
  invariant,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  type RaftError,
  type StoreEvents,
  type StoreMetrics,
} from '@troupe/core'
import { type CommitError, type Environment, openEnvironment, reportCommitError } from './lmdb-environment.ts'
import { decodeHardState, decodePosition, encodeHardState, encodePosition } from './state-records.ts'
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
  /** What a new log begins behind; ignored for one that has been written to. @default 0/0 */
  readonly base?: LogPosition | undefined
}

/**
 * Opens the LogStore of a group in an LMDB environment.
 *
 * `base`, `lastIndex`, `termAt` and `read` know what is flushed: they change when a request completes,
 * just before `onPersisted`, and still show the old log while a persist is in flight. `hardState` is what was
 * handed over last. Records handed over are neither changed nor transferred until their token completes: LMDB
 * reads them from another thread. Entries that are read own their memory.
 *
 * @throws RaftError STORAGE_DAMAGED where the last entry or the hard state is damaged, or entries are missing;
 *   STORAGE_FAILED where LMDB cannot open; INVALID_OPTIONS
 */
export function openLmdbLogStore(options: LmdbLogStoreOptions): LogStore {
  const { path, group = 0, durability = 'flush-before-ack', base = NEW_LOG, mapSizeBytes } = options
  for (const [field, value] of Object.entries({ index: base.index, term: base.term })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw invalidOption(`base.${field}`, value, 'an integer of at least 0')
    }
  }
  const environment = openEnvironment({ path, group, durability, mapSizeBytes }, ['log', 'state'])
  try {
    return new LmdbLogStore(environment, group, durability, base, options.events)
  } catch (error) {
    environment.close().catch(() => {})
    throw error
  }
}

const NEW_LOG: LogPosition = { index: 0, term: 0 }
const HARD_STATE_KEY = new Uint8Array([1])
const BASE_KEY = new Uint8Array([2])
/** Entries that a batch takes away below the base, beside as many as it adds. */
const SWEEP_ENTRIES = 128
const APPEND = { append: true } as const
const KEY_BYTES = 8
const nothing = (): void => {}

class LmdbLogStore implements LogStore {
  readonly durability: Durability
  readonly metrics: StoreMetrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  /** Damage is refused at open, as a whole. */
  readonly damaged: readonly IndexRange[] = []
  hardState: HardState = INITIAL_HARD_STATE
  readonly #environment: Environment<'log' | 'state'>
  readonly #group: GroupId
  readonly #events: StoreEvents
  readonly #queue: WriteQueue
  /** lmdb copies a key when it is handed over, so one buffer serves all. */
  readonly #key = new Uint8Array(KEY_BYTES)
  readonly #keyView = new DataView(this.#key.buffer)
  #base: LogPosition
  /** Whether the base stands on the disk, or is the one of a new log. */
  #baseIsKnown: boolean
  #lastIndex: number
  /** Nothing is stored up to here; from here to the base there may be entries that count no more. */
  #sweptTo: number
  /** Whether the first put of the batch in flight found its place free; undefined where there is none. */
  #placed: Promise<boolean> | undefined
  #removalMissed = false
  #failed = false
  #closing: Promise<void> | undefined
  #drained: PromiseWithResolvers<void> | undefined

  constructor(
    environment: Environment<'log' | 'state'>,
    group: GroupId,
    durability: Durability,
    base: LogPosition,
    events: StoreEvents,
  ) {
    this.#environment = environment
    this.#group = group
    this.durability = durability
    this.#events = events
    const found = this.#find(BASE_KEY, decodePosition, 'the base of the log')
    this.#base = found ?? (this.#edge(false) === undefined ? { ...base } : NEW_LOG)
    this.#baseIsKnown = found !== undefined || this.#base.index === 0
    this.#sweptTo = this.#base.index
    this.#lastIndex = this.#base.index
    this.#findBounds()
    this.hardState = this.#find(HARD_STATE_KEY, decodeHardState, 'the hard state') ?? INITIAL_HARD_STATE
    this.#queue = new WriteQueue(this.#base.index, this.#lastIndex + 1)
  }

  get base(): LogPosition {
    return this.#base
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  termAt(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term
    if (!(index > this.#base.index && index <= this.#lastIndex)) return undefined
    const record = this.#view(index)
    if (record.byteLength < ENTRY_HEADER_BYTES) throw this.#damaged(`entry ${index} is cut off`)
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
    if (view.getFloat64(8, true) !== index) throw this.#damaged(`entry ${index} is another one`)
    return view.getFloat64(16, true)
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    invariant(
      from > this.#base.index && from <= to && to <= this.#lastIndex,
      `read of ${from}..${to} from a log ${this.#base.index + 1}..${this.#lastIndex}`,
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
    const { databases, flushed } = this.#environment
    const { log } = databases
    // lmdb starts a transaction when its threshold of writes is passed, at the end of the turn otherwise. A
    // batch counts once it is complete, so an empty one behind it passes the threshold: both run as one
    // transaction.
    const committed = log.batch(this.#writeInFlight)
    const started = log.batch(nothing)
    Promise.all([this.#placed, committed, started, flushed]).then(this.#onFlushed, this.#onFlushFailed)
  }

  readonly #writeInFlight = (): void => {
    const batch = this.#queue.inFlight as WriteBatch
    const { log, state } = this.#environment.databases
    const { reset, truncateFrom, repairs, entries, hardState } = batch
    if (this.#sweptTo < this.#base.index) this.#sweep(SWEEP_ENTRIES + entries.length)
    if (reset !== undefined) this.#removeBehind(reset.index)
    if (truncateFrom !== undefined) {
      for (let index = truncateFrom; index <= this.#lastIndex; index++) {
        log.remove(this.#keyOf(index), this.#onRemoved)
      }
    }
    for (const entry of repairs) void log.put(this.#keyOf(entry.index), unshared(entry.record))
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry
      const key = this.#keyOf(entry.index)
      if (i === 0) this.#placed = log.put(key, unshared(entry.record), APPEND)
      else void log.put(key, unshared(entry.record))
    }
    if (hardState !== undefined) void state.put(HARD_STATE_KEY, encodeHardState(hardState))
    const base = baseAfter(batch) ?? (this.#baseIsKnown ? undefined : this.#base)
    if (base !== undefined) void state.put(BASE_KEY, encodePosition(base))
  }

  /** Takes away up to `limit` of the entries that count no more, from the lowest on. */
  #sweep(limit: number): void {
    const { log } = this.#environment.databases
    const start = this.#keyOf(this.#sweptTo + 1).slice()
    const end = this.#keyOf(this.#base.index + 1).slice()
    let count = 0
    let last = 0
    for (const key of log.getKeys({ start, end, limit })) {
      last = this.#indexOf(key)
      log.remove(key)
      count++
    }
    this.#sweptTo = count < limit ? this.#base.index : last
  }

  /** What a reset must not leave behind its place: it would stand where the new log's entries come. */
  #removeBehind(index: number): void {
    const { log } = this.#environment.databases
    for (const key of log.getKeys({ start: this.#keyOf(index + 1).slice() })) log.remove(key)
    this.#sweptTo = Math.min(this.#sweptTo, index)
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
    const { reset, truncateFrom, entries } = batch
    if (reset !== undefined) this.#lastIndex = reset.index
    if (truncateFrom !== undefined) this.#lastIndex = Math.min(this.#lastIndex, truncateFrom - 1)
    for (const entry of entries) this.metrics.bytesFlushed += entry.record.byteLength
    this.#base = baseAfter(batch) ?? this.#base
    this.#baseIsKnown = true
    this.#lastIndex += entries.length
    this.metrics.entriesFlushed += entries.length
    this.metrics.flushes += 1
  }

  readonly #onFlushFailed = (error: CommitError): void => {
    reportCommitError(error, (cause) => this.#fail(cause))
  }

  #fail(cause: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#drained?.resolve()
    const error: RaftError<'STORAGE_FAILED'> = storageFailed(this.#environment.path, cause)
    this.#events.onFailed(error)
  }

  /** Valid until the next call. */
  #keyOf(index: number): Uint8Array {
    this.#keyView.setUint32(0, Math.floor(index / 2 ** 32))
    this.#keyView.setUint32(4, index >>> 0)
    return this.#key
  }

  /**
   * The stored bytes, valid until the next read: lmdb's buffer claims a `length` that slices do not follow.
   */
  #view(index: number): Uint8Array {
    const bytes = this.#environment.databases.log.getBinaryFast(this.#keyOf(index))
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

  /**
   * The end of the log by its keys, its lack of gaps by their count, its last entry by its checksum. What stands up to
   * the base was left over by a compaction or a reset, gaps and all.
   */
  #findBounds(): void {
    const { log } = this.#environment.databases
    const first = this.#edge(false)
    const last = this.#edge(true)
    if (first === undefined || last === undefined) return
    const base = this.#base.index
    let { entryCount } = log.getStats()
    if (first <= base) {
      this.#sweptTo = first - 1
      entryCount -= log.getKeysCount({ end: this.#keyOf(base + 1).slice() })
    }
    if (last <= base) return
    if (entryCount !== last - base) {
      throw this.#damaged(`${entryCount} entries in a log ${base + 1}..${last}`)
    }
    this.#verified(last, this.#view(last).slice())
    this.#lastIndex = last
  }

  #edge(reverse: boolean): number | undefined {
    const [key] = this.#environment.databases.log.getKeys({ reverse, limit: 1 })
    return key === undefined ? undefined : this.#indexOf(key)
  }

  #indexOf(key: Uint8Array): number {
    if (key.byteLength !== KEY_BYTES) throw this.#damaged('a key of the log is not an index')
    const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES)
    return view.getUint32(0) * 2 ** 32 + view.getUint32(4)
  }

  #find<T>(key: Uint8Array, decode: (bytes: Uint8Array) => T | undefined, what: string): T | undefined {
    const bytes = this.#environment.databases.state.getBinaryFast(key)
    if (bytes === undefined) return undefined
    const found = decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
    if (found === undefined) throw this.#damaged(`${what} does not fit its checksum`)
    return found
  }

  #damaged(reason: string): RaftError<'STORAGE_DAMAGED'> {
    return storageDamaged(this.#environment.path, `group ${this.#group}: ${reason}`)
  }
}

/** Where the log begins after this batch, where that changes. */
const baseAfter = (batch: WriteBatch): LogPosition | undefined => batch.compactTo ?? batch.reset

/**
 * lmdb takes the address of the bytes: shared memory crashed the process there (see FIELD-NOTES), so it is
 * copied.
 */
const unshared = (record: Uint8Array): Uint8Array =>
  record.buffer instanceof SharedArrayBuffer ? record.slice() : record
