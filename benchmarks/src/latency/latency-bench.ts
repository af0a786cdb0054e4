/** `bench latency`: load at a rate, or at a share of what the cluster can do, and the latency that its clients feel. */
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { checkEngine, describeEngine } from '../engine/start-cluster.ts'
import type { LoadableCluster } from '../engine/tested-cluster.ts'
import { sustainedFaultOf } from '../faults/sustained-faults.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { CHECK_MS, checkNothingLost, startLoaded } from '../loaded-cluster.ts'
import {
  clientSettings,
  clusterOptionTable,
  connectOptionTable,
  faultOption,
  lookOptionTable,
  outputOptionTable,
  readOptionTable,
  readSpec,
  tcpOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { checkProfileDirectory } from '../profile/profile-run.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { documentObserved, printObserved } from '../stages/observed-report.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import { type Spread, spreadOf } from '../throughput/spread.ts'
import { describeScene, measureCluster, violationsOf } from '../throughput/throughput-run.ts'
import { printAroundFault } from '../timeline/around-fault.ts'
import { type Verdict, worstOf } from '../verify.ts'
import {
  type LatencyRun,
  latencyColumns,
  linesOf,
  meanwhileColumns,
  measureRate,
  rateRunMs,
} from './latency-run.ts'

const optionTable = {
  rate: {
    kind: 'integer',
    min: 1,
    max: 10_000_000,
    unit: 'commands/s',
    help: 'commands start at this rate (default: --load of the capacity, which is measured first)',
  },
  load: {
    kind: 'number',
    min: 0.1,
    max: 200,
    unit: '%',
    default: 50,
    help: 'this share of the capacity, where no --rate is given',
  },
  'capacity-window': {
    kind: 'integer',
    min: 1,
    max: 1 << 17,
    default: 1024,
    help: 'callers of the closed loop that measures the capacity',
  },
  batch: { kind: 'integer', min: 1, max: 1 << 16, default: 1, help: 'commands of one call' },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 60, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 2, help: 'load before it, not measured' },
  repeat: { kind: 'integer', min: 1, max: 1000, default: 1, help: 'do it so often' },
  ...lookOptionTable,
  fault: faultOption,
  ...readOptionTable,
  ...workloadOptionTable,
  ...clusterOptionTable,
  ...tcpOptionTable,
  ...connectOptionTable,
  ...outputOptionTable,
} as const

export type LatencyValues = OptionValues<typeof optionTable>

const MS_PER_S = 1000
const CAPACITY_SECONDS = 3
const CAPACITY_WARMUP_SECONDS = 1

export class LatencyReport extends LoadReport<LatencyValues> implements Report {
  readonly runs: LatencyRun[] = []
  /** Closed loop; undefined where --rate was given. */
  capacityPerSecond: number | undefined

  override get verdict(): Verdict {
    return worstOf([{ verdict: super.verdict }, { verdict: this.violations > 0 ? 'fail' : 'pass' }])
  }

  get violations(): number {
    return violationsOf(this.runs)
  }

  /** Of the 99th percentile from the intended start. */
  get spread(): Spread | undefined {
    const values = this.runs.flatMap(({ latencyMs }) => (latencyMs.p99 === null ? [] : [latencyMs.p99]))
    return values.length === 0 ? undefined : spreadOf(values)
  }

  /** The run with the middle 99th percentile. */
  get medianRun(): LatencyRun | undefined {
    const middle = this.spread?.median
    return this.runs.find(({ latencyMs }) => latencyMs.p99 === middle) ?? this.runs[0]
  }

  print(output: Output): void {
    this.printHead(output, `Latency: ${describeScene(this.values)}${describeEngine(this.values)}`)
    const { capacityPerSecond, spread } = this
    if (capacityPerSecond !== undefined) {
      const window = formatNumber(this.values['capacity-window'])
      output.line(
        `capacity ${formatNumber(capacityPerSecond)} op/s (closed loop, ${window} outstanding); load ${this.values.load} % of it`,
      )
    }
    if (this.runs.length > 0) {
      output.table(latencyColumns, linesOf(this.runs))
      output.line()
      output.table(meanwhileColumns(this.runs), this.runs)
    }
    for (const { ratePerSecond, opsPerSecond, keptUp, aroundFault } of this.runs) {
      if (aroundFault !== undefined) printAroundFault(output, aroundFault)
      if (keptUp) continue
      const figures = `${formatNumber(opsPerSecond)} of ${formatNumber(ratePerSecond)} a second`
      output.line(output.style.bad(`it did not keep up: ${figures} were answered`))
    }
    for (const run of this.runs) printObserved(output, `${formatNumber(run.ratePerSecond)} commands/s`, run)
    if (spread?.isTooWide === true) {
      const range = `${formatMs(spread.least)} to ${formatMs(spread.most)} ms`
      output.line(output.style.bad(`p99 of the runs is from ${range}: they differ too much to be trusted`))
    }
    if (this.violations > 0)
      output.line(output.style.bad(`${this.violations} reads were older than an acknowledged write`))
    this.printCheck(output)
  }

