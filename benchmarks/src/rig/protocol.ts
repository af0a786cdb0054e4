/** What the threads of the bare rig say to each other. */
import type { RecordableHistogram } from 'node:perf_hooks'
import type { MessagePort } from 'node:worker_threads'

/** `workerData` of a node. */
export interface RigBirth {
  readonly id: number
  readonly directory: string
  readonly role:
    | { readonly kind: 'leader'; readonly followers: readonly MessagePort[]; readonly client: MessagePort }
    | { readonly kind: 'follower'; readonly leader: MessagePort }
}

/** Every thread to the main thread, once. */
export type RigReady = 'ready'

/** Main thread to node. */
export type RigNodeMessage = 'stop'

/** Client to leader: calls, their commands one behind the other, each behind its length. */
export interface RigRequest {
  readonly count: number
  readonly bytes: ArrayBuffer
}

/** Leader to follower. */
export interface RigAppend {
  readonly index: number
  readonly count: number
  readonly bytes: ArrayBufferLike
}

/** Follower to leader: flushed up to this index. */
export type RigAck = number

/** Leader to client: so many more calls are done, in order. */
export interface RigCommit {
  readonly count: number
}

/** Main thread to client. */
export type RigClientMessage =
  | {
      readonly kind: 'run'
      readonly window: number
      readonly batch: number
      readonly sizeBytes: number
      readonly warmupMs: number
      readonly durationMs: number
    }
  | { readonly kind: 'stop' }

export interface RigClientResult {
  readonly commands: number
  readonly elapsedMs: number
  /** Of one call each, in nanoseconds. */
  readonly latency: RecordableHistogram
}
