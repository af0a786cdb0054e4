/** One run at a point: the load of `bench throughput`, how busy every actor was meanwhile, and then a short look at stages. */

import { availableParallelism } from 'node:os'
import { cpuUsage } from 'node:process'
import { type ThreadUsage, utilizationBetween } from '@troupe/actor'
import type { ClusterStatus } from '@troupe/cluster'
import type { Bench } from '../bench.ts'
import { type LoadableCluster, ours } from '../engine/tested-cluster.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { startStages, takeStages } from '../stages/measure.ts'
import { rounded } from '../terminal/format.ts'
import { measureCluster } from '../throughput/throughput-run.ts'
import type { SweepSettings } from './axes.ts'
import type { StagesMs, SweepRates, SweepUtilisation } from './point.ts'
import type { SweepRun } from './run.ts'

export interface PointTimes {
  readonly seconds: number
  readonly warmupSeconds: number
  /** Of load, after the measured one, in which stages are written down; 0: none. */
  readonly stageSeconds: number
}

/** Long enough for traces to begin within the load. */
const STAGE_WARMUP_MS = 150

export async function measurePoint(
  bench: Bench,
  cluster: LoadableCluster,
  load: LoadGenerator,
  settings: SweepSettings,
  times: PointTimes,
): Promise<SweepRun> {
  const { window, sizeBytes } = settings
  const { seconds, warmupSeconds } = times
  const before = await bench.or(look(cluster, load))
  const loadSettings = { window, batch: 1, sizeBytes, seconds, warmupSeconds, repeat: 1 }
  const run = await measureCluster(bench, cluster, load, loadSettings)
  const after = await bench.or(look(cluster, load))
  const { opsPerSecond, latencyMs, commands, elections } = run
  const { commandsPerEntry, entriesPerFlush, flushesPerSecond } = run
  const stagesMs = await bench.or(measureStages(cluster, load, window, times.stageSeconds))
  return {
    opsPerSecond,
    latencyMs,
    seconds: run.seconds,
    commands,
    elections,
    commandsPerEntry,
    entriesPerFlush,
    flushesPerSecond,
    ...ratesBetween(before, after),
    utilisation: utilisationBetween(before, after),
    ...(stagesMs === undefined ? {} : { stagesMs }),
  }
}

interface Look {
  readonly atMs: number
  readonly client: ThreadUsage
  readonly status: ClusterStatus
  /** Processor time of this process and of those of the nodes; null where those are not ours. */
  readonly processMs: number | null
}

async function look(cluster: LoadableCluster, load: LoadGenerator): Promise<Look> {
  const [status, client, nodesMs = 0] = await Promise.all([
    cluster.status(),
    load.totals(),
    cluster.nodesCpuMs?.(),
  ])
  const { user, system } = cpuUsage()
  const isOurs = cluster.instruments !== undefined
  const processMs = isOurs ? (user + system) / 1000 + nodesMs : null
  return { atMs: performance.now(), client, status, processMs }
}

type RunningNode = Extract<ClusterStatus['nodes'][number], { readonly running: true }>

function nodePairs(before: Look, after: Look): { id: string; from: RunningNode; to: RunningNode }[] {
  const earlier = new Map(before.status.nodes.map((node) => [node.id, node]))
  return after.status.nodes.flatMap((to) => {
    const from = earlier.get(to.id)
    return to.running && from?.running === true ? [{ id: to.id, from, to }] : []
  })
}

function utilisationBetween(before: Look, after: Look): SweepUtilisation {
  const { leader } = after.status
  const loops = nodePairs(before, after).map(({ id, from, to }) => ({
    id,
    share: utilizationBetween(from.metrics, to.metrics).eventLoop ?? 0,
  }))
  const followers = loops.filter(({ id }) => id !== leader).map(({ share }) => share)
  const wallMs = (after.atMs - before.atMs) * availableParallelism()
  return {
    client: share(utilizationBetween(before.client, after.client).eventLoop),
    leader: share(loops.find(({ id }) => id === leader)?.share),
    followers: followers.length === 0 ? null : share(Math.max(...followers)),
    processors: share(
      after.processMs === null || before.processMs === null
        ? null
        : (after.processMs - before.processMs) / wallMs,
    ),
  }
}

const share = (value: number | null | undefined): number | null =>
  value === null || value === undefined ? null : rounded(Math.min(1, value))

/** At the leader; null where it changed meanwhile. */
function ratesBetween(
  before: Look,
  after: Look,
): Pick<SweepRates, 'entriesPerSecond' | 'appendsPerSecond' | 'entriesPerAppend'> {
  const { leader, nodes } = after.status
  const pair = nodePairs(before, after).find(({ id }) => id === leader)
  if (pair === undefined || before.status.leader !== leader)
    return { entriesPerSecond: null, appendsPerSecond: null, entriesPerAppend: null }
  const grown = (name: 'entriesAppended' | 'appendsSent' | 'emptyAppendsSent' | 'entriesSent'): number =>
    pair.to.metrics[name] - pair.from.metrics[name]
  const seconds = (after.atMs - before.atMs) / 1000
  const appends = grown('appendsSent') - grown('emptyAppendsSent')
  return {
    entriesPerSecond: rounded(grown('entriesAppended') / seconds, 1),
    appendsPerSecond: nodes.length > 1 ? rounded(appends / seconds / (nodes.length - 1), 1) : null,
    entriesPerAppend: appends > 0 ? rounded(grown('entriesSent') / appends, 2) : null,
  }
}

/** By themselves, so that writing them down costs the figures nothing. */
async function measureStages(
  cluster: LoadableCluster,
  load: LoadGenerator,
  window: number,
  seconds: number,
): Promise<StagesMs | undefined> {
  if (seconds <= 0) return undefined
  const running = load.closedLoop({
    window,
    batch: 1,
    warmupMs: STAGE_WARMUP_MS,
    durationMs: seconds * 1000,
  })
  // Should the load end before it is awaited, the await below says so.
  running.catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, STAGE_WARMUP_MS))
  await startStages(ours(cluster), load)
  await running
  const report = await takeStages(ours(cluster), load)
  if (report === undefined) return undefined
  return Object.fromEntries(report.stages.map(({ stage, meanMs }) => [stage, meanMs]))
}

/** What a run at a point takes, as far as the clock decides. */
export const pointMs = ({ seconds, warmupSeconds, stageSeconds }: PointTimes): number =>
  (seconds + warmupSeconds) * 1000 + (stageSeconds > 0 ? stageSeconds * 1000 + STAGE_WARMUP_MS : 0)
