import type { NodeId } from '@troupe/core'
import type { NodeStatus } from './node-control.ts'
import { type ClusterMember, mergeViews } from './view/cluster-view.ts'

/** A node in `cluster.status()`. */
export type NodeReport =
  | ({ readonly running: true } & NodeStatus)
  | { readonly running: false; readonly id: NodeId; readonly reason: string }

export interface ClusterStatus {
  readonly leader: NodeId | undefined
  readonly term: number
  /** The nodes that were asked. */
  readonly nodes: readonly NodeReport[]
  /**
   * All members, as those who answered know them by what all of them spread: also those that could not be asked, how old
   * each word is, and who suspects whom. One node that answers is enough.
   */
  readonly view: readonly ClusterMember[]
}

/** What the nodes that answered know of all. */
export function viewOf(nodes: readonly NodeReport[]): readonly ClusterMember[] {
  return mergeViews(nodes.flatMap((node) => (node.running ? [node] : [])))
}

export interface NodeDigest {
  /** Index up to which the digested state is applied. */
  readonly applied: number
  readonly sha256: string
}
