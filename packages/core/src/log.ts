/**
 * The log as the core sees it: a tail of recent entries in memory over what the store holds.
 *
 *     base ......... tailStart ......... applied ≤ committed ......... lastIndex
 *     └─ store ──┘└──────────────── tail in memory ────────────────────────┘
 *                        stable: flushed up to here, always ≥ tailStart - 1
 *
 * Invariants: base ≤ handed-out ≤ committed ≤ lastIndex; stable ≤ lastIndex; entries below `tailStart` are stable and
 * handed out for apply; nothing committed is ever truncated (Raft §5.3, Leader Append-Only and Log Matching); nothing
 * damaged is handed out.
 */
import { ConfigurationHistory } from './configuration-history.ts'
import { Damage } from './damage.ts'
import { type Entry, EntryKind } from './entry.ts'
import { invariant } from './errors.ts'
import type { LogReader } from './ports.ts'
import type { LogPosition } from './ready.ts'
import type { Configuration, IndexRange, SnapshotMeta } from './types.ts'

/** A write costs an application on the disk some 10 µs: with small commands this is a turn of some tens of milliseconds. */
const MOST_APPLIED_ON_DISK_BYTES = 256 << 10

export class RaftLog {
  readonly configurations: ConfigurationHistory
  readonly damage: Damage
  readonly #reader: LogReader
  readonly #maxTailBytes: number
  #base: LogPosition
  #tail: Entry[] = []
  #tailStart: number
  #tailBytes = 0
  #committed: number
  #handedOut: number
  #stable: number
  readonly #handsOut: 'committed' | 'flushed'

  /**
   * @param bootstrap the configuration that an uncompacted log begins with
   * @param application that has kept its state: it goes on behind `from`, and if it keeps what it applies it never gets ahead of the log
   */
  constructor(
    reader: LogReader,
    snapshot: SnapshotMeta | undefined,
    bootstrap: Configuration,
    maxTailBytes: number,
    application?: { readonly from: number; readonly isAtRest: boolean },
  ) {
    this.#reader = reader
    this.#maxTailBytes = maxTailBytes
    this.#handsOut = application === undefined || application.isAtRest ? 'committed' : 'flushed'
    this.#base = reader.base
    this.#stable = reader.lastIndex
    this.#tailStart = reader.lastIndex + 1
    // A snapshot beyond the log, or beside it: the core resets the log to it before anything else.
    const start = Math.max(snapshot?.index ?? 0, reader.base.index, application?.from ?? 0)
    this.#committed = start
    this.#handedOut = start
    this.damage = new Damage(damageOf(reader, snapshot))
    this.configurations = new ConfigurationHistory(
      snapshot?.configurationIndex ?? 0,
      snapshot?.configuration ?? bootstrap,
    )
    this.findConfigurations()
  }

  /** Where the log begins: the last place that is compacted. */
  get base(): LogPosition {
    return this.#base
  }

  get lastIndex(): number {
    return this.#tailStart + this.#tail.length - 1
  }

  /** Only on a log without damage at its end. */
  get lastTerm(): number {
    const term = this.termAt(this.lastIndex)
    invariant(term !== undefined, `the term of the last entry, ${this.lastIndex}, is not known`)
    return term
  }

