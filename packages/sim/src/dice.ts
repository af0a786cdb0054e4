import { type Random, seededRandom } from '@troupe/core'

/** Chance in all the shapes that a simulation needs, from one seeded stream. */
export class Dice implements Random {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.#random.next()
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.#random.next() * limit)
  }

  /** An integer from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** A number between the two. */
  between(least: number, most: number): number {
    return least + this.#random.next() * (most - least)
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** Exponentially distributed with this mean: the time between independent events. */
  exponential(mean: number): number {
    return -Math.log(1 - this.#random.next()) * mean
  }

  /** Between the two, small ones as likely as large ones: each power of ten has its share. */
  magnitude(least: number, most: number): number {
    return least * (most / least) ** this.#random.next()
  }
}

const STREAMS = 4096

/**
 * The stream number `stream` (0 to 4095) of a seed: what one part of the world draws does not shift what another one gets.
 */
export function diceOf(seed: number, stream: number): Dice {
  return new Dice(seededRandom(seed * STREAMS + stream))
}

/** What draws from which stream. Clients add their number. Everything else is noise (noise.ts). */
export const streams = { plan: 0, turnOrder: 1, nemesis: 2, queue: 3, client: 16 } as const
