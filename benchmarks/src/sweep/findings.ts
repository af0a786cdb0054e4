/** What a sweep says beyond its points: who wins within which budget, and what deep pipelines do. Pure. */
import { rounded } from '../terminal/format.ts'
import { frontPoints } from './aggregate.ts'
import { type Axis, type AxisName, describe, keyWithout } from './axes.ts'
import { explain, type LimitKind } from './explain.ts'
import type { SweepPoint } from './point.ts'

/** Budgets of p99 that people have, in ms. */
const BUDGETS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

export interface Winner {
  readonly budgetMs: number
  /** Undefined where no point is within it. */
  readonly point: SweepPoint | undefined
}

/**
 * The most throughput within each budget of p99, for points that compete. Budgets that say no more than the one before are
 * left out: those that nobody meets but the last of them, and those beyond the one that the fastest point meets.
 */
export function winners(group: readonly SweepPoint[], budgetsMs: readonly number[] = BUDGETS_MS): Winner[] {
  const front = frontPoints(group)
  const all = budgetsMs.map((budgetMs) => ({
    budgetMs,
    point: front.findLast(({ p99Ms }) => p99Ms !== null && p99Ms <= budgetMs),
  }))
  return all.filter(({ point }, index) => {
    const next = all[index + 1]
    if (point === undefined) return next === undefined || next.point !== undefined
    return all[index - 1]?.point !== point
  })
}

/** What became of throughput and tail when one knob was turned, everything else being equal. */
export interface Comparison {
  readonly shallow: SweepPoint
  readonly deep: SweepPoint
  readonly opsRatio: number
  readonly p99Ratio: number
  /** `helps`: clearly more throughput, and no worse tail for it; `ruins`: a clearly worse tail for nothing. */
  readonly verdict: 'helps' | 'costs' | 'ruins' | 'neither'
}

/** Less than this is noise between runs. */
const CLEARLY = 1.2
const TAIL_RUINED = 1.5

/** The smallest value of a knob beside the largest, for every setting of the others that has both, in their order. */
export function compareDepth(points: readonly SweepPoint[], axis: AxisName): Comparison[] {
  const groups = Map.groupBy(points, (point) => keyWithout(point, axis))
  return [...groups.values()].flatMap((group) => {
    const rising = group.toSorted((left, right) => left[axis] - right[axis])
    const shallow = rising[0]
    const deep = rising.at(-1)
    if (shallow === undefined || deep === undefined || Object.is(shallow[axis], deep[axis])) return []
    return [compare(shallow, deep)]
  })
}

function compare(shallow: SweepPoint, deep: SweepPoint): Comparison {
  const opsRatio = rounded(deep.opsPerSecond / Math.max(1, shallow.opsPerSecond), 2)
  const p99Ratio = rounded((deep.p99Ms ?? 0) / Math.max(0.001, shallow.p99Ms ?? 0), 2)
  const isMore = opsRatio >= CLEARLY
  const verdict = isMore
    ? p99Ratio >= TAIL_RUINED
      ? 'costs'
      : 'helps'
    : p99Ratio >= TAIL_RUINED
      ? 'ruins'
      : 'neither'
  return { shallow, deep, opsRatio, p99Ratio, verdict }
}

/** A row of neighbouring windows with the same limit, under equal conditions and knobs. */
export interface Region {
  readonly kind: LimitKind
  readonly points: readonly SweepPoint[]
  /** Of its last point. */
  readonly why: string
}

/** What limits each stretch of windows, for points that differ in nothing else. */
export function regions(line: readonly SweepPoint[]): Region[] {
  const found: { kind: LimitKind; points: SweepPoint[]; why: string }[] = []
  for (const point of line.toSorted((left, right) => left.window - right.window)) {
    const { kind, why } = explain(point)
    const last = found.at(-1)
    if (last?.kind === kind) {
      last.points.push(point)
      last.why = why
    } else found.push({ kind, points: [point], why })
  }
  return found
}

/** What the comparisons say, in one sentence for each verdict. */
export function depthSentences(comparisons: readonly Comparison[], places: readonly Axis[]): string[] {
  const first = comparisons[0]
  if (first === undefined) return []
  const depths = `${first.shallow.maxInflightMessages} to ${first.deep.maxInflightMessages}`
  const by = (verdict: Comparison['verdict'], of: (one: Comparison) => number): Comparison[] =>
    comparisons.filter((one) => one.verdict === verdict).sort((left, right) => of(right) - of(left))
  const helped = [
    ...by('helps', ({ opsRatio }) => opsRatio),
    ...by('costs', ({ opsRatio }) => opsRatio),
  ].sort((left, right) => right.opsRatio - left.opsRatio)
  const ruined = by('ruins', ({ p99Ratio }) => p99Ratio)
  const best = helped[0]
  const worst = ruined[0]
  const count = comparisons.length
  const help =
    best === undefined
      ? `From ${depths} messages in flight nothing gets clearly faster, in none of ${count} places.`
      : `From ${depths} messages in flight throughput rises by a fifth or more in ${helped.length} of ${count} places, most at ${describe(best.deep, places)}: × ${best.opsRatio}, with p99 × ${best.p99Ratio}.`
  const ruin =
    worst === undefined
      ? 'Nowhere does it lengthen the tail by half without that.'
      : `In ${ruined.length} it lengthens the tail by half or more for nothing, most at ${describe(worst.deep, places)}: p99 × ${worst.p99Ratio}, throughput × ${worst.opsRatio}.`
  return [help, ruin]
}
