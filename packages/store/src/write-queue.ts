/**
 * What was handed to a store and is not written yet, merged into one batch.
 *
 * Invariants: at most one batch is in flight; `nextIndex` is where the log ends once everything handed over
 * is written; the entries of a batch are consecutive. A later truncation takes entries out of the batch that
 * is still filling, so they are never written; what is in flight or on the disk is left to `truncateFrom`.
 */
import { type Entry, type HardState, InvariantError, type PersistRequest } from '@troupe/core'

/** One step: truncation, then entries, then hard state. */
export interface WriteBatch {
  /** The last request that is part of this batch, or that carried nothing and completes with it. */
  token: number
  hardState: HardState | undefined
  truncateFrom: number | undefined
  readonly entries: Entry[]
}

const newBatch = (): WriteBatch => ({ token: 0, hardState: undefined, truncateFrom: undefined, entries: [] })

const carriesNothing = (request: PersistRequest | WriteBatch): boolean =>
  request.entries.length === 0 && request.truncateFrom === undefined && request.hardState === undefined

/** Merges requests into batches. Two batch objects take turns, so that a flush allocates none. */
export class WriteQueue {
  #filling = newBatch()
  #spare = newBatch()
  #inFlight: WriteBatch | undefined
  #lastToken = Number.NEGATIVE_INFINITY
  readonly #firstIndex: number
  #nextIndex: number

  /** @param nextIndex the index of the entry to come, `firstIndex` for an empty log */
  constructor(firstIndex: number, nextIndex: number) {
    this.#firstIndex = firstIndex
    this.#nextIndex = nextIndex
  }

  /** The batch that was taken and not released. */
  get inFlight(): WriteBatch | undefined {
    return this.#inFlight
  }

  /** Whether there is something to write. */
  get hasContent(): boolean {
    return !carriesNothing(this.#filling)
  }

  /**
   * Takes one request in. Returns true where it completes at once: it carries nothing, and nothing is before
   * it.
   * @throws InvariantError where token or indexes do not follow what was handed over before
   */
  add(request: PersistRequest): boolean {
    if (!(request.token > this.#lastToken)) throw new InvariantError(`token ${request.token} out of order`)
    this.#lastToken = request.token
    if (carriesNothing(request) && !this.hasContent) {
      if (this.#inFlight === undefined) return true
      this.#inFlight.token = request.token
      return false
    }
    this.#filling.token = request.token
    if (request.truncateFrom !== undefined) this.#truncate(request.truncateFrom)
    for (const entry of request.entries) this.#append(entry)
    if (request.hardState !== undefined) this.#filling.hardState = request.hardState
    return false
  }

  /** Hands out what has been merged; it stays `inFlight` until `release`. */
  take(): WriteBatch {
    const batch = this.#filling
    this.#filling = this.#spare
    this.#inFlight = batch
    return batch
  }

  /** Ends the batch in flight and lets go of its entries. */
  release(): void {
    const batch = this.#inFlight
    if (batch === undefined) throw new InvariantError('no batch in flight')
    batch.hardState = undefined
    batch.truncateFrom = undefined
    batch.entries.length = 0
    this.#spare = batch
    this.#inFlight = undefined
  }

  #truncate(from: number): void {
    if (!(from >= this.#firstIndex && from <= this.#nextIndex)) {
      throw new InvariantError(`truncation from ${from} of a log ${this.#firstIndex}..${this.#nextIndex - 1}`)
    }
    const { entries, truncateFrom } = this.#filling
    const keep = entries.findIndex((entry) => entry.index >= from)
    if (keep !== -1) entries.length = keep
    this.#filling.truncateFrom = truncateFrom === undefined ? from : Math.min(truncateFrom, from)
    this.#nextIndex = from
  }

  #append(entry: Entry): void {
    if (entry.index !== this.#nextIndex) {
      throw new InvariantError(`entry ${entry.index} where ${this.#nextIndex} follows`)
    }
    this.#nextIndex += 1
    this.#filling.entries.push(entry)
  }
}
