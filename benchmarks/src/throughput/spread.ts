/** Several equal runs as one: the median, and how far the others are from it. */
import { median } from '../latency.ts'
import { rounded } from '../terminal/format.ts'

/** Wider than this, and the machine was busy with something else: the median says little. */
const MAX_SPREAD = 0.15

export interface Spread {
  readonly runs: number
  readonly median: number
  readonly least: number
  readonly most: number
  /** (most - least) / median; 0 for one run. */
  readonly spread: number
  readonly isTooWide: boolean
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const middle = median(values)
  const least = Math.min(...values)
  const most = Math.max(...values)
  const spread = middle === 0 ? 0 : rounded((most - least) / middle)
  return { runs: values.length, median: middle, least, most, spread, isTooWide: spread > MAX_SPREAD }
}
