/** What a sweep shows on the terminal and as JSON. */
import type { Environment } from '../environment.ts'
import type { Output, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber, formatRatio } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import type { Verdict } from '../verify.ts'
import { byCondition, frontPoints, isWide, WIDE_SPREAD } from './aggregate.ts'
import { type Axis, amount, describe, keyWithout, variedAxes } from './axes.ts'
import { explain, limitNames } from './explain.ts'
import { type Comparison, compareDepth, regions, winners } from './findings.ts'
import type { SweepPoint } from './point.ts'
import type { ResultsFile } from './results-file.ts'
import { measuredPoints, type SweepPlan, verdictOf } from './sweep-run.ts'

/** With more points than this under one condition only their front is printed: JSON and the page have them all. */
const MAX_ROWS = 24

export interface SweepShown {
  readonly explains: boolean
  readonly configuration: Readonly<Record<string, unknown>>
}

export class SweepReport implements Report {
  environment: Environment | undefined
  #plan: SweepPlan | undefined
  #file: ResultsFile | undefined
  readonly #shown: SweepShown

  constructor(shown: SweepShown) {
    this.#shown = shown
  }

  /** From now on it shows what the file has of the plan. */
  show(plan: SweepPlan, file: ResultsFile): void {
    this.#plan = plan
    this.#file = file
  }

  get points(): readonly SweepPoint[] {
    return this.#plan === undefined || this.#file === undefined ? [] : measuredPoints(this.#plan, this.#file)
  }

