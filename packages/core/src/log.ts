/**
 * The log as the core sees it: a tail of recent entries in memory over what the store holds.
 *
 *     1 ......... tailStart ......... applied ≤ committed ......... lastIndex
 *     └─ store ──┘└──────────────── tail in memory ────────────────────────┘
 *                        stable: flushed up to here, always ≥ tailStart - 1
 *
 * Invariants: handed-out ≤ committed ≤ lastIndex; stable ≤ lastIndex; entries below `tailStart` are stable and
 * handed out for apply; nothing committed is ever truncated (Raft §5.3, Leader Append-Only and Log Matching).
 */
import type { Entry } from './entry.ts'
import { invariant } from './errors.ts'
import type { LogReader } from './ports.ts'

export class RaftLog {
  readonly #reader: LogReader
  readonly #maxTailBytes: number
  #tail: Entry[] = []
  #tailStart: number
  #tailBytes = 0
  #committed = 0
  #handedOut = 0
  #stable: number

  constructor(reader: LogReader, maxTailBytes: number) {
    this.#reader = reader
    this.#maxTailBytes = maxTailBytes
    this.#stable = reader.lastIndex
    this.#tailStart = reader.lastIndex + 1
    this.#committed = reader.firstIndex - 1
    this.#handedOut = reader.firstIndex - 1
  }

  get lastIndex(): number {
    return this.#tailStart + this.#tail.length - 1
  }

  get lastTerm(): number {
    return this.termAt(this.lastIndex) as number
  }

  get committed(): number {
    return this.#committed
  }

  /** Flushed on this node. */
  get stable(): number {
    return this.#stable
  }

  /** Log time of the last entry, 0 for an empty log. */
  get lastTimeMs(): number {
    const last = this.lastIndex
    if (last < this.#reader.firstIndex) return 0
    return (this.read(last, last, 1)[0] as Entry).timeMs
  }

  /** Term of the entry at `index`; 0 at the very beginning; undefined where there is none. */
  termAt(index: number): number | undefined {
    if (index >= this.#tailStart) return this.#tail[index - this.#tailStart]?.term
    if (index === 0) return 0
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
   * a log, so the place is found by halving, however long the logs differ.
   */
  lastIndexWithTermAtMost(index: number, term: number): number {
    let low = this.#reader.firstIndex - 1
    let high = Math.min(index, this.lastIndex)
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.termAt(middle) as number) <= term) low = middle
      else high = middle - 1
    }
    return high
  }

  /** Entries from `from` to `to`, at least one where there is one, cut off beyond `maxBytes` of records. */
  read(from: number, to: number, maxBytes: number): Entry[] {
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

  append(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, `append of ${entry.index} after ${this.lastIndex}`)
    this.#tail.push(entry)
    this.#tailBytes += entry.record.byteLength
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
    return this.#handedOut < this.#committed
  }

  /** The next committed entries, each handed out once. Then lets go of what memory need not hold. */
  takeCommitted(maxBytes: number): Entry[] {
    if (!this.hasCommitted) return []
    const entries = this.read(this.#handedOut + 1, this.#committed, maxBytes)
    this.#handedOut += entries.length
    this.#trim()
    return entries
  }

  /** Drops the oldest entries beyond the budget that are flushed and handed out. */
  #trim(): void {
    const free = Math.min(this.#stable, this.#handedOut)
    let count = 0
    while (this.#tailBytes > this.#maxTailBytes && this.#tailStart + count <= free) {
      this.#tailBytes -= (this.#tail[count] as Entry).record.byteLength
      count++
    }
    if (count === 0) return
    this.#tail.splice(0, count)
    this.#tailStart += count
  }
}
