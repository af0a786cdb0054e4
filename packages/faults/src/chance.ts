/** Random draws with correlation, and the distributions of delays. */
import type { Random } from '@troupe/core'
import type { Distribution, GilbertElliott, Latency, LossStates, Slots } from './vocabulary.ts'

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

/** Loss by netem's chain of four states. */
export class LossStateChain {
  #state: 'through' | 'through in a burst' | 'burst' | 'single' = 'through'

  /** Whether this frame is lost: by the state that the chain goes to with it. */
  next({ p13, p31 = 100 - p13, p32 = 0, p23 = 100, p14 = 0 }: LossStates, random: Random): boolean {
    const drawn = random.next() * 100
    switch (this.#state) {
      case 'through':
        if (drawn < p14) this.#state = 'single'
        else if (drawn < p14 + p13) this.#state = 'burst'
        break
      case 'through in a burst':
        if (drawn < p23) this.#state = 'burst'
        break
      case 'burst':
        if (drawn < p32) this.#state = 'through in a burst'
        else if (drawn < p32 + p31) this.#state = 'through'
        break
      case 'single':
        this.#state = 'through'
    }
    return this.#state === 'burst' || this.#state === 'single'
  }
}

/** The turns by which frames leave. */
export class Turns {
  #atMs = Number.NEGATIVE_INFINITY
  #frames = 0
  #bytes = 0

  /** When a frame leaves that could do so at `atMs`: with the next turn that has room for it. */
  next(
    { timeMs, mostMs = timeMs, frames = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY }: Slots,
    frameBytes: number,
    atMs: number,
    random: Random,
  ): number {
    const isOver = this.#frames <= 0 || this.#bytes <= 0
    if (isOver || this.#atMs < atMs) {
      const waitMs = mostMs === timeMs ? timeMs : timeMs + random.next() * (mostMs - timeMs)
      this.#atMs = Math.max(this.#atMs, atMs) + waitMs
      this.#frames = frames
      this.#bytes = bytes
    }
    this.#frames--
    this.#bytes -= frameBytes
    return this.#atMs
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

function drawTail(distribution: Exclude<Distribution, 'constant'>, random: Random): number {
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
    case 'paretonormal':
      return (normalQuantile(1 - uniform) + 3 * netemPareto(uniform)) / 4
  }
}

/** As in netem's table: around its mean, with four thirds of the scale. */
const netemPareto = (uniform: number): number =>
  (4 / 3) * (uniform ** (-1 / PARETO_SHAPE) - PARETO_SHAPE / (PARETO_SHAPE - 1))

/** Tukey's lambda, which is the normal distribution to three thousandths of its deviation where it is likely. */
const normalQuantile = (share: number): number => (share ** 0.135 - (1 - share) ** 0.135) / 0.1975
