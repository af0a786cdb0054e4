/** What `bench throughput` has to show of one engine. */
import { describeEngine } from '../engine/start-cluster.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { documentObserved, printObserved } from '../stages/observed-report.ts'
import { printAroundFault } from '../timeline/around-fault.ts'
import { type Verdict, worstOf } from '../verify.ts'
import { type LoadSpread, printSpreads, spreadsOf } from './load-spread.ts'
import type { ThroughputValues } from './throughput-options.ts'
import {
  describeLoad,
  describeScene,
  headlineRun,
  medianRun,
  type ThroughputRun,
  throughputColumns,
  violationsOf,
} from './throughput-run.ts'

/** Also part of the main job. */
export class ThroughputReport extends LoadReport<ThroughputValues> implements Report {
  readonly runs: ThroughputRun[] = []

  override get verdict(): Verdict {
    return worstOf([{ verdict: super.verdict }, { verdict: this.violations > 0 ? 'fail' : 'pass' }])
  }

  /** As in `--engine`. */
  get engine(): string {
    return this.values.tls ? 'tls' : this.values.engine
  }

  /** Reads that were older than they may be. */
  get violations(): number {
    return violationsOf(this.runs)
  }

  get spreads(): readonly LoadSpread[] {
    return spreadsOf(this.runs)
  }

  /** The figures that matter, of the fastest load. */
  headline(): Readonly<Record<string, unknown>> | null {
    const best = headlineRun(this.runs)
    if (best === undefined) return null
    const { timeline: _, distribution: __, stages: ___, profiles: ____, ...figures } = best
    const spread = this.spreads.find(({ window, batch }) => window === best.window && batch === best.batch)
    return { ...this.withChecks(figures), spread: spread ?? null }
  }

  print(output: Output): void {
    this.printHead(output, `Throughput: ${describeScene(this.values)}${describeEngine(this.values)}`)
    if (this.runs.length > 0) output.table(throughputColumns(this.runs), this.runs)
    printSpreads(output, this.spreads)
    if (this.violations > 0) {
      output.line(output.style.bad(`${this.violations} reads were older than an acknowledged write`))
    }
    for (const { aroundFault } of this.runs)
      if (aroundFault !== undefined) printAroundFault(output, aroundFault)
    for (const run of this.runs) printObserved(output, describeLoad(run), run)
    this.printCheck(output)
  }

  /** The fastest load: over time, and its latencies; those of the other loads beside it. */
  pictures(): readonly Picture[] {
    const best = headlineRun(this.runs)
    if (best?.timeline === undefined) return []
    const medians = this.spreads.map(({ window, batch }) =>
      medianRun(this.runs.filter((run) => run.window === window && run.batch === batch)),
    )
    return [
      { kind: 'timeline', title: describeLoad(best), timeline: best.timeline },
      {
        kind: 'distribution',
        title: 'Latency by load',
        series: medians.map((run) => ({ label: describeLoad(run), points: run.distribution ?? [] })),
      },
    ]
  }

  document(): ReportDocument {
    const rows = this.runs.map(documentObserved)
    return this.documentOf('throughput', this.headline(), this.checkedRows(rows), { spreads: this.spreads })
  }
}
