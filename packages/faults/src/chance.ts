/** Random draws with correlation, and the distributions of delays. */
import type { Random } from '@troupe/core'
import type { GilbertElliott, Latency } from './vocabulary.ts'

/**
 * A draw that repeats the one before with the chance of its correlation. So the values keep their distribution,
 * whatever the correlation (netem mixes two numbers instead, and its percentages drift).
 */
export class Correlated<T> {
  #last: T | undefined

  draw(correlation: number, random: Random, fresh: () => T): T {
    if (correlation > 0 && this.#last !== undefined && happens(correlation, random)) return this.#last
    const value = fresh()
    this.#last = value
    return value
  }
}

/** True in so many percent of all calls. 0 and 100 draw nothing. */
export function happens(percent: number, random: Random): boolean {
  if (percent <= 0) return false
  return percent >= 100 || random.next() * 100 < percent
}

/** Loss in bursts. */
export class GilbertElliottState {
  #isBad = false

  /** Whether this frame is lost; the state changes behind it. */
  next(model: GilbertElliott, random: Random): boolean {
    const isLost = happens(this.#isBad ? (model.lossInBad ?? 100) : (model.lossInGood ?? 0), random)
    if (happens(this.#isBad ? model.toGood : model.toBad, random)) this.#isBad = !this.#isBad
    return isLost
  }
}

/** How long a frame takes: see {@link Latency}. */
export function drawLatencyMs(latency: Latency, random: Random): number {
  const { timeMs, jitterMs = 0, distribution = 'uniform' } = latency
  if (jitterMs === 0 || distribution === 'constant') return timeMs
  return Math.max(0, timeMs + jitterMs * drawTail(distribution, random))
}

/** Pareto's shape: heavy, but with a mean and a variance. */
const PARETO_SHAPE = 3

function drawTail(distribution: 'uniform' | 'normal' | 'exponential' | 'pareto', random: Random): number {
  // In (0, 1]: its logarithm is finite.
  const uniform = 1 - random.next()
  switch (distribution) {
    case 'uniform':
      return 2 * uniform - 1
    case 'normal':
      return Math.sqrt(-2 * Math.log(uniform)) * Math.cos(2 * Math.PI * random.next())
    case 'exponential':
      return -Math.log(uniform)
    case 'pareto':
      return (uniform ** (-1 / PARETO_SHAPE) - 1) * (PARETO_SHAPE - 1)
  }
}
