/** One cell on real worker threads, or on real processes: a cluster, load, its trials, and the check that nothing was lost. */
import { setTimeout as delay } from 'node:timers/promises'
import { hrtimeMs } from '@troupe/actor'
import type { ClusterOptions } from '@troupe/cluster'
import type { Bench } from '../bench.ts'
import { type EngineValues, startOurs } from '../engine/start-cluster.ts'
import type { TestedCluster } from '../engine/tested-cluster.ts'
import { summarizeHistogram } from '../latency.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import {
  type ClusterValues,
  clientSettings,
  clusterOptions,
  type WorkloadValues,
  workloadSpec,
} from '../options.ts'
import { type Verification, verify } from '../verify.ts'
import type { CellResult } from './cell-result.ts'
import type { Cell } from './cells.ts'
import { electionFaultOf } from './election-faults.ts'
import { RoleLog } from './role-log.ts'
import { CALM_MS, NoElection, runTrial, type Stand } from './threads-trial.ts'
import { knobsOf } from './timeouts.ts'

/** What cells share. */
export interface CellSettings {
  readonly values: ClusterValues & WorkloadValues & EngineValues & { readonly rate: number }
  readonly trials: number
  /** How long a cell in which nothing happens is watched. */
  readonly watchMs: number
  /** From one recovery to the next loss. A node that has just started is slower: most of its code runs for the first time. */
  readonly settleMs: number
}

/** Enough to see the first commit to a few ms, without being a load. */
const IDLE_RATE = 200
const START_MS = 1000
const VERIFY_MS = 2000
const RESTART_MS = 400

/** Milliseconds that it takes, about. */
export function expectedCellMs({ fault, timeouts }: Cell, settings: CellSettings): number {
  const { trials, watchMs, settleMs } = settings
  if (fault === 'none') return START_MS + watchMs + VERIFY_MS
  const electionMs = electionFaultOf(fault).isPlain ? 0 : timeouts.maxMs
  return START_MS + trials * (2 * CALM_MS + electionMs + RESTART_MS + settleMs) + VERIFY_MS
}

/** Fills `result` as it goes. What cannot be decided is said in its verification. */
export async function measureCell(bench: Bench, result: CellResult, settings: CellSettings): Promise<void> {
  const { cell } = result
  const { values } = settings
  const cluster = await startOurs(bench, cell.name, values, optionsOf(cell, values))
  const load = bench.startLoad(cluster, workloadSpec(values), clientSettings([1], 1))
  const stand: Stand = { bench, cell, cluster, load, roles: new RoleLog() }
  watch(stand, result)
  await bench.or(load.startOpenLoop(cell.load === 'idle' ? IDLE_RATE : values.rate))
  await bench.or(load.firstAck(0))
  let failure: NoElection | undefined
  try {
    await runTrials(stand, result, settings)
  } catch (error) {
    if (!(error instanceof NoElection)) throw error
    failure = error
  }
  const verification = await checkAfter(bench, result, load, cluster)
  // A cluster that stands still proves nothing; a loss is one all the same.
  result.verification =
    failure === undefined || verification.verdict === 'fail'
      ? verification
      : { ...verification, verdict: 'unknown', reason: failure.message }
}

function optionsOf({ fault, nodes, timeouts }: Cell, values: CellSettings['values']): ClusterOptions {
  const options = clusterOptions({ ...values, nodes }, values.machine)
  const raft = { ...options.raft, ...knobsOf(timeouts) }
  // Processes are killed and stopped from outside.
  return { ...options, raft, faults: values.engine === 'threads' && !electionFaultOf(fault).isPlain }
}

function watch({ cluster, roles }: Stand, result: CellResult): void {
  cluster.on('role', (event) => {
    roles.record(event)
    if (event.role === 'leader') result.elections++
  })
  cluster.on('exit', ({ expected }) => {
    if (!expected) result.unexpectedExits++
  })
}

async function runTrials(stand: Stand, result: CellResult, settings: CellSettings): Promise<void> {
  const { bench, cell, cluster, roles } = stand
  const { trials, watchMs, settleMs } = settings
  const { ids } = cluster
  const fault = electionFaultOf(cell.fault)
  for (const one of fault.conditions({ ids, timeouts: cell.timeouts })) await bench.or(cluster.inject(one))
  const { progress } = bench
  let calmFromMs = hrtimeMs()
  // Terms that are begun before the next leader is lost: nobody needed them.
  const closeCalm = (untilMs: number): void => {
    result.spuriousElections += roles.count(calmFromMs, untilMs).candidacies
    result.calmMs += untilMs - calmFromMs
    roles.forget(untilMs)
  }
  progress.begin(`${cell.name}: ${cell.fault}, ${cell.nodes} nodes`, expectedCellMs(cell, settings))
  if (fault.strike === undefined) {
    await bench.or(delay(watchMs))
    return closeCalm(hrtimeMs())
  }
  for (let number = 1; number <= trials; number++) {
    if (settleMs > 0) await bench.or(delay(settleMs))
    const { trial, flow, lostAtMs, recoveredAtMs } = await runTrial(stand, number)
    closeCalm(lostAtMs)
    calmFromMs = recoveredAtMs
    result.trials.push(trial)
    result.failover.add(flow, lostAtMs)
    progress.step(number, trials)
    progress.note(`${number} of ${trials}`)
  }
}

async function checkAfter(
  bench: Bench,
  result: CellResult,
  load: LoadGenerator,
  cluster: TestedCluster,
): Promise<Verification> {
  if (cluster.activeFaults.length > 0) await bench.or(cluster.heal())
  const { latency } = await bench.or(load.stopOpenLoop())
  result.latencyMs = summarizeHistogram(latency)
  return bench.or(verify(cluster, load))
}
