/**
 * How long a cluster does without a leader, and what follows until all is as it was.
 *
 *     lost ─► elected ─► first commit ─► a client's write ─► all members have applied that commit
 */
import { type FigureValues, ofPhase, type PhasedFigure } from './figure-values.ts'
import type { Phases } from './phases.ts'

interface Outage {
  readonly fromMs: number
  /** The index of the first commit since. */
  commitIndex: number | undefined
  isServed: boolean
}

/** Whether all members have applied an index. */
export type HaveAll = (index: number) => boolean

export class OutageMeter {
  readonly #values: FigureValues
  readonly #phases: Phases
  readonly #haveAll: HaveAll
  #leader: { readonly node: string; readonly term: number } | undefined
  /** When the leader died, and nobody led since. */
  #diedMs: number | undefined
  #committedMs = 0
  readonly #open: Outage[] = []

  constructor(values: FigureValues, phases: Phases, haveAll: HaveAll) {
    this.#values = values
    this.#phases = phases
    this.#haveAll = haveAll
  }

  stopped(node: string, atMs: number): void {
    if (this.#leader?.node === node) this.#diedMs ??= atMs
  }

  elected(node: string, term: number, atMs: number): void {
    if (term <= (this.#leader?.term ?? 0)) return
    const isFirst = this.#leader === undefined
    this.#leader = { node, term }
    const fromMs = this.#lostMs(atMs)
    this.#diedMs = undefined
    if (isFirst) return
    this.#add('timeToLeaderMs', fromMs, atMs - fromMs)
    // Elected and gone before it committed anything: for clients it is still the same outage.
    const goesOn = this.#open.some(({ commitIndex }) => commitIndex === undefined)
    if (!goesOn) this.#open.push({ fromMs, commitIndex: undefined, isServed: false })
  }

  #lostMs(electedMs: number): number {
    if (this.#diedMs !== undefined) return this.#diedMs
    const { duringMs } = this.#phases
    // The fault that did it came after the last commit.
    return duringMs <= electedMs ? Math.max(this.#committedMs, duringMs) : this.#committedMs
  }

  committed(index: number, atMs: number): void {
    this.#committedMs = atMs
    for (const outage of this.#open) {
      if (outage.commitIndex !== undefined) continue
      outage.commitIndex = index
      this.#add('timeToCommitMs', outage.fromMs, atMs - outage.fromMs)
    }
  }

  /** A write of a client was acknowledged. */
  served(atMs: number): void {
    for (const outage of this.#open) {
      if (outage.isServed || outage.commitIndex === undefined) continue
      outage.isServed = true
      this.#add('recoverySeconds', outage.fromMs, (atMs - outage.fromMs) / 1000)
    }
  }

  /** A member has applied more. */
  applied(atMs: number): void {
    for (let at = this.#open.length - 1; at >= 0; at--) {
      const { fromMs, commitIndex, isServed } = this.#open[at] as Outage
      if (commitIndex === undefined || !this.#haveAll(commitIndex)) continue
      // What nobody waits for any more is told once, and kept for the client alone.
      if (!this.#replicated.has(fromMs)) this.#add('timeToReplicatedMs', fromMs, atMs - fromMs)
      this.#replicated.add(fromMs)
      if (isServed) this.#open.splice(at, 1)
    }
  }
  readonly #replicated = new Set<number>()

  #add(stem: PhasedFigure, fromMs: number, value: number): void {
    this.#values.add(ofPhase(stem, this.#phases.at(fromMs)), value)
  }
}
