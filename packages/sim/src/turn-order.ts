/**
 * Which node acts first, after probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): nodes have priorities,
 * and one of a low priority lets its mailbox fill while those above it go on talking. A few times in a run whoever acts
 * falls to the lowest place. Bugs that need few events in one certain order, of thousands, are found so with a probability
 * that has a bound, where even chances would nearly always miss it.
 */
import type { Dice } from './dice.ts'
import type { Plan } from './plan.ts'

/** How many times longer than the one above it a node waits. */
const STEP = 3
/** Changes of the order in a run: at least one, and so many at most. */
const MOST_CHANGES = 8

export class TurnOrder {
  /** By node: its place, 0 for the one that never waits. */
  readonly #places: number[]
  readonly #unitMs: number
  readonly #mostMs: number
  /** When whoever acts falls to the lowest place, the latest first. */
  readonly #changesMs: number[]

  /** The order of a plan; undefined where all are equal. */
  static of(plan: Plan, dice: Dice): TurnOrder | undefined {
    return plan.interleaving === 'priorities' ? new TurnOrder(plan, dice) : undefined
  }

  private constructor(plan: Plan, dice: Dice) {
    const { voters, learners, spares, network, disk, turn, knobs, faultMs } = plan
    const places = Array.from({ length: voters + learners + spares }, (_, at) => at)
    for (let at = places.length - 1; at > 0; at--) {
      const other = dice.below(at + 1)
      ;[places[at], places[other]] = [places[other] as number, places[at] as number]
    }
    this.#places = places
    // The next one waits while those above have an answer to what they ask.
    this.#unitMs = 2 * (network.delayMs + turn.leastMs) + disk.flushMs
    // Longer, and it would be as if it were down.
    this.#mostMs = knobs.electionTimeoutMinMs / 2
    const changes = dice.integer(1, MOST_CHANGES)
    this.#changesMs = Array.from({ length: changes }, () => dice.between(0, faultMs)).sort((a, b) => b - a)
  }

  /** How long the node that has something to do now lets it wait. */
  waitMs(node: number, nowMs: number): number {
    if (nowMs >= (this.#changesMs.at(-1) ?? Number.POSITIVE_INFINITY)) this.#fall(node)
    const place = this.#places[node] ?? 0
    return place === 0 ? 0 : Math.min(this.#mostMs, this.#unitMs * STEP ** (place - 1))
  }

  #fall(node: number): void {
    this.#changesMs.pop()
    const place = this.#places[node] ?? 0
    this.#places.forEach((other, at) => {
      if (other > place) this.#places[at] = other - 1
    })
    this.#places[node] = this.#places.length - 1
  }
}
