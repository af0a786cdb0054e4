/** `bench churn`: nodes crash and come back at random under load; afterwards nothing may be lost or done twice. */
import { setTimeout as delay } from 'node:timers/promises'
import { hrtimeMs } from '@troupe/actor'
import type { Bench } from '../bench.ts'
import { commandOf } from '../benchmark.ts'
import type { OptionValues } from '../command.ts'
import { checkEngine, describeEngine } from '../engine/start-cluster.ts'
import { ours, type TestedCluster } from '../engine/tested-cluster.ts'
import {
  distributionOf,
  type LatencyDistribution,
  type PercentilePoint,
  summarizeHistogram,
} from '../latency.ts'
import { CHECK_MS, checkNothingLost, type LoadedCluster, startLoaded } from '../loaded-cluster.ts'
import {
  clientSettings,
  clusterOptionTable,
  outputOptionTable,
  rateOption,
  tcpOptionTable,
  workloadOptionTable,
  workloadSpec,
} from '../options.ts'
import { LoadReport } from '../report/load-report.ts'
import type { Figure, Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber, rounded } from '../terminal/format.ts'
import { intervalMsFor, type Timeline, TimelineRecorder } from '../timeline/timeline.ts'
import { ChurnSchedule, type ChurnStep, minority } from './churn-schedule.ts'

const optionTable = {
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 60, help: 'how long nodes crash and come back' },
  crashes: {
    kind: 'integer',
    min: 1,
    max: 100_000,
    help: 'end after so many crashes instead, however long that takes',
  },
  all: { kind: 'flag', help: 'let all nodes be down at once (default: never more than a minority)' },
  'min-pause-ms': {
    kind: 'number',
    min: 0,
    unit: 'ms',
    default: 50,
    help: 'shortest time between two faults',
  },
  'max-pause-ms': {
    kind: 'number',
    min: 0,
    unit: 'ms',
    default: 600,
    help: 'longest time between two faults',
  },
  rate: rateOption,
  ...workloadOptionTable,
  ...clusterOptionTable,
  nodes: { ...clusterOptionTable.nodes, min: 2 },
  ...tcpOptionTable,
  ...outputOptionTable,
} as const

type ChurnValues = OptionValues<typeof optionTable>

class ChurnReport extends LoadReport<ChurnValues> implements Report {
  readonly steps: (ChurnStep & { readonly atMs: number })[] = []
  latencyMs: LatencyDistribution | undefined
  distribution: readonly PercentilePoint[] = []
  timeline: Timeline | undefined
  elections = 0
  unexpectedExits = 0

  get crashes(): number {
    return this.steps.filter(({ kind }) => kind === 'crash').length
  }

  print(output: Output): void {
    const { nodes, seconds, crashes, rate, machine } = this.values
    this.printHead(
      output,
      `Churn: ${machine}, ${nodes} nodes, ${crashes === undefined ? `${seconds} s` : `${crashes} crashes`}, ${formatNumber(rate)} commands/s${describeEngine(this.values)}`,
    )
    const { latencyMs } = this
    output.line(`${formatNumber(this.crashes)} crashes, ${formatNumber(this.elections)} elections`)
    if (latencyMs !== undefined) {
      const { p50, p99, max } = latencyMs
      const figures = `p50 ${formatMs(p50)} ms, p99 ${formatMs(p99)} ms, max ${formatMs(max)} ms`
      output.line(`latency from the intended start: ${figures}`)
    }
    if (this.unexpectedExits > 0)
      output.line(output.style.bad(`${this.unexpectedExits} nodes died on their own`))
    this.printCheck(output)
  }

  figures(): readonly Figure[] {
    const { crashes, elections, latencyMs } = this
    return [
      { value: formatNumber(crashes), label: 'crashes' },
      { value: formatNumber(elections), label: 'elections' },
      { value: formatMs(latencyMs?.p50), unit: 'ms', label: 'p50, from the intended start' },
      { value: formatMs(latencyMs?.p99), unit: 'ms', label: 'p99' },
    ]
  }

