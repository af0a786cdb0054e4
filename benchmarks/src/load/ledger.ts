/** What a load generator knows about its commands: which were acknowledged, and of which it cannot tell. */
import type { Workload } from '../workload.ts'

/** Acknowledged and unknown writes of each key, in memory that the main thread reads without asking. */
export interface KeyCounts {
  readonly acknowledged: Uint32Array
  readonly unknown: Uint32Array
}

const BYTES_PER_COUNT = 4

/** Memory for {@link keyCounts} of `keys` keys. */
export function keyCountsBuffer(keys: number): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * keys * BYTES_PER_COUNT)
}

export function keyCounts(buffer: SharedArrayBuffer): KeyCounts {
  const keys = buffer.byteLength / (2 * BYTES_PER_COUNT)
  return {
    acknowledged: new Uint32Array(buffer, 0, keys),
    unknown: new Uint32Array(buffer, keys * BYTES_PER_COUNT, keys),
  }
}

/** What the positions say that a log acknowledged. */
export interface PositionFindings {
  /** Acknowledgements with a position that another command got as well. */
  readonly repeated: number
  /** Acknowledgements with a position at or behind the log's end. */
  readonly beyond: number
}

/** The positions that a log gave out, a bit for each. */
export class Positions {
  #bits = new Uint32Array(1 << 16)
  #end = 0
  #repeated = 0

  add(position: number): void {
    const word = position >>> 5
    if (word >= this.#bits.length) this.#grow(word)
    const mask = 1 << (position & 31)
    const bits = this.#bits[word] as number
    if ((bits & mask) !== 0) this.#repeated++
    this.#bits[word] = bits | mask
    if (position >= this.#end) this.#end = position + 1
  }

  /** @param next the position behind the log's last record */
  findings(next: number): PositionFindings {
    let beyond = 0
    for (let position = next; position < this.#end; position++) {
      if (((this.#bits[position >>> 5] as number) & (1 << (position & 31))) !== 0) beyond++
    }
    return { repeated: this.#repeated, beyond }
  }

  #grow(word: number): void {
    const grown = new Uint32Array(Math.max(word + 1, this.#bits.length * 2))
    grown.set(this.#bits)
    this.#bits = grown
  }
}

export class Ledger {
  acknowledged = 0
  unknown = 0
  readonly positions = new Positions()
  readonly #workload: Workload
  readonly #counts: KeyCounts
  readonly #isLog: boolean

  constructor(workload: Workload, counts: KeyCounts) {
    this.#workload = workload
    this.#counts = counts
    this.#isLog = workload.spec.machine === 'log'
  }

  /** Command `sequence` is done; `result` is its position in a log. */
  acknowledge(sequence: number, result: unknown): void {
    this.acknowledged++
    if (this.#isLog) this.positions.add(result as number)
    else (this.#counts.acknowledged[this.#workload.keyAt(sequence)] as number)++
  }

  acknowledgeMany(first: number, results: readonly unknown[]): void {
    for (let offset = 0; offset < results.length; offset++) this.acknowledge(first + offset, results[offset])
  }

  /** Nobody can tell of `count` commands from `first` on whether they happened. */
  lose(first: number, count: number): void {
    this.unknown += count
    if (this.#isLog) return
    for (let offset = 0; offset < count; offset++) {
      ;(this.#counts.unknown[this.#workload.keyAt(first + offset)] as number)++
    }
  }
}
