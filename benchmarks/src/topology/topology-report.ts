import { type OverlayTopology, overlayTopologies } from '@troupe/core'
import type { Environment } from '../environment.ts'
import { type LatencySummary, median } from '../latency.ts'
import { configurationOf } from '../options.ts'
import type { Figure, Output, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber, formatRatio, rounded } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { type Spread, spreadOf } from '../throughput/spread.ts'
import type { Verdict, Verification } from '../verify.ts'
import type { LossRow } from './loss-trial.ts'
import type { PlannedHops } from './planned-hops.ts'

/** One cluster, undisturbed. */
export interface TopologyRun extends PlannedHops {
  readonly topology: OverlayTopology
  readonly repeat: number
  readonly nodes: number
  /** Of one caller. */
  readonly latencyMs: LatencySummary
  /** Of many. */
  readonly opsPerSecond: number
  readonly window: number
  /** Connections that the delivered frames crossed in the mean, as the nodes have counted them. */
  readonly hopsMeasured: number
}

/** The repeats of a topology as one row. */
interface Summary extends PlannedHops {
  readonly topology: OverlayTopology
  readonly hopsMeasured: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly opsPerSecond: number
  readonly spread: Spread
}

/** The repeats of a loss as one row. */
interface LossSummary extends Omit<LossRow, 'repeat' | 'pauseMs' | 'calmPauseMs'> {
  readonly pauseMsMedian: number
  readonly pauseMsWorst: number
  readonly calmPauseMsMedian: number
}

export class TopologyReport implements Report {
  environment: Environment | undefined
  readonly runs: TopologyRun[] = []
  readonly losses: LossRow[] = []
  readonly verifications: { readonly topology: OverlayTopology; readonly verification: Verification }[] = []
  readonly #values: Readonly<Record<string, unknown>> & { readonly nodes: number; readonly repeat: number }

  constructor(
    values: Readonly<Record<string, unknown>> & { readonly nodes: number; readonly repeat: number },
  ) {
    this.#values = values
  }

  get verdict(): Verdict {
    const verdicts = this.verifications.map(({ verification }) => verification.verdict)
    if (verdicts.includes('fail')) return 'fail'
    const isWhole = verdicts.length === overlayTopologies.length * this.#values.repeat
    return isWhole && verdicts.every((verdict) => verdict === 'pass') ? 'pass' : 'unknown'
  }

