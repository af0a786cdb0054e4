/**
 * What was handed to a store and is not written yet, merged into one batch.
 *
 * Invariants: at most one batch is in flight; `nextIndex` is where the log ends once everything handed over
 * is written, `baseIndex` where it begins; the entries of a batch are consecutive. How requests merge:
 *
 *     reset       drops what the batch would do to the log; what follows is done to the empty one
 *     truncation  takes entries and repairs out of the batch that is still filling, so they are never written; what is
 *                 in flight or on the disk is left to `truncateFrom`
 *     repair      of an entry of the batch takes its place, any other is written beside them
 *     compaction  the last one counts; entries of the batch that it covers are written all the same
 */
import {
  type Entry,
  type HardState,
  InvariantError,
  type LogPosition,
  type PersistRequest,
} from '@troupe/core'

/** One step, in this order: reset, truncation, repairs, entries, hard state, compaction. */
export interface WriteBatch {
  /** The last request that is part of this batch, or that carried nothing and completes with it. */
  token: number
  hardState: HardState | undefined
  reset: LogPosition | undefined
  /** Undefined beside a reset, which leaves nothing to truncate. */
  truncateFrom: number | undefined
  readonly repairs: Entry[]
  readonly entries: Entry[]
  compactTo: LogPosition | undefined
}

const newBatch = (): WriteBatch => ({
  token: 0,
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries: [],
  compactTo: undefined,
})

const carriesNothing = (request: PersistRequest | WriteBatch): boolean =>
  request.entries.length === 0 &&
  request.truncateFrom === undefined &&
  request.hardState === undefined &&
  request.compactTo === undefined &&
  request.reset === undefined &&
  request.repairs.length === 0

/** Merges requests into batches. Two batch objects take turns, so that a flush allocates none. */
export class WriteQueue {
  #filling = newBatch()
  #spare = newBatch()
  #inFlight: WriteBatch | undefined
  #lastToken = Number.NEGATIVE_INFINITY
  #baseIndex: number
  #nextIndex: number

  /**
   * @param baseIndex the index that the log begins behind
   * @param nextIndex the index of the entry to come, `baseIndex + 1` for an empty log
   */
  constructor(baseIndex: number, nextIndex: number) {
    this.#baseIndex = baseIndex
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
    if (request.reset !== undefined) this.#reset(request.reset)
    if (request.truncateFrom !== undefined) this.#truncate(request.truncateFrom)
    for (const entry of request.repairs) this.#repair(entry)
    for (const entry of request.entries) this.#append(entry)
    if (request.hardState !== undefined) this.#filling.hardState = request.hardState
    if (request.compactTo !== undefined) this.#compact(request.compactTo)
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
    batch.reset = undefined
    batch.truncateFrom = undefined
    batch.repairs.length = 0
    batch.entries.length = 0
    batch.compactTo = undefined
    this.#spare = batch
    this.#inFlight = undefined
  }

  #reset(base: LogPosition): void {
    if (!Number.isSafeInteger(base.index) || base.index < 0) {
      throw new InvariantError(`reset to ${base.index}`)
    }
    const batch = this.#filling
    batch.reset = base
    batch.truncateFrom = undefined
    batch.repairs.length = 0
    batch.entries.length = 0
    batch.compactTo = undefined
    this.#baseIndex = base.index
    this.#nextIndex = base.index + 1
  }

  #truncate(from: number): void {
    if (!(from > this.#baseIndex && from <= this.#nextIndex)) {
      throw new InvariantError(`truncation from ${from} of a log ${this.#extent()}`)
    }
    const { entries, repairs, reset, truncateFrom } = this.#filling
    const keep = entries.findIndex((entry) => entry.index >= from)
    if (keep !== -1) entries.length = keep
    if (repairs.length > 0) dropFrom(repairs, from)
    if (reset === undefined) this.#filling.truncateFrom = Math.min(truncateFrom ?? from, from)
    this.#nextIndex = from
  }

  #repair(entry: Entry): void {
    if (!(entry.index > this.#baseIndex && entry.index < this.#nextIndex)) {
      throw new InvariantError(`repair of entry ${entry.index} in a log ${this.#extent()}`)
    }
    const { entries, repairs } = this.#filling
    const at = entry.index - (entries[0]?.index ?? Number.POSITIVE_INFINITY)
    if (at >= 0) entries[at] = entry
    else repairs.push(entry)
  }

  #append(entry: Entry): void {
    if (entry.index !== this.#nextIndex) {
      throw new InvariantError(`entry ${entry.index} where ${this.#nextIndex} follows`)
    }
    this.#nextIndex += 1
    this.#filling.entries.push(entry)
  }

  /** A place at or below the base changes nothing: a snapshot that was installed went further. */
  #compact(to: LogPosition): void {
    if (!(to.index < this.#nextIndex)) {
      throw new InvariantError(`compaction to ${to.index} of a log ${this.#extent()}`)
    }
    if (to.index <= this.#baseIndex) return
    this.#filling.compactTo = to
    this.#baseIndex = to.index
  }

  #extent(): string {
    return `${this.#baseIndex + 1}..${this.#nextIndex - 1}`
  }
}

function dropFrom(repairs: Entry[], from: number): void {
  const kept = repairs.filter((entry) => entry.index < from)
  repairs.length = 0
  repairs.push(...kept)
}
