/** One window of load on a cluster, and beside it the same load on the bare rig. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type LoadableCluster, ours } from '../engine/tested-cluster.ts'
import { FaultDriver } from '../faults/fault-driver.ts'
import { afterFaultMs, type SustainedFault } from '../faults/sustained-faults.ts'
import {
  distributionOf,
  type LatencyDistribution,
  type LatencySummary,
  median,
  type PercentilePoint,
  summarizeHistogram,
} from '../latency.ts'
import type { ClosedLoopResult } from '../load/closed-loop.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import type { ReadConsistency, ReadResult, ReadSpec } from '../load/reads.ts'
import { type ActorUse, metricsBetween, type RunMetrics, snapshot } from '../node-metrics.ts'
import { type ReadValues, readSpec } from '../options.ts'
import type { Rig } from '../rig/rig.ts'
import { type Observed, observed } from '../stages/observe.ts'
import { formatMs, formatNumber, formatRatio, rounded } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { type AroundFault, aroundFault } from '../timeline/around-fault.ts'
import { electionsIn, intervalMsFor, type Timeline, TimelineRecorder } from '../timeline/timeline.ts'
import type { Conditions } from './conditions.ts'

const MS_PER_S = 1000

export interface LoadSettings {
  /** Callers. */
  readonly window: number
  /** Commands of one call. */
  readonly batch: number
  readonly sizeBytes: number
  readonly seconds: number
  readonly warmupSeconds: number
  /** Which of several equal runs, from 1. */
  readonly repeat: number
  /** Without it all calls write. */
  readonly reads?: ReadSpec | undefined
  /** Where time goes, where that is asked for. */
  readonly stages?: boolean
  /** Where profiles of all actors are written. */
  readonly profileDirectory?: string | undefined
  /** On from the end of the warm-up to the end of the run. */
  readonly fault?: SustainedFault | undefined
  /** Stated in the row. */
  readonly conditions?: Conditions
}

export interface Speed {
  readonly opsPerSecond: number
  /** Of one call: of a command, or of a batch. */
  readonly latencyMs: LatencySummary
}

/** The reads of a run. */
export interface ReadFigures {
  readonly consistency: ReadConsistency
  readonly percent: number
  readonly opsPerSecond: number
  readonly latencyMs: LatencyDistribution
  /** Answers older than what was acknowledged before the read began. */
  readonly violations: number
  /** The same, where it is allowed: stale reads. */
  readonly behind: number
  /** Of a sample, how the answers came about. */
  readonly served: ReadResult['served']
}

/** The writes of a run that reads too. */
export interface WriteFigures {
  readonly opsPerSecond: number
  readonly latencyMs: LatencyDistribution
}

export interface ThroughputRun extends Speed, RunMetrics, Observed {
  readonly window: number
  readonly batch: number
  readonly sizeBytes: number
  readonly repeat: number
  readonly seconds: number
  readonly commands: number
  readonly reads?: ReadFigures
  readonly writes?: WriteFigures
  readonly conditions?: Conditions
  /** From the start of the load, warm-up included. */
  readonly timeline?: Timeline
  /** With a fault. */
  readonly aroundFault?: AroundFault
  /** Of the calls' latency. */
  readonly distribution?: readonly PercentilePoint[]
  /** The same load on the bare path, right before. */
  readonly rig?: Speed
  /** Of the operations per second: more is better. */
  readonly opsRatioToRig?: number
  /** Of the median latency: less is better. */
  readonly p50RatioToRig?: number | null
}

const loopSpec = ({ window, batch, seconds, warmupSeconds, reads, fault }: LoadSettings) => ({
  window,
  batch,
  warmupMs: warmupSeconds * MS_PER_S,
  durationMs: seconds * MS_PER_S,
  cooldownMs: afterFaultMs(fault, seconds),
  ...(reads === undefined ? {} : { reads }),
})

/** How long a run takes. */
export const runMs = ({ seconds, warmupSeconds, fault }: RunTimes): number =>
  (seconds + warmupSeconds) * MS_PER_S + afterFaultMs(fault, seconds)

