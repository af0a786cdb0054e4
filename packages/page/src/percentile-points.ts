/** The latency distribution, as far as its samples carry it. */
import type { Histogram } from 'node:perf_hooks'
import type { PercentilePoint } from './chart-data.ts'
import { rounded } from './format.ts'

const STEPS_PER_NINE = 8
const NINES = 4
const NS_PER_MS = 1e6

/**
 * Points of a histogram of nanoseconds from the lowest to 99.99 %, eight for each nine. Percentiles with fewer than ten
 * samples behind them are left out: they would be noise drawn as a line.
 */
export function percentilePoints(histogram: Pick<Histogram, 'count' | 'percentile'>): PercentilePoint[] {
  return percentGrid()
    .filter((percent) => histogram.count * (1 - percent / 100) >= 10)
    .map((percent) => ({
      percent,
      ms: rounded(histogram.percentile(Math.max(percent, 1e-9)) / NS_PER_MS),
    }))
}

/** From 0 to 99.99, with 50, 90, 99, 99.9 and 99.99 among them. */
function percentGrid(): number[] {
  const spread = Array.from({ length: STEPS_PER_NINE * NINES + 1 }, (_, step) =>
    rounded(100 * (1 - 10 ** (-step / STEPS_PER_NINE)), 6),
  )
  return [...new Set([...spread, 50])].sort((left, right) => left - right)
}
