/**
 * The log and hard state of a group in LMDB: one value for each entry, the entry's record as it is, in segments that are an
 * environment each.
 *
 *     persist ──► WriteQueue ──► batch: one transaction of the active segment, one flush ──► onPersisted
 *                    ▲                                                                          │
 *                    └───────────────── what arrives meanwhile is the next batch ◄──────────────┘
 *
 * A batch begins a new segment where the active one is full, and where it truncates or resets before that one's first index:
 * the new segment counts from there on, and those it shadows are unlinked afterwards. So each batch is one transaction of
 * one environment, whatever it does, and nothing is ever taken out of a sealed segment but by unlinking it.
 *
 * Invariants: at most one batch is in flight; what is behind `base` up to `lastIndex` are flushed entries without a gap,
 * but for those in `damaged`; after a failure nothing is written and nothing completes. Why lmdb's checks are enough: a
 * put without options fails only together with its whole transaction; the first put of the entries of a batch has
 * `append`, which fails where something stands at or behind its place (another writer).
 */
import { crc32 } from 'node:zlib'
import {
  Damage,
  type Durability,
  decodeEntry,
  ENTRY_HEADER_BYTES,
  type Entry,
  entryIsIntact,
  type HardState,
  INITIAL_HARD_STATE,
  type IndexRange,
  invariant,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  type RaftError,
  recordFollows,
  type StoreEvents,
  type StoreMetrics,
} from '@troupe/core'
import { isOutOfSpace } from '../disk-space.ts'
import { type CommitError, causeOf } from '../lmdb-database.ts'
import { storageDamaged, storageFailed } from '../storage-errors.ts'
import type { Failpoint } from './log-failpoints.ts'
import type { Remembered, Witness } from './log-witness.ts'
import type { Segment } from './segment.ts'
import { BASE_KEY, EntryKey, encodeHardState, encodePosition, HARD_STATE_KEY } from './segment-records.ts'
import type { SegmentedLog } from './segmented-log.ts'
import { type WriteBatch, WriteQueue } from './write-queue.ts'

const APPEND = { append: true } as const
/** How soon a write that was refused for space is tried again. */
const SPACE_RETRY_MS = 200
/** How far ahead of the log's end the witness is told that entries may come. */
const BOUND_ENTRIES = 131_072

export interface LogParts {
  readonly path: string
  readonly durability: Exclude<Durability, 'memory'>
  readonly events: StoreEvents
  readonly segments: SegmentedLog
  readonly witness: Witness
  readonly hardState: HardState | undefined
  /** Whether the newest segment does not have it. */
  readonly owesHardState: boolean
  readonly base: LogPosition
  readonly lastIndex: number
  readonly damaged: readonly IndexRange[]
  readonly maxLogBytes: number
  readonly failpoint: Failpoint
  /** Called once everything is closed. */
  readonly onClosed: () => void
}

export class LmdbLogStore implements LogStore {
  readonly durability: Durability
  hardState: HardState
  /** The latest that is on the disk. */
  #stored: HardState
  /** It stands in the witness alone: a crash came between the two. The next batch makes up for it. */
  #owesHardState: boolean
  readonly #parts: LogParts
  readonly #segments: SegmentedLog
  readonly #witness: Witness
  readonly #queue: WriteQueue
  readonly #damage: Damage
  readonly #counters: StoreMetrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  readonly #key = new EntryKey()
  #base: LogPosition
  #lastIndex: number
  /** The segment that the batch in flight is written to. */
  #target: Segment | undefined
  /** Whether the first put of the batch in flight found its place free; undefined where there is none. */
  #placed: Promise<boolean> | undefined
  #removalMissed = false
  /** From a batch's start to its completion, or its refusal. */
  #isWriting = false
  #beganMs = 0
  #isFull = false
  #retry: NodeJS.Timeout | undefined
  #failed = false
  #closing: Promise<void> | undefined
  #drained: PromiseWithResolvers<void> | undefined

  constructor(parts: LogParts) {
    this.#parts = parts
    this.#segments = parts.segments
    this.#witness = parts.witness
    this.durability = parts.durability
    this.hardState = parts.hardState ?? INITIAL_HARD_STATE
    this.#stored = this.hardState
    this.#owesHardState = parts.owesHardState
    this.#base = parts.base
    this.#lastIndex = parts.lastIndex
    this.#damage = new Damage(parts.damaged)
    this.#queue = new WriteQueue(parts.base.index, parts.lastIndex + 1)
  }