type RunTimes = Pick<LoadSettings, 'seconds' | 'warmupSeconds' | 'fault'>

export function speedOf({ commands, elapsedMs, latency }: ClosedLoopResult): Speed {
  return {
    opsPerSecond: Math.round(commands / (elapsedMs / MS_PER_S)),
    latencyMs: summarizeHistogram(latency),
  }
}

export async function measureRig(bench: Bench, rig: Rig, settings: LoadSettings): Promise<Speed> {
  bench.progress.begin(`rig, ${describeLoad(settings)}`, runMs(settings))
  return speedOf(await bench.or(rig.run({ ...loopSpec(settings), sizeBytes: settings.sizeBytes })))
}

export async function measureCluster(
  bench: Bench,
  cluster: LoadableCluster,
  load: LoadGenerator,
  settings: LoadSettings,
  rig?: Speed,
): Promise<ThroughputRun> {
  bench.progress.begin(`troupe, ${describeLoad(settings)}`, runMs(settings))
  let last: { readonly atMs: number; readonly acknowledged: number } | undefined
  load.onTotals = ({ acknowledged }) => {
    const atMs = performance.now()
    if (last !== undefined) {
      const perSecond = ((acknowledged - last.acknowledged) / (atMs - last.atMs)) * MS_PER_S
      bench.progress.note(`${formatNumber(perSecond)} op/s`)
    }
    last = { atMs, acknowledged }
  }
  const before = await bench.or(snapshot(cluster, load))
  const recorder = new TimelineRecorder(cluster, load, intervalMsFor(runMs(settings)))
  const spec = loopSpec(settings)
  const name = `${prefixOf(settings)}window-${settings.window}-batch-${settings.batch}-${settings.repeat}`
  let result: ClosedLoopResult
  let seen: Observed
  let faulty: RunMetrics | undefined
  try {
    const loop = observed(cluster, load, { ...settings, name }, spec.warmupMs, () => load.closedLoop(spec))
    // Told of where the fault has been healed.
    loop.catch(() => {})
    faulty = await underFault(bench, cluster, load, settings, recorder, loop)
    ;({ result, observed: seen } = await bench.or(loop))
  } finally {
    load.onTotals = undefined
    await bench.or(recorder.stop())
  }
  const after = await bench.or(snapshot(cluster, load))
  const speed = speedOf(result)
  const timeline = await recorder.stop()
  const metrics = faulty ?? metricsBetween(before, after)
  const around = aroundFault(timeline)
  const { window, batch, sizeBytes, repeat, conditions } = settings
  const run = {
    ...{ ...speed, window, batch, sizeBytes, repeat },
    seconds: rounded(result.elapsedMs / MS_PER_S),
    commands: result.commands,
    ...{ ...metrics, elections: Math.max(metrics.elections, electionsIn(timeline)) },
    ...readFigures(settings, result),
    ...seen,
    ...(conditions === undefined ? {} : { conditions }),
    timeline,
    ...(around === undefined ? {} : { aroundFault: around }),
    distribution: distributionOf(result.latency),
  }
  return rig === undefined ? run : { ...run, rig, ...ratios(speed, rig) }
}

/** Of the names of a run's files: with several engines each has its own. */
const prefixOf = ({ conditions }: LoadSettings): string =>
  conditions === undefined || conditions.engine === 'threads' ? '' : conditions.tls ? 'tls-' : 'tcp-'

/**
 * Puts the fault on when the warm-up is over, and takes it off when all was measured: the load goes on for a while. Tells
 * what the nodes did under it, without what they did before and do afterwards.
 */
async function underFault(
  bench: Bench,
  cluster: LoadableCluster,
  load: LoadGenerator,
  { fault, warmupSeconds, seconds }: LoadSettings,
  recorder: TimelineRecorder,
  loop: Promise<unknown>,
): Promise<RunMetrics | undefined> {
  if (fault === undefined) return undefined
  const driver = new FaultDriver(ours(cluster), fault, recorder)
  await bench.or(delay(warmupSeconds * MS_PER_S))
  await bench.or(driver.begin())
  const before = await bench.or(snapshot(cluster, load))
  await bench.or(Promise.race([delay(seconds * MS_PER_S), loop.catch(() => {})]))
  const after = await bench.or(snapshot(cluster, load))
  await bench.or(driver.end())
  return metricsBetween(before, after)
}

