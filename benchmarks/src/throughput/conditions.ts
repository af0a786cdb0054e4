/** What a figure was measured under. Stands in every row: a figure without it means nothing. */
import { type ClusterOptions, type ClusterStatus, defaultBatching } from '@troupe/cluster'
import { type Durability, defaultRaftKnobs } from '@troupe/core'
import type { Environment } from '../environment.ts'
import { type FaultMeans, faultMeans, sustainedFaultOf } from '../faults/sustained-faults.ts'
import type { ReadConsistency, ReadSpec } from '../load/reads.ts'

export interface Conditions {
  /** `threads`, `tcp`, or `connected` for a cluster that runs already. */
  readonly engine: string
  /** Mutual TLS between all; null where there are no connections. */
  readonly tls: boolean | null
  readonly nodes: number
  readonly machine: string
  /** Where the machine keeps its state. */
  readonly storage: string
  readonly payloadBytes: number
  readonly durability: Durability
  /** These are null for a cluster that runs already: it does not tell. */
  readonly lingerMs: number | null
  readonly maxBatchBytes: number | null
  readonly maxBatchCommands: number | null
  readonly maxInflightMessages: number | null
  readonly maxUncommittedEntries: number | null
  readonly readConsistency: ReadConsistency | null
  readonly readPercent: number
  /** What was done to the cluster meanwhile. */
  readonly fault: string | null
  /** How that was done. */
  readonly faultBy: FaultMeans | null
  readonly seed: number
  readonly nodeVersion: string
  readonly cpu: string
  /** Type of the file system that the logs are on; null without a disk. */
  readonly fileSystem: string | null
  readonly threadPoolSize: number
  readonly commit: string | null
}

interface Given {
  readonly engine: string
  readonly nodes: number
  readonly machine: string
  readonly storage: string
  readonly size: number
  readonly seed: number
  readonly tls?: boolean
  readonly 'tls-authority'?: string | undefined
}

interface Told {
  readonly reads?: ReadSpec | undefined
  readonly fault?: string | undefined
}

/** The conditions of a run, with the engine's defaults where nothing was given. */
export function conditionsOf(
  given: Given,
  cluster: ClusterOptions & { readonly durability: Durability },
  environment: Environment,
  told: Told = {},
): Conditions {
  const { raft, batching } = cluster
  const { lingerMs, maxBatchBytes, maxBatchCommands } = { ...defaultBatching, ...batching }
  const { maxInflightMessages, maxUncommittedEntries } = { ...defaultRaftKnobs, ...raft }
  const { engine, nodes, machine, storage, size, tls = false } = given
  const isTls = tls || engine === 'tls'
  return {
    engine: engine === 'threads' ? 'threads' : 'tcp',
    tls: engine === 'threads' ? null : isTls,
    ...{ nodes, machine, storage, payloadBytes: size, durability: cluster.durability },
    ...{ lingerMs, maxBatchBytes, maxBatchCommands, maxInflightMessages, maxUncommittedEntries },
    ...surroundings(given, environment, told),
  }
}

/** Of a cluster that runs already: what it tells, and what the load is. */
export function connectedConditions(
  given: Given,
  { nodes }: ClusterStatus,
  environment: Environment,
  told: Told = {},
): Conditions {
  const running = nodes.find((node) => node.running)
  const unknown = null
  return {
    engine: 'connected',
    tls: given['tls-authority'] !== undefined,
    ...{ nodes: nodes.length, machine: given.machine, storage: 'unknown', payloadBytes: given.size },
    durability: running?.durability ?? environment.durability,
    ...{ lingerMs: unknown, maxBatchBytes: unknown, maxBatchCommands: unknown },
    ...{ maxInflightMessages: unknown, maxUncommittedEntries: unknown },
    ...surroundings(given, environment, told),
  }
}

function surroundings({ seed, engine }: Given, environment: Environment, { reads, fault }: Told) {
  const sustained = fault === undefined ? undefined : sustainedFaultOf(fault)
  return {
    readConsistency: reads?.consistency ?? null,
    readPercent: reads?.percent ?? 0,
    fault: fault ?? null,
    faultBy: sustained === undefined ? null : faultMeans(sustained, engine),
    seed,
    ...machineOf(environment),
  }
}

/** What of them is the machine's and the program's. */
export function machineOf({ nodeVersion, cpuCount, cpuModel, fileSystem, ...environment }: Environment) {
  return {
    nodeVersion,
    cpu: `${cpuCount} × ${cpuModel}`,
    fileSystem: fileSystem?.type ?? null,
    threadPoolSize: environment.uvThreadpoolSize,
    commit: environment.gitCommit,
  }
}