  /** The last entry; undefined where the log begins right behind it, or it is damaged. */
  get lastEntry(): Entry | undefined {
    const { lastIndex } = this
    if (lastIndex === this.#base.index || this.damage.includes(lastIndex)) return undefined
    return this.#tail.at(-1) ?? this.entryAt(lastIndex)
  }

  get committed(): number {
    return this.#committed
  }

  get handedOut(): number {
    return this.#handedOut
  }

  /** Flushed on this node. */
  get stable(): number {
    return this.#stable
  }

  /** Term of the entry at `index`, or of the base; undefined where it is not known. */
  termAt(index: number): number | undefined {
    if (index >= this.#tailStart) return this.#tail[index - this.#tailStart]?.term
    if (index <= this.#base.index) return index === this.#base.index ? this.#base.term : undefined
    return this.#reader.termAt(index)
  }

  /** Whether `index` exists here with `term` (the consistency check of Raft §5.3). */
  matches(index: number, term: number): boolean {
    return this.termAt(index) === term
  }

  /** Whether a log ending so is at least as up to date as this one (Raft §5.4.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const mine = this.lastTerm
    return lastTerm > mine || (lastTerm === mine && lastIndex >= this.lastIndex)
  }

  /**
   * The highest index up to `index` whose term is at most `term`: where the logs may still agree. Terms never fall along
   * a log, so the place is found by halving, however long the logs differ. At least the base.
   */
  lastIndexWithTermAtMost(index: number, term: number): number {
    let low = this.#base.index
    let high = Math.max(low, Math.min(index, this.lastIndex))
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.termAt(middle) as number) <= term) low = middle
      else high = middle - 1
    }
    return high
  }

  /** Entries from `from` to `to`, at least one where there is one, cut off beyond `maxBytes` of records. */
  read(from: number, to: number, maxBytes: number): Entry[] {
    invariant(from > this.#base.index, `read of ${from}, but the log begins behind ${this.#base.index}`)
    if (from < this.#tailStart) return this.#reader.read(from, Math.min(to, this.#tailStart - 1), maxBytes)
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index <= to; index++) {
      const entry = this.#tail[index - this.#tailStart]
      if (entry === undefined) break
      bytes += entry.record.byteLength
      if (entries.length > 0 && bytes > maxBytes) break
      entries.push(entry)
    }
    return entries
  }

  /** One entry that is there and sound. */
  entryAt(index: number): Entry {
    const [entry] = this.read(index, index, 1)
    invariant(entry !== undefined, `there is no entry ${index}`)
    return entry
  }

  append(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, `append of ${entry.index} after ${this.lastIndex}`)
    this.#tail.push(entry)
    this.#tailBytes += entry.record.byteLength
    if (entry.kind === EntryKind.configuration) this.configurations.add(entry)
  }

