/** One window of load on a cluster, and beside it the same load on the bare rig. */
import type { Cluster } from '@troupe/cluster'
import type { Bench } from '../bench.ts'
import { type LatencySummary, median, summarizeHistogram } from '../latency.ts'
import type { ClosedLoopResult } from '../load/closed-loop.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { metricsBetween, type RunMetrics, snapshot } from '../node-metrics.ts'
import type { Rig } from '../rig/rig.ts'
import { formatMs, formatNumber, formatRatio, rounded } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'

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
}

export interface Speed {
  readonly opsPerSecond: number
  /** Of one call: of a command, or of a batch. */
  readonly latencyMs: LatencySummary
}

export interface ThroughputRun extends Speed, RunMetrics {
  readonly window: number
  readonly batch: number
  readonly sizeBytes: number
  readonly repeat: number
  readonly seconds: number
  readonly commands: number
  /** The same load on the bare path, right before. */
  readonly rig?: Speed
  /** Of the operations per second: more is better. */
  readonly opsRatioToRig?: number
  /** Of the median latency: less is better. */
  readonly p50RatioToRig?: number | null
}

const loopSpec = ({ window, batch, seconds, warmupSeconds }: LoadSettings) => ({
  window,
  batch,
  warmupMs: warmupSeconds * MS_PER_S,
  durationMs: seconds * MS_PER_S,
})

/** How long a run takes. */
export const runMs = ({ seconds, warmupSeconds }: Pick<LoadSettings, 'seconds' | 'warmupSeconds'>): number =>
  (seconds + warmupSeconds) * MS_PER_S

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
  cluster: Cluster,
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
  const before = await bench.or(snapshot(cluster))
  const result = await bench.or(load.closedLoop(loopSpec(settings)))
  const after = await bench.or(snapshot(cluster))
  load.onTotals = undefined
  const speed = speedOf(result)
  const { window, batch, sizeBytes, repeat } = settings
  const seconds = rounded(result.elapsedMs / MS_PER_S)
  const metrics = metricsBetween(before, after)
  const run = { ...speed, window, batch, sizeBytes, repeat, seconds, commands: result.commands, ...metrics }
  return rig === undefined ? run : { ...run, rig, ...ratios(speed, rig) }
}

function ratios(own: Speed, rig: Speed): Pick<ThroughputRun, 'opsRatioToRig' | 'p50RatioToRig'> {
  const { p50 } = own.latencyMs
  return {
    opsRatioToRig: rounded(own.opsPerSecond / Math.max(1, rig.opsPerSecond)),
    p50RatioToRig: p50 === null || !rig.latencyMs.p50 ? null : rounded(p50 / rig.latencyMs.p50),
  }
}

export function describeLoad({ window, batch }: Pick<LoadSettings, 'window' | 'batch'>): string {
  const callers = `${formatNumber(window)} outstanding`
  return batch === 1 ? callers : `${callers} × ${formatNumber(batch)} commands`
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
    { title: 'entries/flush', value: ({ entriesPerFlush }) => ratio(entriesPerFlush) },
    {
      title: 'flushes/s',
      value: ({ flushesPerSecond }) => (flushesPerSecond === null ? '–' : formatNumber(flushesPerSecond)),
    },
    { title: 'elections', value: ({ elections }) => formatNumber(elections) },
  ]
  if (runs.every(({ rig }) => rig === undefined)) return columns
  return [
    ...columns,
    { title: 'rig op/s', value: ({ rig }) => (rig === undefined ? '–' : formatNumber(rig.opsPerSecond)) },
    { title: 'rig p50', value: ({ rig }) => formatMs(rig?.latencyMs.p50) },
    { title: 'op/s : rig', value: ({ opsRatioToRig }) => formatRatio(opsRatioToRig) },
    { title: 'p50 : rig', value: ({ p50RatioToRig }) => formatRatio(p50RatioToRig) },
  ]
}