function readFigures(
  { reads: spec }: LoadSettings,
  { commands, elapsedMs, reads, writeLatency }: ClosedLoopResult,
): Pick<ThroughputRun, 'reads' | 'writes'> {
  if (spec === undefined || reads === undefined) return {}
  const perSecond = (count: number): number => Math.round(count / (elapsedMs / MS_PER_S))
  const figures: ReadFigures = readFiguresOf(spec, reads, elapsedMs)
  if (writeLatency === undefined || spec.percent === 100) return { reads: figures }
  const opsPerSecond = perSecond(commands - reads.reads)
  return { reads: figures, writes: { opsPerSecond, latencyMs: summarizeHistogram(writeLatency) } }
}

/** @param elapsedMs in which the reads were answered */
export function readFiguresOf(spec: ReadSpec, result: ReadResult, elapsedMs: number): ReadFigures {
  const { reads, violations, behind, served, latency } = result
  return {
    ...spec,
    opsPerSecond: Math.round(reads / (elapsedMs / MS_PER_S)),
    latencyMs: summarizeHistogram(latency),
    ...{ violations, behind, served },
  }
}

function ratios(own: Speed, rig: Speed): Pick<ThroughputRun, 'opsRatioToRig' | 'p50RatioToRig'> {
  const { p50 } = own.latencyMs
  return {
    opsRatioToRig: rounded(own.opsPerSecond / Math.max(1, rig.opsPerSecond)),
    p50RatioToRig: p50 === null || !rig.latencyMs.p50 ? null : rounded(p50 / rig.latencyMs.p50),
  }
}

export function describeLoad({
  window,
  batch,
  reads,
}: Pick<LoadSettings, 'window' | 'batch' | 'reads'>): string {
  const callers = `${formatNumber(window)} outstanding`
  const load = batch === 1 ? callers : `${callers} × ${formatNumber(batch)} commands`
  return reads === undefined ? load : `${load}, ${describeReads(reads)}`
}

function describeReads({ consistency, percent }: ReadSpec): string {
  return percent === 100 ? `${consistency} reads` : `${percent} % ${consistency} reads`
}

/** `kv, 64-byte commands, 50 % lease reads, 3 nodes, fault delay`: what is loaded with what, for a title. */
export function describeScene(
  values: ReadValues & {
    readonly machine: string
    readonly size: number
    readonly nodes: number
    readonly fault: string
  },
): string {
  const { machine, size, nodes, fault } = values
  const reads = readSpec(values)
  const load = reads === undefined ? '' : `, ${describeReads(reads)}`
  return `${machine}, ${size}-byte commands${load}, ${nodes} nodes${fault === 'none' ? '' : `, fault ${fault}`}`
}

/** Of several equal runs the middle one, by operations per second. */
export function medianRun<Run extends Speed>(runs: readonly Run[]): Run {
  const middle = median(runs.map(({ opsPerSecond }) => opsPerSecond))
  return runs.find(({ opsPerSecond }) => opsPerSecond === middle) as Run
}

/** Of the median runs of all loads the fastest. */
export function headlineRun<Run extends Speed & { readonly window: number; readonly batch: number }>(
  runs: readonly Run[],
): Run | undefined {
  const groups = Map.groupBy(runs, ({ window, batch }) => `${window}×${batch}`)
  const medians = [...groups.values()].map(medianRun)
  return medians.sort((left, right) => right.opsPerSecond - left.opsPerSecond)[0]
}

