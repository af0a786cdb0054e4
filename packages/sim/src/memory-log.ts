import {
  type Entry,
  type HardState,
  INITIAL_HARD_STATE,
  type IndexRange,
  isTerm,
  type LogPosition,
  type LogStore,
  type PersistRequest,
  RaftError,
} from '@troupe/core'
import { demand, Violation } from './contract.ts'
import { LogContent, rangesOf } from './log-content.ts'

const RULE = 'log store contract'

/** What a log on a memory disk tells of itself. */
export interface LogObserver {
  /** A request was handed over; `log.seen` is what it was before. */
  persisting(request: PersistRequest): void
  /** A request reached the disk; `log.flushed` is what it was before. */
  flushing(request: PersistRequest): void
}

/**
 * A log store that knows what is flushed. Requests wait until the disk writes them; a crash loses what waits, but for
 * a prefix that may have reached the disk without anyone being told. Holds its caller to the contract of LogStore.
 */
export class MemoryLog implements LogStore {
  readonly durability = 'flush-before-ack'
  readonly metrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  /** What survives a crash. */
  readonly flushed = new LogContent(INITIAL_HARD_STATE, { index: 0, term: 0 }, [])
  /** What will be there once everything that waits is written: the log as its owner sees it. */
  seen = this.flushed.copy()
  /** Stored entries with a flipped bit. */
  readonly flipped = new Set<number>()
  observer: LogObserver | undefined
  /** Index that the latest complete snapshot covers: what may be compacted or reset to. */
  snapshotIndex: () => number = () => Number.POSITIVE_INFINITY
  readonly #waiting: PersistRequest[] = []
  #damaged: readonly IndexRange[] = []
  #damagedCount = 0
  #lastToken = 0
  isOpen = false
  /** Flushed entries that somebody has taken away, and up to where there were any; see {@link rollBack}. */
  #lost: Entry[] = []
  #rolledBackFrom = 0
  /** Up to where its owner knows of it. */
  #forgottenTo = 0
  /** Whether the present life began with what was lost, as damage. */
  isProven = false

  // ---- what the core reads

  get hardState(): HardState {
    return this.flushed.hardState
  }
  get base(): LogPosition {
    return this.flushed.base
  }
  get lastIndex(): number {
    return this.flushed.lastIndex
  }
  get damaged(): readonly IndexRange[] {
    return this.#damaged
  }
  /** Requests that are not written yet, oldest first. */
  get waiting(): readonly PersistRequest[] {
    return this.#waiting
  }

  termAt(index: number): number | undefined {
    this.#demandStable(index)
    if (this.flipped.has(index) && this.#isKnownDamage(index)) return undefined
    return this.flushed.termAt(index)
  }

  read(from: number, to: number, maxBytes: number): Entry[] {
    const { base, lastIndex } = this.flushed
    const fits = from > base.index && from <= to && to <= lastIndex
    demand(fits, RULE, () => `read of ${from}..${to} of ${base.index}..${lastIndex}`)
    this.#demandStable(to)
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index <= to; index++) {
      const entry = this.flushed.at(index) as Entry
      bytes += entry.record.byteLength
      if (entries.length > 0 && bytes > maxBytes) break
      if (this.flipped.has(index)) throw damage(`entry ${index} does not fit its checksum`)
      entries.push(entry)
    }
    return entries
  }

  persist(request: PersistRequest): void {
    demand(this.isOpen, RULE, () => 'a request for a closed store')
    const { token, reset, compactTo } = request
    demand(token === this.#lastToken + 1, RULE, () => `token ${token} behind ${this.#lastToken}`)
    this.#lastToken = token
    const cut = Math.max(reset?.index ?? 0, compactTo?.index ?? 0)
    demand(cut <= this.snapshotIndex(), RULE, () => {
      return `the log is to begin after ${cut}, the snapshot covers ${this.snapshotIndex()}`
    })
    this.observer?.persisting(request)
    this.#waiting.push(request)
    this.seen.take(request)
    if (compactTo !== undefined) this.seen.compactTo(compactTo, this.flipped.has(compactTo.index))
  }

  forgotten(to: number): void {
    const isTrue = this.isRolledBack && to <= this.#rolledBackFrom
    demand(isTrue, RULE, () => `${to} is said to be forgotten, the log never went further than it does`)
    this.#forgottenTo = to
  }

  /** A simulated node crashes or goes on: it is never closed. */
  close(): never {
    throw new Violation(RULE, 'a store in memory is not closed')
  }

  // ---- what the disk does

  /** Opens after a start or a crash: damage is found now. */
  open(): void {
    demand(!this.isOpen, RULE, () => 'opened twice')
    const { term } = this.flushed.hardState
    if (!isTerm(term)) throw damage(`term ${term} is beyond what elections lead to`)
    this.isOpen = true
    this.#lastToken = 0
    this.#findForgotten()
    this.#damaged = rangesOf(this.flipped)
    this.#damagedCount = this.flipped.size
  }

  /** Writes the next `count` requests as one flush. Returns the last token, 0 where none waits. */
  write(count = this.#waiting.length): number {
    const requests = this.#waiting.splice(0, count)
    for (const request of requests) this.#write(request)
    if (requests.length > 0) this.metrics.flushes++
    return requests.at(-1)?.token ?? 0
  }

  #write(request: PersistRequest): void {
    this.observer?.flushing(request)
    this.flushed.take(request)
    for (const { record } of request.entries) {
      this.metrics.entriesFlushed++
      this.metrics.bytesFlushed += record.byteLength
    }
    if (request.compactTo !== undefined)
      this.flushed.compactTo(request.compactTo, this.flipped.has(request.compactTo.index))
    if (this.flipped.size > 0) this.#mend(request)
  }

