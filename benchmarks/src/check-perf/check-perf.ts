/**
 * `bench check perf`: does this machine carry etcd's own bars? The load is an open loop: what etcd's checker does not
 * count, the time that a write waits until a client is free, counts here, so that to pass here is harder.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { checkEngine, describeEngine } from '../engine/start-cluster.ts'
import {
  distributionOf,
  type LatencyDistribution,
  type PercentilePoint,
  summarizeHistogram,
} from '../latency.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { CHECK_MS, checkNothingLost, startLoaded } from '../loaded-cluster.ts'
import { metricsBetween, type RunMetrics, snapshot } from '../node-metrics.ts'
import {
  clusterOptionTable,
  configurationOf,
  connectOptionTable,
  lookOptionTable,
  outputOptionTable,
  tcpOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { checkProfileDirectory } from '../profile/profile-run.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { type Observed, startLooking, takeLooks } from '../stages/observe.ts'
import { documentObserved, printObserved } from '../stages/observed-report.ts'
import { formatMs, formatNumber, rounded } from '../terminal/format.ts'
import type { Conditions } from '../throughput/conditions.ts'
import { intervalMsFor, type Timeline, TimelineRecorder } from '../timeline/timeline.ts'
import { type Verdict, worstOf } from '../verify.ts'
import { BAR_COMMAND_BYTES, BAR_NAMES, BAR_SECONDS, type BarName, bars, thresholdsAt } from './bars.ts'
import { checkThresholds, type Measures, type ThresholdCheck, type Thresholds } from './thresholds.ts'

const MS_PER_S = 1000
const NS_PER_MS = 1e6
const NOTE_MS = 500

const optionTable = {
  load: {
    kind: 'choice',
    choices: BAR_NAMES,
    default: 's',
    help: "etcd's bar: 150, 1,000, 8,000 or 15,000 writes/s",
  },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: BAR_SECONDS, help: 'how long it is offered' },
  rate: { kind: 'integer', min: 1, max: 1_000_000, unit: 'writes/s', help: "instead of the bar's" },
  clients: { kind: 'integer', min: 1, max: 100_000, help: "writes under way at most, instead of the bar's" },
  'min-throughput': { kind: 'number', min: 0, unit: 'writes/s', help: 'instead of 0.9 × the rate' },
  'max-latency-ms': { kind: 'number', min: 0, unit: 'ms', help: 'slowest request, instead of 500' },
  'max-stddev-ms': { kind: 'number', min: 0, unit: 'ms', help: 'standard deviation, instead of 100' },
  'max-p99-ms': { kind: 'number', min: 0, unit: 'ms', help: '99th percentile, which etcd does not look at' },
  ...lookOptionTable,
  ...workloadOptionTable,
  size: { ...workloadOptionTable.size, default: BAR_COMMAND_BYTES },
  ...clusterOptionTable,
  ...tcpOptionTable,
  ...connectOptionTable,
  ...outputOptionTable,
} as const

type CheckPerfValues = OptionValues<typeof optionTable>

export interface CheckPerfPlan {
  readonly ratePerSecond: number
  readonly clients: number
  readonly thresholds: Thresholds
}

/** The bar with whatever was given instead of its parts. */
export function planOf(
  values: Pick<
    CheckPerfValues,
    'rate' | 'clients' | 'min-throughput' | 'max-latency-ms' | 'max-stddev-ms' | 'max-p99-ms'
  > & { readonly load: BarName },
): CheckPerfPlan {
  const bar = bars[values.load]
  const ratePerSecond = values.rate ?? bar.ratePerSecond
  const given = {
    minOpsPerSecond: values['min-throughput'],
    maxLatencyMs: values['max-latency-ms'],
    maxStddevMs: values['max-stddev-ms'],
    maxP99Ms: values['max-p99-ms'],
  }
  const instead = Object.fromEntries(Object.entries(given).filter(([, limit]) => limit !== undefined))
  const thresholds: Thresholds = { ...thresholdsAt(ratePerSecond), ...instead }
  return { ratePerSecond, clients: values.clients ?? bar.clients, thresholds }
}

interface CheckPerfRun extends RunMetrics, Observed {
  readonly seconds: number
  readonly commands: number
  readonly opsPerSecond: number
  /** From when a write should have started. */
  readonly latencyMs: LatencyDistribution
  readonly stddevMs: number | null
  readonly errors: number
  readonly conditions: Conditions
  readonly timeline: Timeline
  readonly distribution: readonly PercentilePoint[]
}

class CheckPerfReport extends LoadReport<CheckPerfValues> implements Report {
  measured: CheckPerfRun | undefined
  readonly plan: CheckPerfPlan

  constructor(values: CheckPerfValues) {
    super(values)
    this.plan = planOf(values)
  }

  override get verdict(): Verdict {
    return worstOf([this.check, { verdict: super.verdict }])
  }

  says(verdict: Verdict): string {
    if (verdict === 'pass') return 'the bar is kept, and nothing was lost or applied twice'
    return verdict === 'fail' ? 'the bar is missed, or commands were lost' : 'not all could be checked'
  }

