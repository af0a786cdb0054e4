/** A cluster with its load, and the check at their end: what every benchmark of load begins and ends with. */
import type { ClientSettings, Cluster } from '@troupe/cluster'
import type { Bench } from './bench.ts'
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
import { type Conditions, conditionsOf } from './throughput/conditions.ts'
import { verify } from './verify.ts'

export interface LoadedCluster {
  readonly cluster: Cluster
  readonly load: LoadGenerator
  /** For the rows. */
  readonly conditions: Conditions
}

type Values = ClusterValues & WorkloadValues & Partial<ReadValues> & { readonly fault?: string }

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
  const environment = describeEnvironment(durability === 'memory' ? undefined : bench.directory, durability)
  report.environment = environment
  const reads = readsOf(values)
  const options = clusterOptions(values, machine, reads)
  const hasFault = sustainedFaultOf(fault) !== undefined
  const conditions = conditionsOf(values, options, environment, {
    reads,
    fault: hasFault ? fault : undefined,
  })
  const cluster = await bench.startCluster(name, hasFault ? { ...options, faults: true } : options)
  const load = bench.startLoad(cluster, workloadSpec(values), settings)
  if (reads !== undefined) await bench.or(load.fill())
  return { cluster, load, conditions }
}

const readsOf = ({ reads = 'none', mix }: Partial<ReadValues>) => readSpec({ reads, mix })

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
}
