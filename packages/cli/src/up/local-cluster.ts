/** What `troupe up` runs, in processes or in threads: the same to whoever shows it. */
import type { ClusterStatus } from '@troupe/cluster'

export type LocalState = 'starting' | 'running' | 'waiting' | 'quarantined' | 'removed' | 'stopped'

/** A node as its supervisor sees it. */
export interface LocalNode {
  readonly id: string
  readonly state: LocalState
  /** Undefined where it runs in a thread, or not at all. */
  readonly pid: number | undefined
  /** Where clients and operators reach it; undefined in a thread. */
  readonly address: string | undefined
  /** Starts after the first one. */
  readonly restarts: number
}

/** What happens to the nodes, at once. */
export type LocalEvent =
  | { readonly event: 'starting' | 'started'; readonly node: string; readonly pid: number | undefined }
  | { readonly event: 'leads'; readonly node: string; readonly term: number }
  | { readonly event: 'handed-over'; readonly node: string; readonly to: string }
  | { readonly event: 'stopping' | 'stopped' | 'removed'; readonly node: string }
  | { readonly event: 'ended'; readonly node: string; readonly reason: string }
  | { readonly event: 'restarting'; readonly node: string; readonly delayMs: number }
  | { readonly event: 'quarantined'; readonly node: string; readonly reason: string }

export interface LocalCluster {
  readonly nodes: readonly LocalNode[]
  /** Undefined where no node answers. */
  status(): Promise<ClusterStatus | undefined>
  /** Hands leadership over, then stops all. Bounded. */
  stop(): Promise<void>
}
