/** What happens to the nodes of a soak, drawn from a seed: rounds of all kinds of faults, each in an order of its own. */
import { seededRandom } from '@troupe/core'

/**
 * - `leader`, `follower`: its worker ends itself in the middle of whatever it does, and is started again soon.
 * - `lag`: a follower that stays down until the others have compacted what it misses: it needs a snapshot.
 */
export const faultKinds = ['leader', 'follower', 'lag'] as const
export type FaultKind = (typeof faultKinds)[number]

export interface SoakFault {
  readonly kind: FaultKind
  readonly afterMs: number
  /** How long the node stays down; `lag` takes as long as it takes. */
  readonly downMs: number
  /** From 0 to 1: which of the followers. */
  readonly pick: number
}

export interface FaultPauses {
  readonly minMs: number
  readonly maxMs: number
}

export class FaultSequence {
  readonly #random: ReturnType<typeof seededRandom>
  readonly #pauses: FaultPauses
  #round: FaultKind[] = []

  constructor(seed: number, pauses: FaultPauses) {
    this.#random = seededRandom(seed)
    this.#pauses = pauses
  }

  next(): SoakFault {
    if (this.#round.length === 0) this.#round = [...faultKinds]
    const at = Math.floor(this.#random.next() * this.#round.length)
    const [kind] = this.#round.splice(at, 1) as [FaultKind]
    return { kind, afterMs: this.#pause(), downMs: this.#pause() / 2, pick: this.#random.next() }
  }

  #pause(): number {
    const { minMs, maxMs } = this.#pauses
    return minMs + this.#random.next() * (maxMs - minMs)
  }
}