  pictures(): readonly Picture[] {
    const run = this.medianRun
    if (run === undefined) return []
    return [
      { kind: 'timeline', title: `${formatNumber(run.ratePerSecond)} commands/s`, timeline: run.timeline },
      {
        kind: 'distribution',
        title: 'Latency',
        series: [
          { label: 'from the intended start', points: run.distribution },
          { label: 'from the actual start', points: run.serviceDistribution },
        ],
      },
    ]
  }

  document(): ReportDocument {
    const capacityPerSecond = this.capacityPerSecond ?? null
    const median = this.medianRun
    const headline =
      median === undefined ? null : { ...this.withChecks(headlineOf(median)), capacityPerSecond }
    const rows = this.runs.map((run) => ({ ...documentObserved(run), capacityPerSecond }))
    return this.documentOf('latency', headline, this.checkedRows(rows), { spread: this.spread ?? null })
  }
}

function headlineOf(run: LatencyRun): Record<string, unknown> {
  const { timeline: _, distribution: __, serviceDistribution: ___, ...figures } = run
  const { stages: ____, profiles: _____, ...headline } = figures
  return headline
}

export async function measureLatency(
  bench: Bench,
  values: LatencyValues,
  report: LatencyReport,
): Promise<void> {
  const { batch } = values
  const windows = [values['capacity-window'], MAX_OUTSTANDING / batch]
  const loaded = await startLoaded(bench, 'latency', values, clientSettings(windows, batch), report)
  const { cluster, load, conditions } = loaded
  const reads = readSpec(values)
  const fault = sustainedFaultOf(values.fault)
  const ratePerSecond = values.rate ?? (await shareOfCapacity(bench, cluster, load, values, report))
  for (let repeat = 1; repeat <= values.repeat; repeat++) {
    const settings = {
      ...{ ratePerSecond, batch, repeat, reads, fault, conditions, stages: values.stages },
      profileDirectory: values.profile,
      sizeBytes: values.size,
      seconds: values.seconds,
      warmupSeconds: values['warmup-seconds'],
    }
    report.runs.push(await measureRate(bench, cluster, load, settings))
  }
  await checkNothingLost(bench, loaded, report)
}

/** What an open loop may have under way: a stall of a second at a high rate must not make it wait. */
const MAX_OUTSTANDING = 1 << 18

async function shareOfCapacity(
  bench: Bench,
  cluster: LoadableCluster,
  load: LoadGenerator,
  values: LatencyValues,
  report: LatencyReport,
): Promise<number> {
  const { opsPerSecond } = await measureCluster(bench, cluster, load, {
    ...{ window: values['capacity-window'], batch: values.batch, sizeBytes: values.size, repeat: 1 },
    ...{ seconds: CAPACITY_SECONDS, warmupSeconds: CAPACITY_WARMUP_SECONDS },
    reads: readSpec(values),
  })
  report.capacityPerSecond = opsPerSecond
  return Math.max(1, Math.round((opsPerSecond * values.load) / 100))
}

function expectedLatencyMs(values: LatencyValues): number {
  const { seconds, rate, repeat } = values
  const fault = sustainedFaultOf(values.fault)
  const runMs = rateRunMs({ seconds, warmupSeconds: values['warmup-seconds'], fault })
  const capacityMs = rate === undefined ? (CAPACITY_SECONDS + CAPACITY_WARMUP_SECONDS) * MS_PER_S : 0
  return capacityMs + repeat * runMs + CHECK_MS
}

export const latencyCommand = commandOf({
  name: 'latency',
  summary: 'latency at a rate, or at a share of what the cluster can do, snapshots included',
  details: [
    'Open loop: commands start when a schedule says so, however slow the answers are. Latency from the intended start',
    'is what a client feels; that from the actual start leaves out how long a command waited to be begun, because its',
    'generator had no room or came late (its timer ticks each millisecond). Afterwards everything is checked as in',
    '`bench throughput`.',
  ],
  options: optionTable,
  check(values) {
    workloadSpec(values)
    readSpec(values)
    checkEngine(values)
    if (values.profile !== undefined) checkProfileDirectory(values.profile)
  },
  report: (values) => new LatencyReport(values),
  expectedMs: expectedLatencyMs,
  measure: measureLatency,
})
