/**
 * The books over all loads of a soak. Each start of the cluster has a load of its own, with a client and a session of its own;
 * what their commands came to stays in the cluster, so it is counted on.
 */
import { type KeyCounts, keyCounts, keyCountsBuffer, type PositionFindings } from '../load/ledger.ts'
import type { Books } from '../verify.ts'
import type { WorkloadSpec } from '../workload.ts'

const NOTHING: PositionFindings = { repeated: 0, beyond: 0, reordered: 0 }

export class SoakBooks implements Books {
  readonly workload: WorkloadSpec
  readonly counts: KeyCounts
  #acknowledged = 0
  #unknown = 0
  /** Of the loads before the latest. */
  #earlier = NOTHING
  /** Of the latest, as it was last asked. */
  #latest = NOTHING
  #load: Books | undefined

  constructor(workload: WorkloadSpec) {
    this.workload = workload
    this.counts = keyCounts(keyCountsBuffer(workload.keys))
  }

  /** Adds a load that has ended, once. Until the next one is added it is asked for the positions that it got. */
  async add(load: Books): Promise<void> {
    const { acknowledged, unknown } = await load.totals()
    this.#acknowledged += acknowledged
    this.#unknown += unknown
    addUp(this.counts.acknowledged, load.counts.acknowledged)
    addUp(this.counts.unknown, load.counts.unknown)
    this.#earlier = sumOf(this.#earlier, this.#latest)
    this.#latest = NOTHING
    this.#load = load
  }

  /** The latest load is about to be closed: what it last told of its positions stands. */
  release(): void {
    this.#load = undefined
  }

  async totals(): Promise<{ readonly acknowledged: number; readonly unknown: number }> {
    return { acknowledged: this.#acknowledged, unknown: this.#unknown }
  }

  async positions(next: number): Promise<PositionFindings> {
    if (this.#load !== undefined) this.#latest = await this.#load.positions(next)
    return sumOf(this.#earlier, this.#latest)
  }
}

function addUp(sums: Uint32Array, counts: Uint32Array): void {
  for (let key = 0; key < sums.length; key++) (sums[key] as number) += counts[key] as number
}

const sumOf = (left: PositionFindings, right: PositionFindings): PositionFindings => ({
  repeated: left.repeated + right.repeated,
  beyond: left.beyond + right.beyond,
  reordered: left.reordered + right.reordered,
})
