/**
 * Who is crashed and who is restarted when: a seeded schedule that never has more nodes down at once than it may.
 * Pure, so that its promise can be tested.
 */
import { type NodeId, seededRandom } from '@troupe/core'

export interface ChurnLimits {
  /** Nodes that may be down at once. */
  readonly maxDown: number
  readonly minPauseMs: number
  readonly maxPauseMs: number
}

export type ChurnStep = {
  readonly afterMs: number
  readonly kind: 'crash' | 'restart'
  readonly id: NodeId
}

export class ChurnSchedule {
  readonly #ids: readonly NodeId[]
  readonly #limits: ChurnLimits
  readonly #random: ReturnType<typeof seededRandom>
  readonly #down = new Set<NodeId>()

  constructor(ids: readonly NodeId[], limits: ChurnLimits, seed: number) {
    this.#ids = ids
    this.#limits = limits
    this.#random = seededRandom(seed)
  }

  get down(): readonly NodeId[] {
    return [...this.#down]
  }

  /** What to do next, and how long to wait before. */
  next(): ChurnStep {
    const { maxDown, minPauseMs, maxPauseMs } = this.#limits
    const afterMs = minPauseMs + this.#random.next() * (maxPauseMs - minPauseMs)
    const isFull = this.#down.size >= maxDown
    const crashes = this.#down.size === 0 || (!isFull && this.#random.next() < 0.5)
    const candidates = this.#ids.filter((id) => this.#down.has(id) !== crashes)
    const id = candidates[Math.floor(this.#random.next() * candidates.length)] as NodeId
    if (crashes) this.#down.add(id)
    else this.#down.delete(id)
    return { afterMs, kind: crashes ? 'crash' : 'restart', id }
  }
}

/** Fewer than half: the others still are a quorum. */
export const minority = (nodes: number): number => Math.floor((nodes - 1) / 2)