  /** Removes everything from `index` on. */
  truncateFrom(index: number): void {
    invariant(index > this.#committed, `truncation from ${index}, but ${this.#committed} is committed`)
    if (index <= this.#tailStart) {
      this.#tail = []
      this.#tailStart = index
      this.#tailBytes = 0
    } else {
      const removed = this.#tail.splice(index - this.#tailStart)
      for (const entry of removed) this.#tailBytes -= entry.record.byteLength
    }
    this.#stable = Math.min(this.#stable, index - 1)
    this.configurations.truncateFrom(index)
    this.damage.keepOnly(0, index - 1)
  }

  commitTo(index: number): void {
    if (index <= this.#committed) return
    invariant(index <= this.lastIndex, `commit of ${index}, but the log ends at ${this.lastIndex}`)
    this.#committed = index
  }

  stableTo(index: number): void {
    invariant(index <= this.lastIndex, `flush of ${index}, but the log ends at ${this.lastIndex}`)
    if (index > this.#stable) this.#stable = index
  }

  /** Whether committed entries wait to be handed out. */
  get hasCommitted(): boolean {
    return this.#handedOut < this.#mayHandOut
  }

  /** A state on the disk that were ahead of the log would stand for entries that a crash could take back. */
  get #mayHandOut(): number {
    return this.#handsOut === 'committed' ? this.#committed : Math.min(this.#committed, this.#stable)
  }

  /**
   * The next committed entries, each handed out once. Then lets go of what memory need not hold.
   * @param neededFrom nobody is going to ask for what lies before it
   */
  takeCommitted(maxBytes: number, neededFrom = 0): Entry[] {
    if (!this.hasCommitted) return []
    const isOnDisk = this.#handsOut === 'flushed'
    const mostBytes = isOnDisk ? Math.min(maxBytes, MOST_APPLIED_ON_DISK_BYTES) : maxBytes
    const entries = this.read(this.#handedOut + 1, this.#mayHandOut, mostBytes)
    this.#handedOut += entries.length
    this.#trim(neededFrom)
    return entries
  }

  /** A snapshot holds everything up to `to`: it need not be kept. */
  compactTo(to: LogPosition): void {
    invariant(to.index > this.#base.index && to.index <= this.#handedOut, `compaction to ${to.index}`)
    this.#base = to
    this.damage.keepOnly(to.index + 1, Number.MAX_SAFE_INTEGER)
    const count = Math.min(to.index + 1 - this.#tailStart, this.#tail.length)
    // A tail that is not flushed stays: the store hands out nothing that it does not have yet.
    if (count > 0 && to.index <= this.#stable) this.#drop(count)
  }

  /** The state of `meta` was installed, and the log holds what follows: go on behind it (Raft §7). */
  skipTo(meta: SnapshotMeta): void {
    this.#committed = Math.max(this.#committed, meta.index)
    this.#handedOut = Math.max(this.#handedOut, meta.index)
    this.configurations.startFrom(meta.configurationIndex, meta.configuration)
    this.damage.keepOnly(meta.index + 1, Number.MAX_SAFE_INTEGER)
    if (meta.index > this.#base.index) this.compactTo({ index: meta.index, term: meta.term })
  }

  /** The state of `meta` was installed, and the log says something else, or less: it begins anew behind it. */
  resetTo(meta: SnapshotMeta): void {
    this.#tail = []
    this.#tailBytes = 0
    this.#tailStart = meta.index + 1
    this.#base = { index: meta.index, term: meta.term }
    this.#stable = meta.index
    this.#committed = meta.index
    this.#handedOut = meta.index
    this.damage.keepOnly(1, 0)
    this.configurations.restart(meta.configurationIndex, meta.configuration)
  }

  /** Reads the configurations of the log anew: at the start, and once damage is mended. */
  findConfigurations(): void {
    const { base, lastIndex } = this.#reader
    const found: Entry[] = []
    let at = lastIndex
    for (;;) {
      at = this.damage.soundAtMost(at)
      if (at <= base.index) break
      const { configurationIndex } = this.#readerEntry(at)
      if (configurationIndex <= base.index) break
      if (!this.damage.includes(configurationIndex)) found.push(this.#readerEntry(configurationIndex))
      at = configurationIndex - 1
    }
    this.configurations.refill(found.reverse())
  }

  #readerEntry(index: number): Entry {
    return this.#reader.read(index, index, 1)[0] as Entry
  }

  /**
   * Drops entries that are flushed and handed out: those that nobody needs, and the oldest beyond the budget. Memory that is given
   * back within some milliseconds is young, and costs the collector nothing; what stays longer makes it look at the whole heap.
   */
  #trim(neededFrom: number): void {
    const free = Math.min(this.#stable, this.#handedOut)
    // What is appended next names the last one.
    const unneeded = Math.min(neededFrom, this.#handedOut)
    let count = 0
    let bytes = this.#tailBytes
    for (let index = this.#tailStart; index <= free; index++) {
      if (index >= unneeded && bytes <= this.#maxTailBytes) break
      bytes -= (this.#tail[count] as Entry).record.byteLength
      count++
    }
    if (count > 0) this.#drop(count)
  }

  #drop(count: number): void {
    for (const { record } of this.#tail.splice(0, count)) this.#tailBytes -= record.byteLength
    this.#tailStart += count
  }
}

/** What the store found damaged; and where the state that the log goes on from is gone, all that made it. */
function damageOf(reader: LogReader, snapshot: SnapshotMeta | undefined): readonly IndexRange[] {
  const { base, damaged } = reader
  if ((snapshot?.index ?? 0) >= base.index) return damaged
  return [{ from: 1, to: base.index }, ...damaged]
}
