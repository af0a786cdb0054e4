/** Load at a rate: what a call takes from the instant it should have begun, and from the one it did. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type LoadableCluster, ours } from '../engine/tested-cluster.ts'
import { FaultDriver } from '../faults/fault-driver.ts'
import { afterFaultMs, type SustainedFault } from '../faults/sustained-faults.ts'
import {
  distributionOf,
  type LatencyDistribution,
  type PercentilePoint,
  summarizeHistogram,
} from '../latency.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import type { OpenLoopResult } from '../load/open-loop.ts'
import type { ReadSpec } from '../load/reads.ts'
import { metricsBetween, type RunMetrics, snapshot } from '../node-metrics.ts'
import { type Observed, startLooking, takeLooks } from '../stages/observe.ts'
import { formatMs, formatNumber, rounded } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import type { Conditions } from '../throughput/conditions.ts'
import { type ReadFigures, readColumns, readFiguresOf, useColumns } from '../throughput/throughput-run.ts'
import { type AroundFault, aroundFault } from '../timeline/around-fault.ts'
import { electionsIn, intervalMsFor, type Timeline, TimelineRecorder } from '../timeline/timeline.ts'

const MS_PER_S = 1000
/** Less than this share of the rate, and the cluster did not keep up. */
const KEEPS_UP = 0.98

export interface RateSettings {
  readonly ratePerSecond: number
  readonly batch: number
  readonly sizeBytes: number
  readonly seconds: number
  readonly warmupSeconds: number
  /** Which of several equal runs, from 1. */
  readonly repeat: number
  readonly reads?: ReadSpec | undefined
  readonly fault?: SustainedFault | undefined
  /** Where time goes, where that is asked for. */
  readonly stages?: boolean
  /** Where profiles of all actors are written. */
  readonly profileDirectory?: string | undefined
  readonly conditions: Conditions
}

export interface LatencyRun extends RunMetrics, Observed {
  readonly ratePerSecond: number
  readonly batch: number
  readonly sizeBytes: number
  readonly repeat: number
  readonly seconds: number
  /** Commands and reads that were answered while it was measured, a second. */
  readonly opsPerSecond: number
  /** Whether nearly all that should have begun was answered in time. */
  readonly keptUp: boolean
  /** From the instant at which a call should have begun. */
  readonly latencyMs: LatencyDistribution
  /** From the instant at which it did. */
  readonly serviceLatencyMs: LatencyDistribution
  readonly distribution: readonly PercentilePoint[]
  readonly serviceDistribution: readonly PercentilePoint[]
  /** Snapshots that any node took or got meanwhile. */
  readonly snapshots: number
  readonly reads?: ReadFigures
  readonly conditions: Conditions
  /** From the start of the load, warm-up included. */
  readonly timeline: Timeline
  /** With a fault. */
  readonly aroundFault?: AroundFault
}

/** How long a run takes. */
export const rateRunMs = ({
  seconds,
  warmupSeconds,
  fault,
}: Pick<RateSettings, 'seconds' | 'warmupSeconds' | 'fault'>): number =>
  (seconds + warmupSeconds) * MS_PER_S + afterFaultMs(fault, seconds)

export async function measureRate(
  bench: Bench,
  cluster: LoadableCluster,
  load: LoadGenerator,
  settings: RateSettings,
): Promise<LatencyRun> {
  const { ratePerSecond, seconds, warmupSeconds } = settings
  bench.progress.begin(`${formatNumber(ratePerSecond)} commands/s`, rateRunMs(settings))
  const { batch, reads, fault } = settings
  const wanted = { ...settings, name: `rate-${ratePerSecond}-batch-${batch}-${settings.repeat}` }
  const [warmupMs, measuredMs] = [warmupSeconds * MS_PER_S, seconds * MS_PER_S]
  const spec = { batch, warmupMs, measuredMs, ...(reads === undefined ? {} : { reads }) }
  // Its thread may not be up yet: the timeline begins with the load.
  await bench.or(load.totals())
  const recorder = new TimelineRecorder(cluster, load, intervalMsFor(rateRunMs(settings)))
  try {
    await bench.or(load.startOpenLoop(ratePerSecond, spec))
    await bench.or(delay(warmupMs))
    await bench.or(startLooking(cluster, load, wanted))
    const before = await bench.or(snapshot(cluster, load))
    const driver = fault && new FaultDriver(ours(cluster), fault, recorder)
    await bench.or(driver?.begin() ?? Promise.resolve())
    await noteProgress(bench, recorder, measuredMs)
    const after = await bench.or(snapshot(cluster, load))
    if (driver !== undefined) {
      await bench.or(driver.end())
      await bench.or(delay(afterFaultMs(fault, seconds)))
    }
    const result = await bench.or(load.stopOpenLoop())
    const timeline = await bench.or(recorder.stop())
    const seen = await bench.or(takeLooks(cluster, load, wanted))
    const metrics = metricsBetween(before, after)
    const elections = Math.max(metrics.elections, electionsIn(timeline))
    return { ...runOf(settings, result, timeline), ...seen, ...metrics, elections }
  } finally {
    await recorder.stop()
  }
}

