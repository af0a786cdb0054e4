import { type FigureValues, ofPhase } from './figure-values.ts'
import type { Phases } from './phases.ts'

const SAMPLE_MS = 50
/** Of one run: what is looked at for longer than this says nothing new. */
const MAX_SAMPLES = 20_000
/** Commits that are nearer to each other count as one: nobody lags by less. */
const GRAIN_MS = 1

/** How long ago what a node still lacks was committed, looked at again and again. */
export class LagMeter {
  readonly #values: FigureValues
  readonly #phases: Phases
  /** Rising: what was committed by when. */
  readonly #commits: { index: number; atMs: number }[] = []
  #nextMs = SAMPLE_MS
  #samples = 0

  constructor(values: FigureValues, phases: Phases) {
    this.#values = values
    this.#phases = phases
  }

  committed(index: number, atMs: number): void {
    const last = this.#commits.at(-1)
    if (last !== undefined && atMs - last.atMs < GRAIN_MS) last.index = index
    else this.#commits.push({ index, atMs })
  }

  /** @param slowest what the slowest member that is up has applied */
  look(atMs: number, slowest: () => number): void {
    if (atMs < this.#nextMs) return
    const sinceMs = this.#lacksSince(slowest())
    for (; this.#nextMs <= atMs && this.#samples < MAX_SAMPLES; this.#nextMs += SAMPLE_MS) {
      const lagMs = Math.max(0, this.#nextMs - sinceMs)
      this.#values.add(ofPhase('replicaLagMs', this.#phases.at(this.#nextMs)), lagMs)
      this.#samples++
    }
  }

  /** When the first of what is lacking was committed. */
  #lacksSince(applied: number): number {
    let low = 0
    let high = this.#commits.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#commits[middle] as { index: number }).index > applied) high = middle
      else low = middle + 1
    }
    return this.#commits[low]?.atMs ?? Number.POSITIVE_INFINITY
  }
}
