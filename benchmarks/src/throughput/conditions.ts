/** What a figure was measured under. Stands in every row: a figure without it means nothing. */
import { type ClusterOptions, defaultBatching } from '@troupe/cluster'
import { type Durability, defaultRaftKnobs } from '@troupe/core'
import type { Environment } from '../environment.ts'
import type { ReadConsistency, ReadSpec } from '../load/reads.ts'

export interface Conditions {
  readonly engine: string
  readonly nodes: number
  readonly machine: string
  /** Where the machine keeps its state. */
  readonly storage: string
  readonly payloadBytes: number
  readonly durability: Durability
  readonly lingerMs: number
  readonly maxBatchBytes: number
  readonly maxBatchCommands: number
  readonly maxInflightMessages: number
  readonly maxUncommittedEntries: number
  readonly readConsistency: ReadConsistency | null
  readonly readPercent: number
  /** What was done to the cluster meanwhile. */
  readonly fault: string | null
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
}

/** The conditions of a run, with the engine's defaults where nothing was given. */
export function conditionsOf(
  given: Given,
  cluster: ClusterOptions & { readonly durability: Durability },
  environment: Environment,
  { reads, fault }: { readonly reads?: ReadSpec | undefined; readonly fault?: string | undefined } = {},
): Conditions {
  const { raft, batching } = cluster
  const { lingerMs, maxBatchBytes, maxBatchCommands } = { ...defaultBatching, ...batching }
  const { maxInflightMessages, maxUncommittedEntries } = { ...defaultRaftKnobs, ...raft }
  const { engine, nodes, machine, storage, size, seed } = given
  return {
    ...{ engine, nodes, machine, storage, payloadBytes: size, durability: cluster.durability },
    ...{ lingerMs, maxBatchBytes, maxBatchCommands, maxInflightMessages, maxUncommittedEntries },
    readConsistency: reads?.consistency ?? null,
    readPercent: reads?.percent ?? 0,
    fault: fault ?? null,
    seed,
    nodeVersion: environment.nodeVersion,
    cpu: `${environment.cpuCount} × ${environment.cpuModel}`,
    fileSystem: environment.fileSystem?.type ?? null,
    threadPoolSize: environment.uvThreadpoolSize,
    commit: environment.gitCommit,
  }
}
