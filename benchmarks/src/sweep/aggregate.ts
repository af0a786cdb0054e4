/** From runs to points: medians, spreads, fronts and who deserves another run. Pure. */

import { frontOf, isNearFront, type Tradeoff } from '@troupe/page'
import { median } from '../latency.ts'
import { rounded } from '../terminal/format.ts'
import { conditionKey, type SweepSettings } from './axes.ts'
import type { SweepPoint } from './point.ts'
import type { SweepRun } from './run.ts'

/** @param runs at least one */
export function aggregate(settings: SweepSettings, runs: readonly SweepRun[]): SweepPoint {
  const ops = runs.map(({ opsPerSecond }) => opsPerSecond)
  const p99s = numbers(runs.map(({ latencyMs }) => latencyMs.p99))
  const middle = runs.find(({ opsPerSecond }) => opsPerSecond === median(ops)) as SweepRun
  const { utilisation, stagesMs } = middle
  return {
    ...settings,
    runs: runs.length,
    opsPerSecond: median(ops),
    p50Ms: medianOf(numbers(runs.map(({ latencyMs }) => latencyMs.p50))),
    p99Ms: medianOf(p99s),
    maxMs: medianOf(numbers(runs.map(({ latencyMs }) => latencyMs.max))),
    opsSpread: spreadOf(ops),
    p99Spread: spreadOf(p99s),
    elections: runs.reduce((sum, { elections }) => sum + elections, 0),
    rates: ratesOf(middle),
    ...(utilisation === undefined ? {} : { utilisation }),
    ...(stagesMs === undefined ? {} : { stagesMs }),
  }
}

function ratesOf(run: SweepRun): SweepPoint['rates'] {
  const { commandsPerEntry, entriesPerFlush, flushesPerSecond } = run
  const { entriesPerSecond, appendsPerSecond, entriesPerAppend } = run
  return {
    commandsPerEntry,
    entriesPerFlush,
    flushesPerSecond,
    entriesPerSecond,
    appendsPerSecond,
    entriesPerAppend,
  }
}

const numbers = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null)
const medianOf = (values: readonly number[]): number | null => (values.length === 0 ? null : median(values))

/** Largest less smallest, over the median. */
function spreadOf(values: readonly number[]): number | null {
  if (values.length < 2) return null
  return rounded((Math.max(...values) - Math.min(...values)) / median(values), 3)
}

/** A spread beyond this says that the machine was not quiet: nothing closer than that can be told apart. */
export const WIDE_SPREAD = 0.2

export const isWide = ({ opsSpread, p99Spread }: SweepPoint): boolean =>
  (opsSpread ?? 0) > WIDE_SPREAD || (p99Spread ?? 0) > 2 * WIDE_SPREAD

/** More throughput, less p99. A point without a p99 is on no front. */
export const tradeoff = ({ opsPerSecond, p99Ms }: SweepPoint): Tradeoff => ({
  gain: opsPerSecond,
  cost: p99Ms ?? Number.NaN,
})

/** Points that compete, by their conditions, in the order of the points. */
export function byCondition(points: readonly SweepPoint[]): SweepPoint[][] {
  return [...Map.groupBy(points, conditionKey).values()]
}

/** Those that nothing under equal conditions beats, by rising throughput. */
export function frontPoints(group: readonly SweepPoint[]): SweepPoint[] {
  return frontOf(group.map(tradeoff)).map((index) => group[index] as SweepPoint)
}

/** How far behind the front a point may be and still get another run: as much as single runs differ. */
const FINALIST_MARGIN = 0.1

/** Points on or near a front that have fewer than `runs` runs. Empty: the fronts stand on repeated measurements. */
export function finalists(points: readonly SweepPoint[], runs: number): SweepPoint[] {
  return byCondition(points).flatMap((group) => {
    const known = group.map(tradeoff).filter(({ cost }) => Number.isFinite(cost))
    return group.filter(
      (point) =>
        point.runs < runs && point.p99Ms !== null && isNearFront(tradeoff(point), known, FINALIST_MARGIN),
    )
  })
}
