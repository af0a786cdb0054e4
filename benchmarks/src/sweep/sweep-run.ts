/**
 * Measures the points of a sweep that are not there yet, then has those on and near the fronts repeated until the fronts
 * stand on repeated measurements.
 *
 *     points ─► those without a run ─► by cluster: start, for each: conditions, load, a line in the file; check; stop
 *                    ▲                                                                                     │
 *                    └──────────── finalists with too few runs ◄─────────────── medians, fronts ◄──────────┘
 */
import type { ClusterOptions } from '@troupe/cluster'
import type { Bench } from '../bench.ts'
import { besideOthers, type EngineValues, startTested } from '../engine/start-cluster.ts'
import { type LoadableCluster, ours } from '../engine/tested-cluster.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { leaveAsItWas } from '../loaded-cluster.ts'
import { clientSettings } from '../options.ts'
import { verify } from '../verify.ts'
import type { WorkloadSpec } from '../workload.ts'
import { aggregate, finalists } from './aggregate.ts'
import { clusterKey, type SweepSettings } from './axes.ts'
import { Conditions } from './conditions.ts'
import { maxUncommittedEntries } from './explain.ts'
import { measurePoint, type PointTimes, pointMs } from './measure-point.ts'
import { hashOf, type MeasuringSettings, type Origin, pointKey } from './origin.ts'
import type { SweepPoint } from './point.ts'
import type { ResultsFile } from './results-file.ts'

/** Start, check and stop of a cluster, about. */
const CLUSTER_MS = 1500

export interface SweepPlan {
  /** In the order of `pointsOf`. */
  readonly points: readonly SweepSettings[]
  readonly times: PointTimes
  readonly measuring: MeasuringSettings
  readonly origin: Origin
  /** Runs of each finalist. */
  readonly repeat: number
  readonly clusterOptions: Pick<ClusterOptions, 'durability' | 'seed'>
  /** Who runs the nodes. */
  readonly engine: EngineValues
}

/** What the checks after the load have found. */
export type SweepVerdict = 'pass' | 'fail' | 'unknown'

interface Stand {
  readonly cluster: LoadableCluster
  readonly load: LoadGenerator
  readonly conditions: Conditions | undefined
}

export class SweepRunner {
  readonly #bench: Bench
  readonly #plan: SweepPlan
  readonly #file: ResultsFile
  #clusters = 0

  constructor(bench: Bench, plan: SweepPlan, file: ResultsFile) {
    this.#bench = bench
    this.#plan = plan
    this.#file = file
  }

