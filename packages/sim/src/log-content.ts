import type { Entry, HardState, IndexRange, LogPosition, PersistRequest } from '@troupe/core'
import { demand } from './contract.ts'

const RULE = 'log store contract'

/** A log and hard state, as one node's disk holds them. */
export class LogContent {
  hardState: HardState
  base: LogPosition
  /** The first one follows `base`. */
  entries: Entry[]

  constructor(hardState: HardState, base: LogPosition, entries: Entry[]) {
    this.hardState = hardState
    this.base = base
    this.entries = entries
  }

  get lastIndex(): number {
    return this.base.index + this.entries.length
  }

  /** The entry at `index`; undefined outside of the log. */
  at(index: number): Entry | undefined {
    return this.entries[index - this.base.index - 1]
  }

  /** Term at `index`, of the base too; undefined outside of the log. */
  termAt(index: number): number | undefined {
    return index === this.base.index ? this.base.term : this.at(index)?.term
  }

  copy(): LogContent {
    return new LogContent(this.hardState, this.base, [...this.entries])
  }

  /** One request as one step, but for its compaction, which shows once the request is complete. */
  take(request: PersistRequest): void {
    const { hardState, reset, truncateFrom, repairs, entries } = request
    if (hardState !== undefined) this.#takeHardState(hardState)
    if (reset !== undefined) {
      this.base = reset
      this.entries = []
    }
    if (truncateFrom !== undefined) {
      const fits = truncateFrom > this.base.index && truncateFrom <= this.lastIndex + 1
      demand(fits, RULE, () => `truncation at ${truncateFrom} of ${this.base.index}..${this.lastIndex}`)
      this.entries.length = truncateFrom - this.base.index - 1
    }
    for (const entry of repairs) {
      const before = this.at(entry.index)
      demand(before !== undefined, RULE, () => `repair of ${entry.index}, which is not there`)
      this.entries[entry.index - this.base.index - 1] = entry
    }
    for (const entry of entries) {
      demand(
        entry.index === this.lastIndex + 1,
        RULE,
        () => `entry ${entry.index} written behind ${this.lastIndex}`,
      )
      this.entries.push(entry)
    }
  }

  #takeHardState(hardState: HardState): void {
    const { term, vote } = this.hardState
    const isForward =
      hardState.term > term || (hardState.term === term && (vote === '' || vote === hardState.vote))
    demand(
      isForward,
      RULE,
      () => `hard state goes from ${term}/${vote} to ${hardState.term}/${hardState.vote}`,
    )
    this.hardState = hardState
  }

  /** Drops everything up to `base`, which must be in the log. */
  /** `isUnread`: what stands there is damaged, and a snapshot has come in its place: nobody knows its term. */
  compactTo(base: LogPosition, isUnread = false): void {
    if (base.index <= this.base.index) return
    const term = this.termAt(base.index)
    demand(isUnread || term === base.term, RULE, () => {
      return `compaction to ${base.index} of ${base.term}, there is ${term} (${this.base.index}..${this.lastIndex})`
    })
    this.entries.splice(0, base.index - this.base.index)
    this.base = base
  }
}

/** Ascending indexes as ranges that do not touch each other. */
export function rangesOf(indexes: Iterable<number>): IndexRange[] {
  const ranges: { from: number; to: number }[] = []
  for (const index of [...indexes].sort((left, right) => left - right)) {
    const last = ranges.at(-1)
    if (last !== undefined && last.to === index - 1) last.to = index
    else ranges.push({ from: index, to: index })
  }
  return ranges
}