  get #summaries(): readonly Summary[] {
    return overlayTopologies.flatMap((topology) => {
      const runs = this.runs.filter((run) => run.topology === topology)
      const [first] = runs
      if (first === undefined) return []
      const { connections, hopsMean, hopsMax, cutPairs } = first
      const middle = (of: (run: TopologyRun) => number | null | undefined): number | null =>
        median(runs.map(of).filter((value) => typeof value === 'number')) ?? null
      return [
        {
          ...{ topology, connections, hopsMean, hopsMax, cutPairs },
          hopsMeasured: rounded(middle((run) => run.hopsMeasured) ?? 0),
          p50Ms: middle((run) => run.latencyMs.p50),
          p99Ms: middle((run) => run.latencyMs.p99),
          opsPerSecond: Math.round(middle((run) => run.opsPerSecond) ?? 0),
          spread: spreadOf(runs.map((run) => run.opsPerSecond)),
        },
      ]
    })
  }

  get #lossSummaries(): readonly LossSummary[] {
    const groups = Map.groupBy(this.losses, ({ topology, lost }) => `${topology} ${lost}`)
    const rows = [...groups.values()].map((losses): LossSummary => {
      const { repeat: _, pauseMs: _pause, calmPauseMs: _calm, ...same } = losses[0] as LossRow
      const pauses = losses.map(({ pauseMs }) => pauseMs)
      return {
        ...same,
        reached: losses.every(({ reached }) => reached),
        pauseMsMedian: rounded(median(pauses) ?? 0),
        pauseMsWorst: Math.max(...pauses),
        calmPauseMsMedian: rounded(median(losses.map(({ calmPauseMs }) => calmPauseMs)) ?? 0),
      }
    })
    const order = ({ topology }: LossSummary): number => overlayTopologies.indexOf(topology)
    return rows.sort((a, b) => order(a) - order(b))
  }

  print(output: Output): void {
    const { nodes, repeat } = this.#values
    output.title(`Topologies of ${nodes} nodes, median of ${repeat}`)
    if (this.environment !== undefined) output.environment(this.environment)
    output.table(columns, this.#summaries)
    output.title('What the loss of each node costs, under one caller')
    output.table(lossColumns, this.#lossSummaries)
    for (const { topology, verification } of this.verifications) {
      if (verification.verdict === 'pass') continue
      output.line(output.style.bad(`${topology}:`))
      output.verification(verification)
    }
    const checked = this.verifications.filter(({ verification }) => verification.verdict === 'pass').length
    if (checked > 0)
      output.line(`checked in ${checked} clusters: nothing lost or applied twice, replicas equal`)
  }

  figures(): readonly Figure[] {
    return this.#summaries.flatMap(({ topology, p50Ms, opsPerSecond }) => [
      { value: formatMs(p50Ms), unit: 'ms', label: `${topology}, p50 of one caller` },
      { value: formatNumber(opsPerSecond), unit: 'op/s', label: `${topology}, many callers` },
    ])
  }

  document(): ReportDocument {
    const summaries = this.#summaries.map(({ topology, ...figures }) => [topology, figures] as const)
    return {
      benchmark: 'topology',
      headline: summaries.length === 0 ? null : Object.fromEntries(summaries),
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      verifications: this.verifications,
      lossesSummed: this.#lossSummaries,
      losses: this.losses,
      runs: this.runs,
    }
  }
}

const columns: readonly Column<Summary>[] = [
  { title: 'topology', align: 'left', value: ({ topology }) => topology },
  { title: 'connections', value: ({ connections }) => formatNumber(connections) },
  { title: 'hops, mean', value: ({ hopsMean }) => formatRatio(hopsMean) },
  { title: 'max', value: ({ hopsMax }) => shown(hopsMax) },
  { title: 'of frames', value: ({ hopsMeasured }) => formatRatio(hopsMeasured) },
  { title: 'commit p50 ms', value: ({ p50Ms }) => formatMs(p50Ms) },
  { title: 'p99 ms', value: ({ p99Ms }) => formatMs(p99Ms) },
  { title: 'op/s', value: ({ opsPerSecond }) => formatNumber(opsPerSecond) },
  {
    title: 'spread %',
    value: ({ spread }) => `${formatNumber(spread.spread * 100)}${spread.isTooWide ? ', too wide' : ''}`,
  },
]

const lossColumns: readonly Column<LossSummary>[] = [
  { title: 'topology', align: 'left', value: ({ topology }) => topology },
  { title: 'lost', align: 'left', value: ({ lost }) => lost },
  {
    title: 'which was',
    align: 'left',
    value: ({ wasLeader, place }) => (wasLeader ? `leader, ${place}` : place),
  },
  { title: 'pause p50 ms', value: ({ pauseMsMedian }) => formatMs(pauseMsMedian) },
  { title: 'worst ms', value: ({ pauseMsWorst }) => formatMs(pauseMsWorst) },
  { title: 'without loss ms', value: ({ calmPauseMsMedian }) => formatMs(calmPauseMsMedian) },
  { title: 'connections left', value: ({ connections }) => formatNumber(connections) },
  { title: 'hops, mean', value: ({ hopsMean }) => formatRatio(hopsMean) },
  { title: 'max', value: ({ hopsMax }) => shown(hopsMax) },
  { title: 'all reached', align: 'left', value: ({ reached }) => (reached ? 'yes' : 'no') },
]

const shown = (count: number | null): string => (count === null ? '–' : formatNumber(count))
