/**
 * Reads under load, each checked against what was acknowledged before it began: a linearizable read, however it is
 * served, sees all of it. All callers of a load share one client, so that every acknowledgement counts, not only those
 * of the caller that reads.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { QueryOptions, Served } from '@troupe/cluster'
import type { Workload } from '../workload.ts'
import type { Ledger } from './ledger.ts'

export type ReadConsistency = NonNullable<QueryOptions['consistency']>

/** Which calls of a load are reads. */
export interface ReadSpec {
  readonly consistency: ReadConsistency
  /** Of 100 calls so many are reads, evenly scattered; the others write. */
  readonly percent: number
}

/** What answers reads: a client. */
export interface Asker {
  query(query: unknown, options: QueryOptions): Promise<unknown>
  /** The same, and how it was served. */
  ask(query: unknown, options: QueryOptions): Promise<Served<unknown>>
}

/** What became of the reads of one run. */
export interface ReadResult {
  /** Answered while it was measured. */
  readonly reads: number
  /** Answers that are older than a write acknowledged before the read began, where that is not allowed; warm-up included. */
  readonly violations: number
  /** The same where it is allowed: stale reads. */
  readonly behind: number
  /** Of a sample, how the answers came about. */
  readonly served: Readonly<Partial<Record<ReadConsistency, number>>>
  /** In nanoseconds, of what the loop samples. */
  readonly latency: RecordableHistogram
}

/** Without a common divisor with 100: reads and writes alternate as evenly as can be. */
const SCATTER = 61

export class Reads {
  readonly options: QueryOptions
  readonly latency = createHistogram()
  answered = 0
  #violations = 0
  #behind = 0
  readonly #served = new Map<ReadConsistency, number>()
  readonly #spec: ReadSpec
  readonly #asker: Asker
  readonly #workload: Workload
  readonly #ledger: Ledger

  constructor(spec: ReadSpec, asker: Asker, workload: Workload, ledger: Ledger) {
    this.#spec = spec
    this.options = { consistency: spec.consistency }
    this.#asker = asker
    this.#workload = workload
    this.#ledger = ledger
  }

  /** Whether call number `call` of a load is a read. */
  has(call: number): boolean {
    return (call * SCATTER) % 100 < this.#spec.percent
  }

  /** Reads what command `sequence` would write, and checks the answer. `isSampled` also notes how it was served. */
  async read(sequence: number, isSampled: boolean): Promise<void> {
    const query = this.#workload.queryAt(sequence)
    const floor = this.#ledger.floorOf(sequence)
    if (!isSampled) return this.take(floor, await this.#asker.query(query, this.options))
    const { answer, served } = await this.#asker.ask(query, this.options)
    this.#served.set(served, (this.#served.get(served) ?? 0) + 1)
    this.take(floor, answer)
  }

  /** Checks an answer against what the ledger's `floorOf` was when the read began. */
  take(floor: number, answer: unknown): void {
    this.answered++
    const seen = this.#workload.seenBy(answer)
    if (seen >= floor) return
    if (seen >= 0 && this.#spec.consistency === 'stale') this.#behind++
    else this.#violations++
  }

  /** @param reads those that were answered while it was measured */
  result(reads: number): ReadResult {
    return {
      reads,
      violations: this.#violations,
      behind: this.#behind,
      served: Object.fromEntries(this.#served),
      latency: this.latency,
    }
  }
}
