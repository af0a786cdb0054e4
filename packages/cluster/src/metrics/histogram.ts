/** Counts of values by size, in memory that is taken once: to observe one costs nanoseconds and allocates nothing. */

/** A histogram as it stands: for other threads, and for the text of /metrics. */
export interface HistogramReading {
  /** Upper bounds, ascending, without the last one, which is infinite. */
  readonly bounds: readonly number[]
  /** How many values lie in each bucket, by itself; one more than there are bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** From a tenth of a millisecond on, as etcd's; most of what is timed here is shorter than a millisecond. */
export const SECONDS_BUCKETS: readonly number[] = Object.freeze([
  0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048,
  4.096, 8.192,
])

export class Histogram {
  readonly #bounds: Float64Array
  readonly #counts: Float64Array
  #sum = 0

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds)
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
    ;(this.#counts[bucket] as number)++
    this.#sum += value
  }

  reading(): HistogramReading {
    return { bounds: [...this.#bounds], counts: [...this.#counts], sum: this.#sum }
  }
}
