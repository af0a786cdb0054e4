/** What the main thread and the thread of a peer's client say to each other. */
import type { ClosedLoopResult, ClosedLoopSpec } from '../load/closed-loop.ts'
import type { Losses } from '../verify.ts'
import type { WorkloadSpec } from '../workload.ts'

const PEER_NAMES = ['etcd', 'jetstream', 'rabbitmq', 'redis', 'liferaft'] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** `workerData` of the thread. */
export interface ClientBirth {
  readonly peer: PeerName
  /** What the peer's client needs to find its servers: plain data, or ports. */
  readonly endpoint: unknown
  readonly workload: WorkloadSpec
}

/** Main thread to client. */
export type ClientRequest =
  | { readonly kind: 'run'; readonly spec: ClosedLoopSpec }
  | { readonly kind: 'close' }

export interface ClientRunResult extends ClosedLoopResult, Losses {
  readonly unknown: number
  readonly refused: number
  /** Share of the time in which the client's thread was busy, 0 to 1. */
  readonly clientUtilisation: number
}

/** Client to main thread. */
export type ClientMessage =
  | { readonly kind: 'ready' }
  /** A few times a second: commands acknowledged since the thread started. */
  | { readonly kind: 'progress'; readonly acknowledged: number }
  | { readonly kind: 'result'; readonly result: ClientRunResult }
  | { readonly kind: 'failed'; readonly message: string }