  get base(): LogPosition {
    return this.#base
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  get damaged(): readonly IndexRange[] {
    return this.#damage.ranges
  }

  get metrics(): StoreMetrics {
    return { ...this.#counters, logBytes: this.#segments.bytesBetween(this.#base.index, this.#lastIndex) }
  }

  termAt(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term
    if (!(index > this.#base.index && index <= this.#lastIndex)) return undefined
    if (this.#damage.includes(index)) return undefined
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
    let previous: Uint8Array | undefined
    for (let index = from; index <= to; index++) {
      const view = this.#view(index)
      bytes += view.byteLength
      if (index > from && bytes > maxBytes) break
      const entry = this.#verified(index, view.slice())
      if (previous !== undefined && !recordFollows(entry.record, previous)) {
        throw this.#damaged(`entry ${index} does not follow on the one before it`)
      }
      previous = entry.record
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

  forgotten(to: number): void {
    const { current } = this.#witness
    this.#witness.rememberNow({
      knownIndex: Math.max(current.knownIndex, to),
      boundIndex: Math.max(current.boundIndex, to),
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#isWriting) {
      this.#drained = Promise.withResolvers()
      await this.#drained.promise
    }
    clearTimeout(this.#retry)
    await this.#segments.close()
    if (!this.#failed && this.#queue.inFlight === undefined) {
      const { knownIndex } = this.#witness.current
      this.#witness.rememberNow({ knownIndex: Math.max(knownIndex, this.#lastIndex), base: this.#base })
    }
    await this.#witness.close()
    this.#parts.onClosed()
  }

  #reportIdle(token: number): void {
    if (!this.#failed) this.#parts.events.onPersisted(token)
  }

  // ---- a batch

  #flush(): void {
    this.#start(this.#queue.take())
  }

  #start(batch: WriteBatch): void {
    this.#isWriting = true
    this.#beganMs = performance.now()
    if (this.#isReady(batch)) this.#write(batch)
    else this.#prepare(batch).then(() => this.#write(batch), this.#onFlushFailed)
  }

  /** Whether it begins a segment: entries of the active one that others stand behind of are never taken out singly. */
  #begins({ reset, truncateFrom, entries }: WriteBatch): boolean {
    const { active, isFull } = this.#segments
    if (active === undefined || reset !== undefined) return true
    if (truncateFrom !== undefined && truncateFrom < active.firstIndex) return true
    return isFull && entries.length > 0 && truncateFrom === undefined
  }

  /** Whether it can be written without anything being written before it: nearly always. */
  #isReady(batch: WriteBatch): boolean {
    if (this.#begins(batch) && this.#segments.spare === undefined) return false
    if (this.#keptBy(batch) < this.#witness.current.knownIndex) return false
    const first = this.#targetFirst(batch)
    return batch.repairs.every(({ index }) => index >= first)
  }

  /** Up to where it leaves the log as it is. */
  #keptBy({ reset, truncateFrom }: WriteBatch): number {
    if (reset !== undefined) return Math.min(reset.index, this.#witness.current.knownIndex)
    return (truncateFrom ?? Number.POSITIVE_INFINITY) - 1
  }

  /** First index of the segment that it is written to. */
  #targetFirst(batch: WriteBatch): number {
    return this.#begins(batch) ? this.#firstOf(batch) : (this.#segments.active as Segment).firstIndex
  }

  /** What has to be on the disk before the batch itself. */
  async #prepare(batch: WriteBatch): Promise<void> {
    const { failpoint } = this.#parts
    if (this.#begins(batch) && this.#segments.spare === undefined) this.#segments.makeSpare()
    failpoint('spare-made')
    const { knownIndex } = this.#witness.current
    const kept = this.#keptBy(batch)
    if (kept < knownIndex) await this.#witness.remember({ knownIndex: kept })
    failpoint('witness-lowered')
    await this.#repairSealed(batch.repairs, this.#targetFirst(batch))
    failpoint('sealed-repaired')
  }

  async #repairSealed(repairs: readonly Entry[], targetFirst: number): Promise<void> {
    const sealed = repairs.filter(({ index }) => index < targetFirst)
    for (const [segment, entries] of Map.groupBy(sealed, ({ index }) => this.#segments.of(index))) {
      await segment.commit(() => {
        for (const entry of entries) this.#put(segment, entry)
      })
    }
  }

  /** Where the segment begins that this batch begins. */
  #firstOf({ reset, truncateFrom }: WriteBatch): number {
    if (reset !== undefined) return reset.index + 1
    return truncateFrom ?? this.#lastIndex + 1
  }

  #write(batch: WriteBatch): void {
    const begins = this.#begins(batch)
    const target = (begins ? this.#segments.spare : this.#segments.active) as Segment
    this.#target = target
    this.#placed = undefined
    this.#removalMissed = false
    const told = this.#tell(batch, begins ? target : undefined)
    const committed = target.commit(() => this.#fill(batch, target, begins))
    this.#parts.failpoint('commit-begun')
    Promise.all([this.#placed, committed, told]).then(this.#onFlushed, this.#onFlushFailed)
  }

  /** What the witness learns beside the batch: on the disk before anybody is told that the batch is. */
  #tell({ hardState, entries, reset }: WriteBatch, begun: Segment | undefined): Promise<void> | undefined {
    const { boundIndex } = this.#witness.current
    const end = entries.at(-1)?.index ?? reset?.index ?? 0
    if (hardState === undefined && begun === undefined && end <= boundIndex) return undefined
    return this.#witness.remember({
      ...(hardState === undefined ? {} : { hardState }),
      ...(end + BOUND_ENTRIES / 2 > boundIndex ? { boundIndex: end + BOUND_ENTRIES } : {}),
      ...(begun === undefined ? {} : this.#begunAs(begun)),
    })
  }

  #begunAs(begun: Segment): Partial<Remembered> {
    const { sequence } = begun
    const firstIndex = this.#firstOf(this.#queue.inFlight as WriteBatch)
    if (firstIndex > this.#lastIndex) return { newestSequence: sequence }
    return { newestSequence: sequence, shadowing: { sequence, firstIndex } }
  }

  #fill(batch: WriteBatch, target: Segment, begins: boolean): void {
    const { truncateFrom, repairs, entries, hardState } = batch
    if (begins) this.#segments.begin(target, this.#firstOf(batch))
    else if (truncateFrom !== undefined) this.#remove(target, truncateFrom)
    for (const entry of repairs) if (entry.index >= target.firstIndex) this.#put(target, entry)
    for (let i = 0; i < entries.length; i++) {
      const { index, record } = entries[i] as Entry
      const key = this.#key.of(index)
      if (i === 0) this.#placed = target.database.put(key, unshared(record), APPEND)
      else void target.database.put(key, unshared(record))
    }
    const state = hardState ?? (begins || this.#owesHardState ? this.#stored : undefined)
    if (state !== undefined) void target.database.put(HARD_STATE_KEY, encodeHardState(state))
    const base = baseAfter(batch) ?? (begins ? this.#base : undefined)
    if (base !== undefined) void target.database.put(BASE_KEY, encodePosition(base))
  }

  #put(segment: Segment, { index, record }: Entry): void {
    void segment.database.put(this.#key.of(index), unshared(record))
  }

  #remove(target: Segment, from: number): void {
    for (let index = from; index <= this.#lastIndex; index++) {
      const isDamaged = this.#damage.includes(index)
      target.database.remove(this.#key.of(index), isDamaged ? undefined : this.#onRemoved)
    }
  }

  readonly #onRemoved = (_error: unknown, removed?: boolean): void => {
    if (removed === false) this.#removalMissed = true
  }

  readonly #onFlushed = ([placed]: readonly [boolean | undefined, ...unknown[]]): void => {
    this.#parts.failpoint('committed')
    if (placed === false || this.#removalMissed) {
      this.#fail('the log on the disk is not the one that was written: is there another writer?')
      return
    }
    this.#isWriting = false
    this.#parts.events.onFlushed?.(performance.now() - this.#beganMs)
    const batch = this.#queue.inFlight as WriteBatch
    const { token } = batch
    this.#account(batch)
    const { failpoint, maxLogBytes } = this.#parts
    failpoint('activated')
    this.#queue.release()
    this.#space(maxLogBytes > 0 && this.#segments.bytes >= maxLogBytes)
    if (this.#queue.hasContent) this.#flush()
    else this.#drained?.resolve()
    this.#parts.events.onPersisted(token)
    if (this.#segments.wantsSpare) setImmediate(this.#makeSpare)
  }

  #account(batch: WriteBatch): void {
    const { reset, truncateFrom, entries, repairs, hardState } = batch
    this.#stored = hardState ?? this.#stored
    this.#owesHardState = false
    const target = this.#target as Segment
    const isNew = target === this.#segments.spare
    if (isNew) this.#segments.activate(target)
    if (reset !== undefined) this.#lastIndex = reset.index
    if (truncateFrom !== undefined) this.#lastIndex = Math.min(this.#lastIndex, truncateFrom - 1)
    this.#damage.keepOnly(0, this.#lastIndex)
    for (const { index } of repairs) this.#damage.mend(index)
    for (const { record } of entries) {
      this.#counters.bytesFlushed += record.byteLength
      target.bytes += record.byteLength
    }
    target.entryCount += entries.length
    this.#lastIndex += entries.length
    this.#rebase(baseAfter(batch))
    this.#counters.entriesFlushed += entries.length
    this.#counters.flushes += 1
  }

  #rebase(base: LogPosition | undefined): void {
    if (base === undefined) return
    this.#base = base
    this.#damage.keepOnly(base.index + 1, Number.MAX_SAFE_INTEGER)
    // Beside the segment's own record: nobody waits for it.
    this.#witness.remember({ base }).catch(this.#onWitnessFailed)
    this.#segments.dropThrough(base.index)
  }

  readonly #makeSpare = (): void => {
    if (this.#failed || this.#closing !== undefined || this.#queue.inFlight !== undefined) return
    if (!this.#segments.wantsSpare) return
    try {
      const { sequence } = this.#segments.makeSpare()
      this.#witness.remember({ newestSequence: sequence }).catch(this.#onWitnessFailed)
    } catch (cause) {
      // Without room there is none; the batch that needs it finds out, and waits.
      if (!isOutOfSpace(cause, this.#parts.path, 0)) this.#fail(cause)
    }
  }

  // ---- failures

  readonly #onWitnessFailed = (cause: unknown): void => this.#fail(cause)

  readonly #onFlushFailed = (error: CommitError): void => {
    void causeOf(error).then((cause) => {
      const batch = this.#queue.inFlight as WriteBatch
      const bytes = batch.entries.reduce((sum, { record }) => sum + record.byteLength, 0)
      if (isOutOfSpace(cause, this.#parts.path, bytes)) this.#await(batch)
      else this.#fail(cause)
    })
  }

  /** Refused for space, and aborted whole: tried again in its turn, nothing behind it goes first. */
  #await(batch: WriteBatch): void {
    if (this.#failed) return
    this.#isWriting = false
    this.#space(true)
    if (this.#closing !== undefined) {
      this.#drained?.resolve()
      return
    }
    this.#retry = setTimeout(() => this.#start(batch), SPACE_RETRY_MS)
    this.#retry.unref()
  }

  #space(isFull: boolean): void {
    if (this.#isFull === isFull) return
    this.#isFull = isFull
    this.#parts.events.onSpace(isFull)
  }

  #fail(cause: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#isWriting = false
    this.#drained?.resolve()
    const error: RaftError<'STORAGE_FAILED'> = storageFailed(this.#parts.path, cause)
    this.#parts.events.onFailed(error)
  }

  // ---- reading

  #view(index: number): Uint8Array {
    const bytes = this.#segments.of(index).view(index)
    if (bytes === undefined) throw this.#damaged(`entry ${index} is missing`)
    return bytes
  }

  #verified(index: number, record: Uint8Array): Entry {
    const entry = decodeEntry(record)
    if (entry === undefined) throw this.#damaged(`entry ${index} has no valid header`)
    if (!entryIsIntact(record, crc32)) throw this.#damaged(`entry ${index} does not fit its checksum`)
    if (entry.index !== index) throw this.#damaged(`entry ${index} says it is ${entry.index}`)
    return entry
  }

  #damaged(reason: string): RaftError<'STORAGE_DAMAGED'> {
    return storageDamaged(this.#parts.path, reason)
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