  /** Runs that were there before are not run again. */
  async run(): Promise<void> {
    const { points, repeat } = this.#plan
    await this.#runAll(points.filter((point) => this.#runCount(point) === 0))
    if (points.some((point) => this.#runCount(point) === 0)) return
    for (;;) {
      const rest = finalists(measuredPoints(this.#plan, this.#file), repeat)
      if (rest.length === 0) return
      await this.#runAll(rest)
    }
  }

  async #runAll(points: readonly SweepSettings[]): Promise<void> {
    const groups = Map.groupBy(points, clusterKey)
    for (const group of groups.values()) await this.#runGroup(group)
  }

  /** Points that one cluster serves. */
  async #runGroup(group: readonly SweepSettings[]): Promise<void> {
    const plan = this.#plan
    const first = group[0] as SweepSettings
    const bench = this.#bench
    const verb = plan.engine.connect === undefined ? 'starting' : 'connecting to'
    bench.progress.begin(`${verb} ${first.nodes} nodes`, CLUSTER_MS)
    const { engine } = plan
    const name = `sweep-${++this.#clusters}`
    const cluster = await startTested(bench, name, engine, clusterOptionsOf(plan, first))
    const windows = group.map(({ window }) => window)
    const own = workloadOf(plan, first)
    const workload = engine.connect === undefined ? own : await bench.or(besideOthers(cluster, own))
    const load = bench.startLoad(cluster, workload, clientSettings(windows, 1))
    const conditions = plan.measuring.hasFaults ? new Conditions(ours(cluster)) : undefined
    const id = hashOf([Date.now(), process.pid, this.#clusters])
    const check = async (): Promise<void> => {
      await conditions?.clear()
      const { verdict } = await verify(cluster, load)
      this.#file.append({ kind: 'check', cluster: id, verdict })
      await leaveAsItWas(cluster, workload)
    }
    try {
      await this.#measureAll(group, id, { cluster, load, conditions })
    } catch (error) {
      // What was measured until Ctrl-C shall count: that takes a check. Another Ctrl-C ends it at once.
      if (bench.isInterrupted && this.#file.hasRuns(id)) {
        bench.progress.begin('checking what was measured', CLUSTER_MS)
        await load.stopClosedLoop()
        await check()
      }
      throw error
    }
    bench.progress.begin('checking that nothing was lost', CLUSTER_MS)
    await bench.or(check())
    await bench.or(bench.closeAll())
  }

  async #measureAll(group: readonly SweepSettings[], id: string, stand: Stand): Promise<void> {
    const { cluster, load, conditions } = stand
    const { origin, measuring } = this.#plan
    for (const settings of group) {
      await this.#bench.or(conditions?.set(settings) ?? Promise.resolve())
      const times = this.#timesOf(settings)
      const result = await measurePoint(this.#bench, cluster, load, settings, times)
      const date = new Date().toISOString()
      const place = { key: this.#key(settings), cluster: id, date, origin, measuring }
      this.#file.append({ kind: 'run', ...place, settings: plain(settings), result })
    }
  }

  /** Stages are looked at once: they say where time goes, not how much. */
  #timesOf(settings: SweepSettings): PointTimes {
    const { times } = this.#plan
    return this.#runCount(settings) === 0 ? times : { ...times, stageSeconds: 0 }
  }

  #key(settings: SweepSettings): string {
    return keyOf(this.#plan, settings)
  }

  #runCount(settings: SweepSettings): number {
    return this.#file.runsOf(this.#key(settings)).length
  }
}

/** A point that was measured is also a place of settings: only those name it. */
function plain(settings: SweepSettings): SweepSettings {
  const { nodes, sizeBytes, maxBatchCommands, maxBatchBytes, lingerMs } = settings
  const { maxInflightMessages, delayMs, flushMs, window } = settings
  return {
    nodes,
    sizeBytes,
    maxBatchCommands,
    maxBatchBytes,
    lingerMs,
    maxInflightMessages,
    delayMs,
    flushMs,
    window,
  }
}

export const keyOf = (plan: SweepPlan, settings: SweepSettings): string =>
  pointKey(plain(settings), plan.measuring, plan.origin)

/** The points that have a run, with the medians of all of theirs. Stages are those of the run that has some. */
export function measuredPoints(plan: SweepPlan, file: ResultsFile): SweepPoint[] {
  return plan.points.flatMap((settings) => {
    const runs = file.runsOf(keyOf(plan, settings)).map(({ result }) => result)
    if (runs.length === 0) return []
    const stagesMs = runs.find((run) => run.stagesMs !== undefined)?.stagesMs
    return [{ ...aggregate(settings, runs), ...(stagesMs === undefined ? {} : { stagesMs }) }]
  })
}

/** The worst of what was found on the clusters of the plan's runs; undefined where there is no run. */
export function verdictOf(plan: SweepPlan, file: ResultsFile): SweepVerdict {
  const clusters = new Set(
    plan.points.flatMap((settings) => file.runsOf(keyOf(plan, settings)).map(({ cluster }) => cluster)),
  )
  const verdicts = [...clusters].map((cluster) => file.verdictOf(cluster))
  if (verdicts.includes('fail')) return 'fail'
  return verdicts.length > 0 && verdicts.every((verdict) => verdict === 'pass') ? 'pass' : 'unknown'
}

/** How much of a plan is done. */
export interface SweepProgress {
  readonly points: number
  /** With at least one run. */
  readonly measured: number
  /** Whose runs all stand on clusters of which nobody knows whether they lost anything. */
  readonly unchecked: number
  /** Measured, and on or near a front, with fewer runs than they are to have. */
  readonly repeatsMissing: number
}

export function sweepProgress(plan: SweepPlan, file: ResultsFile): SweepProgress {
  const measured = measuredPoints(plan, file)
  const isUnchecked = (settings: SweepSettings): boolean =>
    file.runsOf(keyOf(plan, settings)).every(({ cluster }) => file.verdictOf(cluster) === undefined)
  return {
    points: plan.points.length,
    measured: measured.length,
    unchecked: measured.filter(isUnchecked).length,
    repeatsMissing: finalists(measured, plan.repeat).length,
  }
}

/** About a fifth of the points become finalists. */
export function expectedMs({ points, times, repeat }: SweepPlan, missing: number): number {
  const clusters = new Set(points.map(clusterKey)).size
  const again = Math.ceil(points.length / 5) * (repeat - 1)
  const share = missing / Math.max(1, points.length)
  return Math.max(1, (missing + again) * pointMs(times) + clusters * CLUSTER_MS * (share + repeat - 1))
}

function clusterOptionsOf(plan: SweepPlan, settings: SweepSettings): ClusterOptions {
  const { nodes, maxBatchCommands, maxBatchBytes, lingerMs, maxInflightMessages } = settings
  return {
    ...plan.clusterOptions,
    nodes,
    machine: 'kv',
    raft: { maxInflightMessages, maxUncommittedEntries: maxUncommittedEntries(maxInflightMessages) },
    batching: { maxBatchCommands, maxBatchBytes, lingerMs },
    ...(plan.measuring.hasFaults ? { faults: true } : {}),
  }
}

const workloadOf = (
  { measuring: { keys, seed } }: SweepPlan,
  { sizeBytes }: SweepSettings,
): WorkloadSpec => ({
  machine: 'kv',
  keys,
  sizeBytes,
  seed,
})
