/** What a sweep shows on the terminal and as JSON. */
import { describeEngine, type EngineValues } from '../engine/start-cluster.ts'
import type { Environment } from '../environment.ts'
import type { FullDocument } from '../report/document.ts'
import type { Output, Report, ReportDocument } from '../report.ts'
import { formatNumber } from '../terminal/format.ts'
import { machineOf } from '../throughput/conditions.ts'
import type { Verdict } from '../verify.ts'
import { byCondition, frontPoints, isWide, WIDE_SPREAD } from './aggregate.ts'
import { amount, describe, keyWithout, variedAxes } from './axes.ts'
import { depthColumns, depthOf, pointColumns } from './columns.ts'
import { explain, limitNames } from './explain.ts'
import { regions, winners } from './findings.ts'
import type { SweepPoint } from './point.ts'
import type { ResultsFile } from './results-file.ts'
import { renderSweep } from './sweep-page.ts'
import { measuredPoints, type SweepPlan, type SweepProgress, sweepProgress, verdictOf } from './sweep-run.ts'
import { sweptEngine } from './swept-cluster.ts'

/** With more points than this under one condition only their front is printed: JSON and the page have them all. */
const MAX_ROWS = 24

export interface SweepShown {
  readonly explains: boolean
  /** Who runs the nodes. */
  readonly engine: EngineValues
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
    return this.#verdictOf(this.#plan?.points ?? [])
  }

  /** How much of the plan is done; undefined before there is one. */
  get progress(): SweepProgress | undefined {
    return this.#plan === undefined || this.#file === undefined
      ? undefined
      : sweepProgress(this.#plan, this.#file)
  }

  /** What is done, where it is kept, and how to go on. */
  interrupted(command: string): string {
    const { progress } = this
    if (progress === undefined || this.#file === undefined) return 'interrupted before the first point'
    const { points, measured, unchecked, repeatsMissing } = progress
    const lines = [
      `interrupted: ${formatNumber(measured)} of ${formatNumber(points)} points are measured and kept in ${this.#file.path}`,
      ...(unchecked > 0
        ? [`of ${formatNumber(unchecked)} nobody looked whether commands were lost: those are measured again`]
        : []),
      ...(measured === points && repeatsMissing > 0
        ? [`${formatNumber(repeatsMissing)} points on or near a front are still to be repeated`]
        : []),
      // Which would begin by throwing it all away.
      `go on with: ${command.replace(' --fresh', '')}`,
    ]
    return lines.join('\n')
  }

  html({ command }: Pick<FullDocument, 'command'>): string {
    return renderSweep(this.points, this.environment, { command, progress: this.progress })
  }

  print(output: Output): void {
    const { points } = this
    const where = describeEngine(this.#shown.engine)
    output.title(`Sweep: ${formatNumber(points.length)} points, throughput against p99${where}`)
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
      unknown: 'on some clusters nobody has looked yet whether commands were lost',
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
      progress: this.progress ?? null,
      fronts,
      runs: points.map((point) => this.#row(point)),
    }
  }

  #row(point: SweepPoint): object {
    const { environment } = this
    return {
      ...{ ...point, limit: explain(point), checked: this.#verdictOf([point]) },
      conditions: environment && {
        ...sweptEngine(this.#shown.engine),
        durability: environment.durability,
        ...machineOf(environment),
      },
    }
  }

  #verdictOf(points: SweepPlan['points']): Verdict {
    if (this.#plan === undefined || this.#file === undefined) return 'unknown'
    return verdictOf({ ...this.#plan, points }, this.#file)
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

/** Points that differ in their window alone. */
export function linesOf(points: readonly SweepPoint[]): SweepPoint[][] {
  return [...Map.groupBy(points, (point) => keyWithout(point, 'window')).values()]
}

const windowsOf = (points: readonly SweepPoint[]): string => {
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

function printDepth(output: Output, points: readonly SweepPoint[]): void {
  const { comparisons, places } = depthOf(points)
  if (comparisons.length === 0) return
  output.title('What a deep pipeline does')
  output.table(depthColumns(places), comparisons)
}
