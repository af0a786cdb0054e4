/** The same loads on one engine or more: a report of each, and of several their ratios. */
import { median } from '../latency.ts'
import type { ActorUse } from '../node-metrics.ts'
import { configurationOf } from '../options.ts'
import type { Figure, Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatNumber, formatRatio, rounded } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { type Verdict, worstOf } from '../verify.ts'
import type { ThroughputReport } from './throughput-report.ts'

/** One engine over another, of one load. */
export interface EngineRatio {
  readonly engines: string
  readonly window: number
  readonly batch: number
  /** Median of the ratios within a repeat. */
  readonly opsRatio: number
  readonly least: number
  readonly most: number
  readonly repeats: number
  /**
   * Of the processor time that an operation takes on all actors' threads, the other way round: above 1 the first takes
   * less. Says more than `opsRatio` on a machine that others use too; null where it is not known.
   */
  readonly cpuRatio: number | null
  /** What it is to reach; null where nobody said. */
  readonly goal: number | null
}

interface ComparedRun {
  readonly window: number
  readonly batch: number
  readonly repeat: number
  readonly opsPerSecond: number
  readonly actors: readonly Pick<ActorUse, 'cpuUtilization'>[]
}

/** Microseconds of processor time of one operation, on the threads of all actors; null where nobody can tell. */
function cpuUsPerOp({ actors, opsPerSecond }: ComparedRun): number | null {
  const shares = actors.map(({ cpuUtilization }) => cpuUtilization)
  if (shares.length === 0 || shares.includes(null) || opsPerSecond === 0) return null
  return (shares.reduce<number>((sum, share) => sum + (share ?? 0), 0) * 1e6) / opsPerSecond
}

/** Of the operations per second. */
const GOALS: Readonly<Record<string, number>> = { 'tcp : threads': 0.6, 'tls : tcp': 0.75 }

/** For each load that both had. */
export function ratiosOf(
  above: { readonly engine: string; readonly runs: readonly ComparedRun[] },
  below: { readonly engine: string; readonly runs: readonly ComparedRun[] },
): EngineRatio[] {
  const loads = Map.groupBy(above.runs, ({ window, batch }) => `${window}×${batch}`)
  const engines = `${above.engine} : ${below.engine}`
  return [...loads.values()].flatMap((group) => {
    const [{ window, batch }] = group as [ComparedRun]
    const pairs = group.flatMap((run) => {
      const other = below.runs.find(
        (each) => each.window === window && each.batch === batch && each.repeat === run.repeat,
      )
      return other === undefined || other.opsPerSecond === 0 ? [] : [{ run, other }]
    })
    const ratios = pairs.map(({ run, other }) => run.opsPerSecond / other.opsPerSecond)
    const cpuRatios = pairs.flatMap(({ run, other }) => {
      const [own, others] = [cpuUsPerOp(run), cpuUsPerOp(other)]
      return own === null || others === null || own === 0 ? [] : [others / own]
    })
    const cpuRatio = cpuRatios.length === 0 ? null : rounded(median(cpuRatios))
    if (ratios.length === 0) return []
    const [least, most] = [rounded(Math.min(...ratios)), rounded(Math.max(...ratios))]
    const opsRatio = rounded(median(ratios))
    return [
      {
        engines,
        window,
        batch,
        opsRatio,
        cpuRatio,
        least,
        most,
        repeats: ratios.length,
        goal: GOALS[engines] ?? null,
      },
    ]
  })
}

const columns: readonly Column<EngineRatio>[] = [
  { title: 'engines', value: ({ engines }) => engines, align: 'left' },
  { title: 'outstanding', value: ({ window }) => formatNumber(window) },
  { title: 'batch', value: ({ batch }) => formatNumber(batch) },
  { title: 'op/s ratio', value: ({ opsRatio }) => formatRatio(opsRatio) },
  { title: 'least', value: ({ least }) => formatRatio(least) },
  { title: 'most', value: ({ most }) => formatRatio(most) },
  { title: 'cpu/op ratio', value: ({ cpuRatio }) => formatRatio(cpuRatio) },
  { title: 'repeats', value: ({ repeats }) => formatNumber(repeats) },
  { title: 'goal', value: ({ goal }) => (goal === null ? '–' : `≥ ${formatRatio(goal)}`) },
  {
    title: '',
    value: ({ goal, opsRatio }) => (goal === null ? '' : opsRatio >= goal ? 'reached' : 'missed'),
    align: 'left',
  },
]

export class EnginesReport implements Report {
  /** In the order of `--engine`. */
  readonly reports: readonly ThroughputReport[]
  readonly #values: object

  constructor(values: object, reports: readonly ThroughputReport[]) {
    this.#values = values
    this.reports = reports
  }

  get #single(): ThroughputReport | undefined {
    return this.reports.length === 1 ? this.reports[0] : undefined
  }

  get verdict(): Verdict {
    return worstOf(this.reports)
  }

  /** Each engine over the one before it. */
  get ratios(): readonly EngineRatio[] {
    return this.reports.flatMap((above, at) => {
      const below = this.reports[at - 1]
      return below === undefined ? [] : ratiosOf(above, below)
    })
  }

  print(output: Output): void {
    for (const report of this.reports) report.print(output)
    const { ratios } = this
    if (ratios.length === 0) return
    output.title('One engine over another, in this run')
    output.table(columns, ratios)
  }

  /** Of several engines the first ratio leads. */
  figures(): readonly Figure[] {
    return this.ratios.map(({ engines, window, opsRatio }) => ({
      value: formatRatio(opsRatio),
      label: `${engines}, ${formatNumber(window)} outstanding`,
    }))
  }

  pictures(): readonly Picture[] {
    const single = this.#single
    if (single !== undefined) return single.pictures()
    return this.reports.flatMap((report) =>
      report.pictures().map((picture) => ({ ...picture, title: `${report.engine}: ${picture.title}` })),
    )
  }

  document(): ReportDocument {
    const single = this.#single
    if (single !== undefined) return single.document()
    const documents = this.reports.map((report) => report.document())
    const byEngine = <Value>(value: (report: ThroughputReport) => Value): Record<string, Value> =>
      Object.fromEntries(this.reports.map((report) => [report.engine, value(report)]))
    const hasRuns = this.reports.some(({ runs }) => runs.length > 0)
    return {
      benchmark: 'throughput',
      headline: hasRuns ? { ...byEngine((report) => report.headline()), ratios: this.ratios } : null,
      verification: byEngine(({ verification }) => verification ?? null),
      configuration: configurationOf(this.#values as Readonly<Record<string, unknown>>),
      environment: this.reports[0]?.environment ?? null,
      ratios: this.ratios,
      spreads: byEngine(({ spreads }) => spreads),
      runs: documents.flatMap(({ runs }, at) =>
        runs.map((run) => ({ engine: this.reports[at]?.engine, ...(run as object) })),
      ),
    }
  }
}