  /** What is repaired, cut off, compacted or written anew is no longer damaged. */
  #mend({ repairs, truncateFrom }: PersistRequest): void {
    const { base, lastIndex } = this.flushed
    for (const { index } of repairs) this.flipped.delete(index)
    for (const index of this.flipped) {
      const isCut = truncateFrom !== undefined && index >= truncateFrom
      if (isCut || index <= base.index || index > lastIndex) this.flipped.delete(index)
    }
    if (this.flipped.size === this.#damagedCount) return
    this.#damaged = rangesOf([...this.flipped].filter((index) => this.#isKnownDamage(index)))
    this.#damagedCount = this.flipped.size
  }

  /** Loses what waits; the first `written` requests reached the disk without anyone being told. */
  crash(written: number): void {
    this.write(written)
    this.#waiting.length = 0
    this.seen = this.flushed.copy()
    this.isOpen = false
  }

  /** Whether it lacks entries that were taken away, and nothing has come in their place. */
  get isRolledBack(): boolean {
    return this.flushed.lastIndex < this.#rolledBackFrom
  }

  /**
   * An older state of the disk of a node that is down takes the place of the one that was: the last `count` entries are
   * gone. Term and vote are as they were, and so is what a snapshot stands for. Whether anything was lost.
   */
  rollBack(count: number): boolean {
    demand(!this.isOpen, RULE, () => 'the log of a running node is rolled back')
    const { base, lastIndex, entries } = this.flushed
    const lost = Math.min(count, lastIndex - Math.max(base.index, this.snapshotIndex()))
    if (lost <= 0) return false
    this.#rolledBackFrom = lastIndex
    this.#lost = entries.splice(-lost)
    // What is gone is not damaged: the older state knows of no bit that was flipped in it.
    for (const { index } of this.#lost) this.flipped.delete(index)
    this.seen = this.flushed.copy()
    return true
  }

  /** What its owner knows to be missing is damage. The entries stand there for those who watch: nobody can read them. */
  #findForgotten(): void {
    const { flushed } = this
    const found = this.#lost.filter(({ index }) => index > flushed.lastIndex && index <= this.#forgottenTo)
    this.#forgottenTo = 0
    this.isProven = found.length > 0
    if (!this.isProven) return
    flushed.entries.push(...found)
    for (const { index } of found) this.flipped.add(index)
    this.seen = flushed.copy()
  }

  /** Somebody has written another term into the directory of a node that is down; a vote in an earlier one means nothing. */
  setTerm(term: number): void {
    demand(!this.isOpen, RULE, () => 'the term of a running node is set')
    this.flushed.hardState = { ...INITIAL_HARD_STATE, term }
    this.seen = this.flushed.copy()
  }

  /** Flips a bit of the stored entry at `index`. It shows at the next open, or when it is read. */
  flip(index: number): void {
    if (this.flushed.at(index) === undefined) return
    // The record itself stays whole: the invariants go on comparing with what was written.
    this.flipped.add(index)
    this.#damagedCount = -1
  }

  #isKnownDamage(index: number): boolean {
    return this.#damaged.some(({ from, to }) => index >= from && index <= to)
  }

  /** The core reads only what no pending request takes away. */
  #demandStable(index: number): void {
    for (const { truncateFrom, reset } of this.#waiting) {
      const isGone = reset !== undefined || (truncateFrom !== undefined && index >= truncateFrom)
      demand(!isGone, RULE, () => `${index} is read, but a pending request removes it`)
    }
  }
}

/** What a read of a damaged record throws. */
export function damage(reason: string): RaftError<'STORAGE_DAMAGED'> {
  return new RaftError('STORAGE_DAMAGED', `memory disk: ${reason}`, { path: 'memory', reason })
}