  get verdict(): Verdict {
    return this.#plan === undefined || this.#file === undefined
      ? 'unknown'
      : verdictOf(this.#plan, this.#file)
  }

  print(output: Output): void {
    const { points } = this
    output.title(`Sweep: ${formatNumber(points.length)} points, throughput against p99`)
    if (this.environment !== undefined) output.environment(this.environment)
    const conditions = variedAxes(points).filter(({ role }) => role === 'condition')
    for (const group of byCondition(points)) {
      output.title(describe(group[0] as SweepPoint, conditions) || 'All points')
      printGroup(output, group, points)
      if (this.#shown.explains) printRegions(output, group, points)
    }
    if (this.#shown.explains) printDepth(output, points)
    const wide = points.filter(isWide).length
    if (wide > 0) {
      const note = `${wide} points differ between runs by more than ${WIDE_SPREAD * 100} %: the machine was not quiet`
      output.line(output.style.bad(note))
    }
    this.#printVerdict(output)
  }

  #printVerdict(output: Output): void {
    if (this.points.length === 0) return
    const { style } = output
    const texts: Record<Verdict, string> = {
      pass: style.good('nothing lost, nothing applied twice, replicas equal on every cluster'),
      fail: style.bad('a cluster lost commands, applied some twice, or its replicas differ'),
      unknown: 'not every cluster was checked: the sweep was interrupted',
    }
    output.line(texts[this.verdict])
  }

  document(): ReportDocument {
    const { points } = this
    const groups = byCondition(points)
    const fronts = groups.map((group) => frontPoints(group).map((point) => points.indexOf(point)))
    return {
      benchmark: 'sweep',
      headline: { points: points.length, winners: groups.map((group) => winnersDocument(group, points)) },
      configuration: this.#shown.configuration,
      environment: this.environment ?? null,
      fronts,
      runs: points.map((point) => ({ ...point, limit: explain(point) })),
    }
  }
}

/** By budget of p99 the index of the winner among the runs. */
function winnersDocument(group: readonly SweepPoint[], points: readonly SweepPoint[]): unknown {
  return winners(group).map(({ budgetMs, point }) => ({
    p99BudgetMs: budgetMs,
    run: point === undefined ? null : points.indexOf(point),
    opsPerSecond: point?.opsPerSecond ?? null,
  }))
}

function printGroup(output: Output, group: readonly SweepPoint[], all: readonly SweepPoint[]): void {
  const front = frontPoints(group)
  const rows = group.length > MAX_ROWS ? front : group
  if (rows !== group) output.line(output.style.dim(`the front, of ${group.length} points`))
  output.table(pointColumns(all, front), rows)
}

/** @param all decides which axes are shown @param front is marked */
export function pointColumns(all: readonly SweepPoint[], front: readonly SweepPoint[]): Column<SweepPoint>[] {
  const knobs = variedAxes(all).filter(({ role }) => role === 'knob')
  return [
    { title: 'front', value: (point) => (front.includes(point) ? '★' : ''), align: 'left' },
    ...knobs.map(
      ({ label, name }): Column<SweepPoint> => ({
        title: label,
        value: (point) => amount(point[name]),
      }),
    ),
    { title: 'op/s', value: ({ opsPerSecond }) => formatNumber(opsPerSecond) },
    { title: 'p50 ms', value: ({ p50Ms }) => formatMs(p50Ms) },
    { title: 'p99 ms', value: ({ p99Ms }) => formatMs(p99Ms) },
    { title: 'runs', value: ({ runs }) => String(runs) },
    { title: 'spread', value: (point) => spreadText(point) },
    { title: 'limited by', value: (point) => limitNames[explain(point).kind], align: 'left' },
  ]
}

export function spreadText(point: SweepPoint): string {
  const { opsSpread } = point
  return opsSpread === null ? '–' : `${Math.round(opsSpread * 100)} %${isWide(point) ? ' !' : ''}`
}

/** Points that differ in their window alone. */
export function linesOf(points: readonly SweepPoint[]): SweepPoint[][] {
  return [...Map.groupBy(points, (point) => keyWithout(point, 'window')).values()]
}

export const windowsOf = (points: readonly SweepPoint[]): string => {
  const [first, last] = [points[0]?.window ?? 0, points.at(-1)?.window ?? 0]
  return first === last ? amount(first) : `${amount(first)}–${amount(last)}`
}

function printRegions(output: Output, group: readonly SweepPoint[], all: readonly SweepPoint[]): void {
  const others = variedAxes(all).filter(({ role, name }) => role === 'knob' && name !== 'window')
  const { style } = output
  output.line()
  for (const points of linesOf(group)) {
    const place = describe(points[0] as SweepPoint, others)
    if (place !== '') output.line(style.dim(place))
    for (const { kind, points: stretch, why } of regions(points)) {
      output.line(`  ${windowsOf(stretch)} outstanding: ${style.bold(limitNames[kind])}: ${why}`)
    }
  }
}

/** Comparisons of the smallest with the largest number of messages in flight, and the axes that tell them apart. */
export function depthOf(points: readonly SweepPoint[]): {
  readonly comparisons: readonly Comparison[]
  readonly places: readonly Axis[]
} {
  const places = variedAxes(points).filter(({ name }) => name !== 'maxInflightMessages')
  return { comparisons: compareDepth(points, 'maxInflightMessages'), places }
}

export function depthColumns(places: readonly Axis[]): Column<Comparison>[] {
  return [
    ...places.map(
      ({ label, unit, name }): Column<Comparison> => ({
        title: unit === '' ? label : `${label}, ${unit}`,
        value: ({ deep }) => amount(deep[name]),
      }),
    ),
    {
      title: 'in flight',
      value: ({ shallow, deep }) => `${shallow.maxInflightMessages} → ${deep.maxInflightMessages}`,
    },
    { title: 'op/s ×', value: ({ opsRatio }) => formatRatio(opsRatio) },
    { title: 'p99 ×', value: ({ p99Ratio }) => formatRatio(p99Ratio) },
    { title: '', value: ({ verdict }) => VERDICTS[verdict], align: 'left' },
  ]
}

const VERDICTS: Readonly<Record<Comparison['verdict'], string>> = {
  helps: 'helps',
  costs: 'more throughput, longer tail',
  ruins: 'ruins the tail',
  neither: '',
}

function printDepth(output: Output, points: readonly SweepPoint[]): void {
  const { comparisons, places } = depthOf(points)
  if (comparisons.length === 0) return
  output.title('What a deep pipeline does')
  output.table(depthColumns(places), comparisons)
}
