/** A cluster with its load, and the check at their end: what every benchmark of load begins and ends with. */
import type { ClientSettings } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import type { Bench } from './bench.ts'
import { besideOthers, type EngineValues, startTested } from './engine/start-cluster.ts'
import type { LoadableCluster } from './engine/tested-cluster.ts'
import { describeEnvironment } from './environment.ts'
import { sustainedFaultOf } from './faults/sustained-faults.ts'
import type { LoadGenerator } from './load/load-generator.ts'
import {
  type ClusterValues,
  clusterOptions,
  type ReadValues,
  readSpec,
  type WorkloadValues,
  workloadSpec,
} from './options.ts'
import type { LoadReport } from './report/load-report.ts'
import { type Conditions, conditionsOf, connectedConditions } from './throughput/conditions.ts'
import { verify } from './verify.ts'
import { keyName, type WorkloadSpec } from './workload.ts'

export interface LoadedCluster {
  readonly cluster: LoadableCluster
  readonly load: LoadGenerator
  /** For the rows. */
  readonly conditions: Conditions
}

type Values = ClusterValues & WorkloadValues & Partial<ReadValues> & EngineValues

/**
 * Starts a cluster and a load that does nothing yet, and tells the report where.
 * @param name of its folder in the data directory
 */
export async function startLoaded(
  bench: Bench,
  name: string,
  values: Values,
  settings: ClientSettings,
  report: LoadReport<object>,
): Promise<LoadedCluster> {
  const { durability, machine, fault = 'none' } = values
  const reads = readsOf(values)
  const options = clusterOptions(values, machine, reads)
  const hasFault = sustainedFaultOf(fault) !== undefined
  const cluster = await startTested(bench, name, values, options)
  const isOurs = values.connect === undefined
  const onDisk = isOurs && durability !== 'memory'
  const environment = describeEnvironment(onDisk ? bench.directory : undefined, durability)
  report.environment = environment
  const told = { reads, fault: hasFault ? fault : undefined }
  const conditions = isOurs
    ? conditionsOf(values, options, environment, told)
    : connectedConditions(values, await bench.or(cluster.status()), environment, told)
  const own = workloadSpec(values)
  const workload = isOurs ? own : await bench.or(besideOthers(cluster, own))
  const load = bench.startLoad(cluster, workload, settings)
  if (reads !== undefined) await bench.or(load.fill())
  return { cluster, load, conditions }
}

const readsOf = ({ reads = 'none', mix }: Partial<ReadValues>) => readSpec({ reads, mix })

const KEYS_PER_PROPOSAL = 1000

/** Leaves a cluster that others use as it was; nothing where nobody else does. */
export async function leaveAsItWas(cluster: LoadableCluster, workload: WorkloadSpec): Promise<void> {
  if (workload.keyPrefix === undefined) return
  await using client = await cluster.client()
  for (let from = 0; from < workload.keys; from += KEYS_PER_PROPOSAL) {
    const count = Math.min(KEYS_PER_PROPOSAL, workload.keys - from)
    const names = Array.from({ length: count }, (_, at) => keyName(from + at, workload))
    await client.proposeMany(names.map((name) => kv.delete(name)))
  }
}

/** How long the check takes, about. */
export const CHECK_MS = 2000

/** No load may run. */
export async function checkNothingLost(
  bench: Bench,
  { cluster, load }: Pick<LoadedCluster, 'cluster' | 'load'>,
  report: LoadReport<object>,
): Promise<void> {
  bench.progress.begin('checking that nothing was lost', CHECK_MS)
  report.verification = await bench.or(verify(cluster, load))
  await bench.or(leaveAsItWas(cluster, load.workload))
}
