import type { NodeId } from '@troupe/core'
import type { NodeStatus } from './node-control.ts'

/** A node in `cluster.status()`. */
export type NodeReport =
  | ({ readonly running: true } & NodeStatus)
  | { readonly running: false; readonly id: NodeId; readonly reason: string }

export interface ClusterStatus {
  readonly leader: NodeId | undefined
  readonly term: number
  readonly nodes: readonly NodeReport[]
}

export interface NodeDigest {
  /** Index up to which the digested state is applied. */
  readonly applied: number
  readonly sha256: string
}
