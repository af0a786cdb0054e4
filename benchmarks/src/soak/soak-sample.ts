/** What a soak sees of the cluster, second by second. Sizes are in bytes, disk as blocks that are really taken. */
import type { NodeId } from '@troupe/core'

export interface DiskUsage {
  readonly logBytes: number
  readonly snapshotBytes: number
  /** Everything else below the node's directory: its identity, the state of a machine on disk. */
  readonly otherBytes: number
  /** Segments of the log, those that are made ahead included. */
  readonly segments: number
}

export interface NodeSample extends DiskUsage {
  readonly id: NodeId
  /** The following are null while the node is down. */
  readonly base: number | null
  readonly lastIndex: number | null
  /** Record bytes of the entries from its base to its last one. */
  readonly retainedBytes: number | null
  readonly heapUsedBytes: number | null
  readonly externalBytes: number | null
}

/** What the process holds. Null where the system does not tell. */
export interface ProcessSample {
  readonly privateBytes: number
  readonly openFiles: number | null
  /** Open files that have been unlinked, and the disk that they keep. */
  readonly unlinkedFiles: number | null
  readonly unlinkedBytes: number | null
  readonly threads: number | null
}

export interface SoakSample extends ProcessSample {
  readonly atSeconds: number
  /** How often the whole cluster was started before. */
  readonly epoch: number
  /** False while the cluster is checked, stopped or started. */
  readonly isLoaded: boolean
  /** Of the main thread; those of the nodes are theirs. */
  readonly heapUsedBytes: number
  readonly externalBytes: number
  /** Since the beginning. */
  readonly acknowledged: number
  readonly unknown: number
  readonly commandsPerSecond: number
  /** Of the commands that were answered since the last sample; null for fewer than 100. */
  readonly p99Ms: number | null
  readonly nodes: readonly NodeSample[]
}

/** With the whole cluster stopped in good order: what is left is what leaks. */
export interface RestSample extends ProcessSample {
  readonly atSeconds: number
  readonly epoch: number
}

/** Disk that a sample shows in use, unlinked files that are still open included. */
export function diskBytes({ nodes, unlinkedBytes }: SoakSample): number {
  const sum = (total: number, node: NodeSample): number =>
    total + node.logBytes + node.snapshotBytes + node.otherBytes
  return nodes.reduce(sum, unlinkedBytes ?? 0)
}

/** Of the nodes that run: what their logs retain, and the disk that they take for it. */
export function logShare({ nodes }: SoakSample): {
  readonly diskBytes: number
  readonly retainedBytes: number
} {
  const running = nodes.filter(({ retainedBytes }) => retainedBytes !== null)
  return {
    diskBytes: running.reduce((sum, { logBytes }) => sum + logBytes, 0),
    retainedBytes: running.reduce((sum, { retainedBytes }) => sum + (retainedBytes ?? 0), 0),
  }
}

/** Heaps of the main thread and of all nodes that run. */
export function heapBytes({ heapUsedBytes, nodes }: SoakSample): number {
  return nodes.reduce((sum, node) => sum + (node.heapUsedBytes ?? 0), heapUsedBytes)
}