async function noteProgress(bench: Bench, recorder: TimelineRecorder, durationMs: number): Promise<void> {
  const endMs = performance.now() + durationMs
  for (let leftMs = durationMs; leftMs > 0; leftMs = endMs - performance.now()) {
    await bench.or(delay(Math.min(MS_PER_S, leftMs)))
    const { opsPerSecond, p99Ms } = recorder.latest ?? {}
    if (opsPerSecond !== undefined)
      bench.progress.note(`${formatNumber(opsPerSecond)} op/s, p99 ${formatMs(p99Ms)} ms`)
  }
}

/** The row of a run, but for what the nodes counted. */
export function runOf(
  { ratePerSecond, batch, sizeBytes, repeat, conditions, reads: spec }: RateSettings,
  { completed, elapsedMs, latency, serviceLatency, reads }: OpenLoopResult,
  timeline: Timeline,
): Omit<LatencyRun, keyof RunMetrics> {
  const opsPerSecond = Math.round(completed / (elapsedMs / MS_PER_S))
  const around = aroundFault(timeline)
  return {
    ...{ ratePerSecond, batch, sizeBytes, repeat, opsPerSecond },
    seconds: rounded(elapsedMs / MS_PER_S),
    keptUp: opsPerSecond >= KEEPS_UP * ratePerSecond,
    latencyMs: summarizeHistogram(latency),
    serviceLatencyMs: summarizeHistogram(serviceLatency),
    distribution: distributionOf(latency),
    serviceDistribution: distributionOf(serviceLatency),
    snapshots: timeline.events.filter(({ kind }) => kind === 'snapshot').length,
    ...(spec === undefined || reads === undefined ? {} : { reads: readFiguresOf(spec, reads, elapsedMs) }),
    ...{ conditions, timeline },
    ...(around === undefined ? {} : { aroundFault: around }),
  }
}

/** Two lines for each run: from the intended start, and from the actual one. */
export interface LatencyLine {
  readonly from: 'intended start' | 'actual start'
  readonly run: LatencyRun
  readonly latency: LatencyDistribution
}

export const linesOf = (runs: readonly LatencyRun[]): LatencyLine[] =>
  runs.flatMap((run): LatencyLine[] => [
    { from: 'intended start', run, latency: run.latencyMs },
    { from: 'actual start', run, latency: run.serviceLatencyMs },
  ])

export const latencyColumns: readonly Column<LatencyLine>[] = [
  { title: 'wanted/s', value: ({ run }) => formatNumber(run.ratePerSecond) },
  { title: 'answered/s', value: ({ run }) => formatNumber(run.opsPerSecond) },
  { title: 'latency from', value: ({ from }) => from, align: 'left' },
  { title: 'p50 ms', value: ({ latency }) => formatMs(latency.p50) },
  { title: 'p90 ms', value: ({ latency }) => formatMs(latency.p90) },
  { title: 'p99 ms', value: ({ latency }) => formatMs(latency.p99) },
  { title: 'p99.9 ms', value: ({ latency }) => formatMs(latency.p999) },
  { title: 'p99.99 ms', value: ({ latency }) => formatMs(latency.p9999) },
  { title: 'max ms', value: ({ latency }) => formatMs(latency.max) },
]

/** What the cluster did meanwhile, a line for each run. */
export function meanwhileColumns(runs: readonly LatencyRun[]): Column<LatencyRun>[] {
  const ratio = (value: number | null): string => (value === null ? '–' : formatNumber(value, 2))
  return [
    { title: 'wanted/s', value: ({ ratePerSecond }) => formatNumber(ratePerSecond) },
    { title: 'commands/entry', value: ({ commandsPerEntry }) => ratio(commandsPerEntry) },
    { title: 'entries/append', value: ({ entriesPerAppend }) => ratio(entriesPerAppend) },
    { title: 'entries/flush', value: ({ entriesPerFlush }) => ratio(entriesPerFlush) },
    { title: 'flushes/s', value: ({ flushesPerSecond }) => ratio(flushesPerSecond) },
    { title: 'snapshots', value: ({ snapshots }) => formatNumber(snapshots) },
    { title: 'elections', value: ({ elections }) => formatNumber(elections) },
    ...readColumns(runs),
    ...useColumns(runs),
  ]
}
