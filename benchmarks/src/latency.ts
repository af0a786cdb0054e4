/** Percentiles, by nearest rank, with the number of samples beside them. */
import type { Histogram } from 'node:perf_hooks'
import { rounded } from './terminal/format.ts'

/** Fewer samples have no 99th percentile worth the name: it would be the maximum. */
const MIN_SAMPLES_FOR_P99 = 100
const MIN_SAMPLES_FOR_P999 = 1000
const MIN_SAMPLES_FOR_P9999 = 10_000
const NS_PER_MS = 1e6

export interface LatencySummary {
  readonly p50: number | null
  /** Null for fewer than 100 samples. */
  readonly p99: number | null
  readonly max: number | null
  readonly mean: number | null
  readonly samples: number
}

/** What a histogram tells: percentiles that its samples are too few for are null. */
export interface LatencyDistribution extends LatencySummary {
  readonly p90: number | null
  /** Null for fewer than 1,000 samples. */
  readonly p999: number | null
  /** Null for fewer than 10,000 samples. */
  readonly p9999: number | null
}

/** A point of a latency distribution: `percent` % of the samples were not above `ms`. */
export interface PercentilePoint {
  readonly percent: number
  readonly ms: number
}

const EMPTY: LatencySummary = { p50: null, p99: null, max: null, mean: null, samples: 0 }

/** The smallest value that at least `percent` % of the values do not exceed. `sorted` rises and is not empty. */
export function percentile(sorted: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length))
  return sorted[rank - 1] as number
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((left, right) => left - right),
    50,
  )
}

/**
 * Sums up a few measurements. `p99` is given by nearest rank where `alwaysP99` asks for it, which of fewer than 100
 * is their maximum: say how many there are.
 */
export function summarize(values: readonly number[], { alwaysP99 = false } = {}): LatencySummary {
  if (values.length === 0) return EMPTY
  const sorted = [...values].sort((left, right) => left - right)
  const hasP99 = alwaysP99 || sorted.length >= MIN_SAMPLES_FOR_P99
  return {
    p50: rounded(percentile(sorted, 50)),
    p99: hasP99 ? rounded(percentile(sorted, 99)) : null,
    max: rounded(sorted.at(-1) as number),
    mean: rounded(sorted.reduce((sum, value) => sum + value, 0) / sorted.length),
    samples: sorted.length,
  }
}

/** Sums up a histogram of nanoseconds, in milliseconds. */
export function summarizeHistogram(histogram: Histogram): LatencyDistribution {
  const samples = histogram.count
  if (samples === 0) return { ...EMPTY, p90: null, p999: null, p9999: null }
  const inMs = (ns: number): number => rounded(ns / NS_PER_MS)
  return {
    p50: inMs(histogram.percentile(50)),
    p90: inMs(histogram.percentile(90)),
    p99: samples >= MIN_SAMPLES_FOR_P99 ? inMs(histogram.percentile(99)) : null,
    p999: samples >= MIN_SAMPLES_FOR_P999 ? inMs(histogram.percentile(99.9)) : null,
    p9999: samples >= MIN_SAMPLES_FOR_P9999 ? inMs(histogram.percentile(99.99)) : null,
    max: inMs(histogram.max),
    mean: inMs(histogram.mean),
    samples,
  }
}

/** Percentages at which a distribution is drawn: each nine has the same width. */
const DRAWN_PERCENTS = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99, 99.999]

/** The distribution as points to draw, up to the highest percentage that the samples tell apart, and the maximum. */
export function distributionOf(histogram: Histogram): PercentilePoint[] {
  const samples = histogram.count
  if (samples === 0) return []
  const points = DRAWN_PERCENTS.filter((percent) => samples * (100 - percent) >= 100).map((percent) => ({
    percent,
    ms: rounded((percent === 0 ? histogram.min : histogram.percentile(percent)) / NS_PER_MS),
  }))
  return [...points, { percent: 100, ms: rounded(histogram.max / NS_PER_MS) }]
}

/** Values as points to draw, one for each but the last: all of them are the 100th percentile, which no axis of nines has. */
export function distributionOfValues(values: readonly number[]): PercentilePoint[] {
  const sorted = values.toSorted((left, right) => left - right)
  const ranks = sorted.map((ms, index) => ({ percent: rounded((100 * (index + 1)) / sorted.length), ms }))
  const least = ranks[0]
  return least === undefined ? [] : [{ percent: 0, ms: least.ms }, ...ranks]
}
