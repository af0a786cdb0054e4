/** What a load generator knows about its commands: which were acknowledged, and of which it cannot tell. */
import type { Workload } from '../workload.ts'

/** Acknowledged and unknown writes of each key, in memory that the main thread reads without asking. */
export interface KeyCounts {
  readonly acknowledged: Uint32Array
  readonly unknown: Uint32Array
  /**
   * One more than the sequence number of the last write that was acknowledged, and thus what its value is: 0 for a key
   * without one, {@link UNSURE} where a write's place among the others is not known.
   */
  readonly last: Uint32Array
}

const BYTES_PER_COUNT = 4
const COUNTS = 3
/** In `KeyCounts.last`. */
export const UNSURE = 0xffff_ffff

/** Memory for {@link keyCounts} of `keys` keys. */
export function keyCountsBuffer(keys: number): SharedArrayBuffer {
  return new SharedArrayBuffer(COUNTS * keys * BYTES_PER_COUNT)
}

export function keyCounts(buffer: SharedArrayBuffer): KeyCounts {
  const keys = buffer.byteLength / (COUNTS * BYTES_PER_COUNT)
  const [acknowledged, unknown, last] = [0, 1, 2].map(
    (part) => new Uint32Array(buffer, part * keys * BYTES_PER_COUNT, keys),
  ) as [Uint32Array, Uint32Array, Uint32Array]
  return { acknowledged, unknown, last }
}

/** What the positions say that a log acknowledged. */
export interface PositionFindings {
  /** Acknowledgements with a position that another command got as well. */
  readonly repeated: number
  /** Acknowledgements with a position at or behind the log's end. */
  readonly beyond: number
  /** Acknowledgements whose positions are not in the order in which their commands were proposed. */
  readonly reordered: number
}

/** The positions that a log gave out, a bit for each. */
export class Positions {
  #bits = new Uint32Array(1 << 16)
  #end = 0
  #repeated = 0
  #reordered = 0
  #lastSequence = -1
  #lastPosition = -1

  /** One more than the greatest position so far. */
  get end(): number {
    return this.#end
  }

  /**
   * Looks at the order too: of two commands that were answered one after the other, the one that was proposed first
   * has the lower position. Answers come in the order of proposals, so that nothing escapes it.
   */
  addInOrder(sequence: number, position: number): void {
    if (sequence > this.#lastSequence !== position > this.#lastPosition) this.#reordered++
    this.#lastSequence = sequence
    this.#lastPosition = position
    this.add(position)
  }

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
    return { repeated: this.#repeated, beyond, reordered: this.#reordered }
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

  /** Command `sequence`, proposed after all with lower numbers, is done; `result` is its position in a log. */
  acknowledge(sequence: number, result: unknown): void {
    this.acknowledged++
    if (this.#isLog) return this.positions.addInOrder(sequence, result as number)
    const key = this.#workload.keyAt(sequence)
    ;(this.#counts.acknowledged[key] as number)++
    if ((this.#counts.last[key] as number) <= sequence) this.#counts.last[key] = sequence + 1
  }

  /** A command that was proposed again, after others with higher numbers: nothing is expected of its place. */
  acknowledgeRetried(first: number, results: readonly unknown[]): void {
    this.acknowledged += results.length
    for (let offset = 0; offset < results.length; offset++) {
      if (this.#isLog) {
        this.positions.add(results[offset] as number)
        continue
      }
      const key = this.#workload.keyAt(first + offset)
      ;(this.#counts.acknowledged[key] as number)++
      this.#counts.last[key] = UNSURE
    }
  }

  /** What a read that begins now must have seen (`Workload.seenBy`), of what command `sequence` would write. */
  floorOf(sequence: number): number {
    return this.#isLog
      ? this.positions.end
      : (this.#counts.acknowledged[this.#workload.keyAt(sequence)] as number)
  }

  acknowledgeMany(first: number, results: readonly unknown[]): void {
    for (let offset = 0; offset < results.length; offset++) this.acknowledge(first + offset, results[offset])
  }

  /** Nobody can tell of `count` commands from `first` on whether they happened. */
  lose(first: number, count: number): void {
    this.unknown += count
    if (this.#isLog) return
    for (let offset = 0; offset < count; offset++) {
      const key = this.#workload.keyAt(first + offset)
      ;(this.#counts.unknown[key] as number)++
      this.#counts.last[key] = UNSURE
    }
  }
}