  get check(): ThresholdCheck {
    return checkThresholds(this.#measures(), this.plan.thresholds)
  }

  print(output: Output): void {
    const { size, nodes, load } = this.values
    const { ratePerSecond, clients } = this.plan
    const offered = `${formatNumber(ratePerSecond)} writes/s of ${size} bytes, ${clients} clients`
    this.printHead(output, `Check perf ${load}: ${offered}, ${nodes} nodes${describeEngine(this.values)}`)
    if (this.measured === undefined) return
    const { latencyMs } = this.measured
    output.line(`p50 ${formatMs(latencyMs.p50)} ms, p99 ${formatMs(latencyMs.p99)} ms`)
    for (const { verdict, text } of this.check.findings) {
      const tint = verdict === 'pass' ? output.style.good : output.style.bad
      output.line(tint(`${verdict.toUpperCase().padEnd(7)} ${text}`))
    }
    printObserved(output, 'Where the time went', this.measured)
    this.printCheck(output)
    const tint = this.verdict === 'pass' ? output.style.good : output.style.bad
    output.line(tint(this.verdict.toUpperCase()))
  }

  pictures(): readonly Picture[] {
    const { measured } = this
    if (measured === undefined) return []
    const { timeline, distribution } = measured
    return [
      { kind: 'timeline', title: `${formatNumber(this.plan.ratePerSecond)} writes/s offered`, timeline },
      {
        kind: 'distribution',
        title: 'Latency',
        series: [{ label: 'from the intended start', points: distribution }],
      },
    ]
  }

  document(): ReportDocument {
    const { plan, measured, check } = this
    const { timeline: _, distribution: __, stages: ___, profiles: ____, ...figures } = measured ?? {}
    const { ratePerSecond: commandsPerSecond, clients, thresholds } = plan
    const document = this.documentOf(
      'check perf',
      measured === undefined ? null : this.withChecks(figures),
      this.checkedRows(measured === undefined ? [] : [documentObserved(measured)]),
      { findings: check.findings, thresholds },
    )
    return { ...document, configuration: { ...configurationOf(this.values), commandsPerSecond, clients } }
  }

  #measures(): Measures {
    const { measured, verification } = this
    if (measured === undefined) return {}
    const { opsPerSecond, latencyMs, stddevMs, errors, elections } = measured
    const { lost = null, duplicated = null } = verification ?? {}
    const { p50: p50Ms, p99: p99Ms, max: maxMs } = latencyMs
    return { opsPerSecond, p50Ms, p99Ms, maxMs, stddevMs, errors, elections, lost, duplicated }
  }
}

/** Offers the rate for so long, and waits for what is under way then: the rate counts to the last answer. */
async function offer(
  bench: Bench,
  load: LoadGenerator,
  ratePerSecond: number,
  seconds: number,
): Promise<Omit<CheckPerfRun, keyof RunMetrics | 'conditions' | 'timeline'>> {
  const before = await bench.or(load.totals())
  const startMs = performance.now()
  await bench.or(load.startOpenLoop(ratePerSecond))
  const endMs = startMs + seconds * MS_PER_S
  for (let leftMs = seconds * MS_PER_S; leftMs > 0; leftMs = endMs - performance.now()) {
    await bench.or(delay(Math.min(NOTE_MS, leftMs)))
    const { acknowledged } = await bench.or(load.totals())
    bench.progress.note(`${formatNumber(acknowledged - before.acknowledged)} written`)
  }
  const { latency } = await bench.or(load.stopOpenLoop())
  const elapsedMs = performance.now() - startMs
  const after = await bench.or(load.totals())
  const commands = after.acknowledged - before.acknowledged
  return {
    seconds: rounded(elapsedMs / MS_PER_S),
    commands,
    opsPerSecond: rounded(commands / (elapsedMs / MS_PER_S), 1),
    latencyMs: summarizeHistogram(latency),
    stddevMs: latency.count === 0 ? null : rounded(latency.stddev / NS_PER_MS),
    errors: after.unknown - before.unknown,
    distribution: distributionOf(latency),
  }
}

async function measure(bench: Bench, values: CheckPerfValues, report: CheckPerfReport): Promise<void> {
  const { ratePerSecond, clients } = report.plan
  // A client of etcd's has one request under way: so many of them are so many commands outstanding.
  const settings = { maxOutstandingCommands: clients }
  const loaded = await startLoaded(bench, 'check-perf', values, settings, report)
  const { cluster, load, conditions } = loaded
  const wanted = { stages: values.stages, profileDirectory: values.profile, name: values.load }
  await bench.or(startLooking(cluster, load, wanted))
  const before = await bench.or(snapshot(cluster, load))
  const durationMs = values.seconds * MS_PER_S
  bench.progress.begin(`offering ${formatNumber(ratePerSecond)} writes/s`, durationMs)
  const recorder = new TimelineRecorder(cluster, load, intervalMsFor(durationMs))
  try {
    const run = await offer(bench, load, ratePerSecond, values.seconds)
    const metrics = metricsBetween(before, await bench.or(snapshot(cluster, load)))
    const timeline = await recorder.stop()
    const seen = await bench.or(takeLooks(cluster, load, wanted))
    report.measured = { ...run, ...seen, ...metrics, conditions, timeline }
  } finally {
    await recorder.stop()
  }
  await checkNothingLost(bench, loaded, report)
}

export const checkPerfCommand = commandOf({
  name: 'check perf',
  operand: 'load',
  summary: "pass or fail against etcd's own bars: s, m, l or xl",
  details: [
    'The rates, clients, sizes and limits of `etcdctl check perf`, on a cluster of ours: 0.9 of the rate, no request',
    'above 500 ms, a standard deviation of at most 100 ms, no error. Beyond that nothing may be lost or applied twice.',
    'Latency counts from when a write should have started, which is stricter than what etcd measures.',
  ],
  options: optionTable,
  check(values) {
    workloadSpec(values)
    checkEngine(values)
    if (values.profile !== undefined) checkProfileDirectory(values.profile)
  },
  report: (values) => new CheckPerfReport(values),
  expectedMs: ({ seconds }) => seconds * MS_PER_S + CHECK_MS,
  measure,
})
