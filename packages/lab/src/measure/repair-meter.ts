import type { FigureValues } from './figure-values.ts'

interface Repair {
  readonly fromMs: number
  term: number
  rounds: number
  /** The least that was cut; undefined where nothing was, as in a log that is only behind. */
  index: number | undefined
  entries: number
}

/** Logs that had parted from their leader's: where, by how much, and how long until they were mended. */
export class RepairMeter {
  readonly #values: FigureValues
  readonly #open = new Map<string, Repair>()

  constructor(values: FigureValues) {
    this.#values = values
  }

  /** The log of `node` took an append of this term, or refused it. */
  answered(node: string, isAccepted: boolean, term: number, atMs: number): void {
    if (!isAccepted) {
      const repair = this.#of(node, term, atMs)
      repair.rounds++
      return
    }
    const repair = this.#open.get(node)
    if (repair === undefined || term < repair.term) return
    this.#open.delete(node)
    const { index, entries, rounds, fromMs } = repair
    if (index === undefined) return
    this.#values.add('divergencePoints', index)
    this.#values.add('overwrittenEntries', entries)
    this.#values.add('repairRounds', rounds)
    this.#values.add('repairMs', atMs - fromMs)
  }

  cut(node: string, index: number, entries: number, term: number, atMs: number): void {
    const repair = this.#of(node, term, atMs)
    repair.index = Math.min(index, repair.index ?? index)
    repair.entries += entries
  }

  #of(node: string, term: number, atMs: number): Repair {
    let repair = this.#open.get(node)
    if (repair === undefined) {
      repair = { fromMs: atMs, term, rounds: 0, index: undefined, entries: 0 }
      this.#open.set(node, repair)
    }
    repair.term = Math.max(repair.term, term)
    return repair
  }
}