  pictures(): readonly Picture[] {
    const { timeline, distribution } = this
    if (timeline === undefined) return []
    return [
      { kind: 'timeline', title: 'While nodes crashed and came back', timeline },
      {
        kind: 'distribution',
        title: 'Latency',
        series: [{ label: 'from the intended start', points: distribution }],
      },
    ]
  }

  document(): ReportDocument {
    const { crashes, elections, unexpectedExits, latencyMs = null } = this
    const acknowledged = this.verification?.acknowledged ?? null
    const figures = { crashes, elections, unexpectedExits, acknowledged, latencyMs }
    const { steps, timeline = null, distribution } = this
    return this.documentOf('churn', this.withChecks(figures), steps, { timeline, distribution })
  }
}

const MS_PER_S = 1000

async function measureChurn(bench: Bench, values: ChurnValues, report: ChurnReport): Promise<void> {
  const loaded = await startLoaded(bench, 'churn', values, clientSettings([1], 1), report)
  const { load } = loaded
  const cluster = ours(loaded.cluster)
  cluster.on('leader', () => report.elections++)
  cluster.on('exit', ({ expected }) => {
    if (!expected) report.unexpectedExits++
  })
  const limits = {
    maxDown: values.all ? values.nodes : Math.max(1, minority(values.nodes)),
    minPauseMs: values['min-pause-ms'],
    maxPauseMs: Math.max(values['min-pause-ms'], values['max-pause-ms']),
  }
  const durationMs = values.seconds * MS_PER_S
  const schedule = new ChurnSchedule(cluster.ids, limits, values.seed)
  bench.progress.begin('nodes crash and come back', durationMs)
  await bench.or(load.startOpenLoop(values.rate))
  const recorder = new TimelineRecorder(cluster, load, intervalMsFor(durationMs))
  try {
    await crashAndRestart(bench, cluster, schedule, { durationMs, crashes: values.crashes }, report)
    for (const id of schedule.down) await bench.or(cluster.restart(id))
  } finally {
    report.timeline = await recorder.stop()
  }
  await stopLoad(bench, loaded, report)
  await checkNothingLost(bench, loaded, report)
}

/** How long nodes crash and come back. */
interface Extent {
  readonly durationMs: number
  /** Instead, where it is given. */
  readonly crashes: number | undefined
}

async function crashAndRestart(
  bench: Bench,
  cluster: TestedCluster,
  schedule: ChurnSchedule,
  { durationMs, crashes }: Extent,
  report: ChurnReport,
): Promise<void> {
  const startMs = hrtimeMs()
  for (;;) {
    const isOver = crashes === undefined ? hrtimeMs() - startMs >= durationMs : report.crashes >= crashes
    if (isOver) return
    const step = schedule.next()
    await bench.or(delay(step.afterMs))
    if (step.kind === 'crash') await bench.or(cluster.crash(step.id))
    else await bench.or(cluster.restart(step.id))
    report.steps.push({ ...step, afterMs: rounded(step.afterMs), atMs: rounded(hrtimeMs() - startMs) })
    if (crashes !== undefined) bench.progress.step(report.crashes, crashes)
    bench.progress.note(`${report.crashes} crashes`)
  }
}

async function stopLoad(bench: Bench, { load }: LoadedCluster, report: ChurnReport): Promise<void> {
  const { latency } = await bench.or(load.stopOpenLoop())
  report.latencyMs = summarizeHistogram(latency)
  report.distribution = distributionOf(latency)
}

export const churnCommand = commandOf({
  name: 'churn',
  summary: 'nodes crash and come back at random under load: is anything lost or applied twice?',
  details: [
    'A seed fixes who crashes when (--seed). Never more than a minority is down at once, unless --all is given.',
  ],
  options: optionTable,
  check(values) {
    workloadSpec(values)
    checkEngine(values)
  },
  report: (values) => new ChurnReport(values),
  expectedMs: ({ seconds }) => seconds * MS_PER_S + CHECK_MS,
  measure: measureChurn,
})