export function speedColumns<Row extends Speed & { readonly window: number; readonly batch: number }>(
  rows: readonly Row[],
): Column<Row>[] {
  const columns: Column<Row>[] = [
    { title: 'outstanding', value: ({ window }) => formatNumber(window) },
    { title: 'batch', value: ({ batch }) => formatNumber(batch) },
    { title: 'op/s', value: ({ opsPerSecond }) => formatNumber(opsPerSecond) },
    { title: 'p50 ms', value: ({ latencyMs }) => formatMs(latencyMs.p50) },
    { title: 'p99 ms', value: ({ latencyMs }) => formatMs(latencyMs.p99) },
    { title: 'max ms', value: ({ latencyMs }) => formatMs(latencyMs.max) },
  ]
  return rows.some(({ batch }) => batch !== 1) ? columns : columns.filter(({ title }) => title !== 'batch')
}

export function throughputColumns(runs: readonly ThroughputRun[]): Column<ThroughputRun>[] {
  const ratio = (value: number | null): string => formatRatio(value)
  const columns: Column<ThroughputRun>[] = [
    ...speedColumns(runs),
    { title: 'commands/entry', value: ({ commandsPerEntry }) => ratio(commandsPerEntry) },
    { title: 'entries/append', value: ({ entriesPerAppend }) => ratio(entriesPerAppend) },
    { title: 'entries/flush', value: ({ entriesPerFlush }) => ratio(entriesPerFlush) },
    {
      title: 'flushes/s',
      value: ({ flushesPerSecond }) => (flushesPerSecond === null ? '–' : formatNumber(flushesPerSecond)),
    },
    { title: 'elections', value: ({ elections }) => formatNumber(elections) },
  ]
  columns.push(...readColumns(runs), ...useColumns(runs))
  if (runs.every(({ rig }) => rig === undefined)) return columns
  return [
    ...columns,
    { title: 'rig op/s', value: ({ rig }) => (rig === undefined ? '–' : formatNumber(rig.opsPerSecond)) },
    { title: 'rig p50', value: ({ rig }) => formatMs(rig?.latencyMs.p50) },
    { title: 'op/s : rig', value: ({ opsRatioToRig }) => formatRatio(opsRatioToRig) },
    { title: 'p50 : rig', value: ({ p50RatioToRig }) => formatRatio(p50RatioToRig) },
  ]
}

type RowWithReads = Pick<ThroughputRun, 'reads' | 'writes'>

/** Reads that were older than they may be. */
export const violationsOf = (rows: readonly RowWithReads[]): number =>
  rows.reduce((sum, { reads }) => sum + (reads?.violations ?? 0), 0)

/** None where nothing was read. */
export function readColumns<Row extends RowWithReads>(rows: readonly Row[]): Column<Row>[] {
  if (rows.every(({ reads }) => reads === undefined)) return []
  const columns: Column<Row>[] = [
    { title: 'reads/s', value: ({ reads }) => formatNumber(reads?.opsPerSecond ?? 0) },
    { title: 'read p50', value: ({ reads }) => formatMs(reads?.latencyMs.p50) },
    { title: 'read p99', value: ({ reads }) => formatMs(reads?.latencyMs.p99) },
    { title: 'too old', value: ({ reads }) => formatNumber(reads?.violations ?? 0) },
    { title: 'behind', value: ({ reads }) => formatNumber(reads?.behind ?? 0) },
  ]
  return rows.some(({ reads }) => reads?.consistency === 'stale')
    ? columns
    : columns.filter(({ title }) => title !== 'behind')
}

/** How busy the leader's and the load's threads were: event loop / processor. */
export function useColumns<Row extends { readonly actors?: readonly ActorUse[] }>(
  rows: readonly Row[],
): Column<Row>[] {
  if (rows.every(({ actors }) => actors === undefined || actors.length === 0)) return []
  const percent = (share: number | null | undefined): string =>
    share === null || share === undefined ? '–' : String(Math.round(share * 100))
  const column = (role: ActorUse['role']): Column<Row> => ({
    title: `${role} loop/cpu %`,
    value: ({ actors = [] }) => {
      const use = actors.find((actor) => actor.role === role)
      return `${percent(use?.eventLoopUtilization)}/${percent(use?.cpuUtilization)}`
    },
  })
  return [column('leader'), column('load')]
}
