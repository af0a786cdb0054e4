/** Steps for a log to be killed in the middle of: all that a log store can be asked for, one after the other by chance. */
import { crc32 } from 'node:zlib'
import {
  type Entry,
  EntryKind,
  encodeEntry,
  type HardState,
  type LogPosition,
  type Random,
} from '@troupe/core'
import type { LogModel, StepEffect } from './prove-model.ts'

const MAX_ENTRIES = 400
const MAX_TRUNCATED = 150

/** Draws steps, each on the log that those before it have made. */
export class Steps {
  readonly #log: LogModel<Entry>
  readonly #random: Random
  readonly #isPlain: boolean

  /** @param isPlain an entry and a hard state each */
  constructor(log: LogModel<Entry>, random: Random, isPlain: boolean) {
    this.#log = log
    this.#random = random
    this.#isPlain = isPlain
  }

  /** Draws the next one and makes it part of the log. */
  next(): StepEffect<Entry> {
    const step = this.#isPlain ? this.#plain() : this.#draw()
    this.#log.apply(step)
    return step
  }

  #plain(): StepEffect<Entry> {
    const hardState = this.#laterState(true)
    return { entries: this.#entries(this.#end, 1, hardState.term), hardState }
  }

  #draw(): StepEffect<Entry> {
    const log = this.#log
    const chance = this.#random.next()
    if (chance < 0.02) return this.#reset()
    if (chance < 0.1) return { entries: [], hardState: this.#laterState(this.#flip(0.5)) }
    if (chance < 0.2 && log.entries.length > 0) return this.#truncation()
    if (log.entries.length > MAX_ENTRIES || (chance < 0.24 && log.entries.length > 0))
      return this.#compaction()
    const hardState = this.#flip(0.2) ? this.#laterState(this.#flip(0.5)) : undefined
    const term = hardState?.term ?? log.hardState.term
    return { entries: this.#entries(this.#end, 1 + this.#below(6), term), hardState }
  }

  #reset(): StepEffect<Entry> {
    const { base, lastIndex, hardState } = this.#log
    const index = base.index + this.#below(lastIndex - base.index + 60)
    const reset = { index, term: hardState.term }
    const behind = { index, entry: undefined }
    return { reset, entries: this.#flip(0.5) ? this.#entries(behind, 3, hardState.term) : [] }
  }

  #truncation(): StepEffect<Entry> {
    const { entries, lastIndex, base } = this.#log
    const count = 1 + this.#below(Math.min(entries.length, MAX_TRUNCATED))
    const truncateFrom = lastIndex - count + 1
    const index = truncateFrom - 1
    const behind = { index, entry: index > base.index ? this.#log.at(index) : undefined }
    const hardState = this.#laterState(true)
    return { truncateFrom, entries: this.#entries(behind, this.#below(5), hardState.term), hardState }
  }

  #compaction(): StepEffect<Entry> {
    const { base, entries } = this.#log
    const index = base.index + 1 + this.#below(entries.length)
    const compactTo: LogPosition = { index, term: this.#log.at(index)?.term ?? 0 }
    return {
      entries: this.#flip(0.5) ? this.#entries(this.#end, 2, this.#log.hardState.term) : [],
      compactTo,
    }
  }

  /** One vote a term: another one only in a later term. */
  #laterState(isNewTerm: boolean): HardState {
    const { term, vote } = this.#log.hardState
    if (!isNewTerm && vote !== '') return this.#log.hardState
    const isVoting = !isNewTerm || this.#flip(0.5)
    const later = { term: isNewTerm ? term + 1 : term, vote: '', voteIncarnation: 0 }
    return isVoting ? { ...later, vote: `n${1 + this.#below(5)}`, voteIncarnation: this.#below(1000) } : later
  }

  get #end(): { index: number; entry: Entry | undefined } {
    return { index: this.#log.lastIndex, entry: this.#log.entries.at(-1) }
  }

  #entries(behind: { index: number; entry: Entry | undefined }, count: number, term: number): Entry[] {
    const entries: Entry[] = []
    let previous = behind.entry
    for (let index = behind.index + 1; index <= behind.index + count; index++) {
      const payload = new Uint8Array(this.#payloadBytes()).fill(this.#below(256))
      const header = { kind: EntryKind.commands, timeMs: index, commandCount: 1, configurationIndex: 0 }
      previous = encodeEntry({ ...header, index, term }, [payload], crc32, previous)
      entries.push(previous)
    }
    return entries
  }

  /** Mostly small ones that share a page, some with pages of their own, some with many. */
  #payloadBytes(): number {
    const chance = this.#random.next()
    if (chance < 0.7) return this.#below(400)
    return this.#below(chance < 0.97 ? 6000 : 100_000)
  }

  #below(bound: number): number {
    return Math.floor(this.#random.next() * bound)
  }

  #flip(share: number): boolean {
    return this.#random.next() < share
  }
}
