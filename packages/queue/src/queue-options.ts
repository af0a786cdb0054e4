import type { CallOptions, Cluster, ClusterOptions, TcpClientSettings } from '@troupe/cluster'
import type { QueueSettings } from '@troupe/machines'
import type { RateLimit } from './rate-limit.ts'
import type { ScaledConcurrency } from './scaling.ts'
import type { StandardSchema } from './standard-schema.ts'
import type { ConsumeOptions } from './subscription.ts'
import type { CustomBackoff } from './worker.ts'

interface CommonOptions<T> extends Partial<QueueSettings> {
  /** What each payload has to fit before it is sent; what it makes of the payload is sent. @default everything fits */
  readonly schema?: StandardSchema<T>
  /** Whether a queue that is not there is made; otherwise UNKNOWN_QUEUE. @default true */
  readonly create?: boolean
  /** Gives up: ABORTED, and nothing is left running. Looked at when the nodes are there, and while the queue is made. */
  readonly signal?: AbortSignal
}

/** Of an operation: how long it may take, and what gives it up. */
export type OperationOptions = CallOptions

/** Of a queue whose replicas run in this process. Settings that are not given stay as they are. */
export interface QueueOptions<T = unknown> extends CommonOptions<T> {
  /** Where the replicas keep their data. @default a temporary directory, removed at the end */
  readonly directory?: string
  /** A cluster of the machine `queue` that is running; it is left running. @default one of its own */
  readonly cluster?: Cluster
  /** Of the cluster of its own. */
  readonly clusterOptions?: Omit<ClusterOptions, 'directory' | 'machine'>
}

/** Of a queue whose replicas run elsewhere. */
export interface ConnectOptions<T = unknown> extends CommonOptions<T> {
  /** How the nodes are reached: TLS, token, timeouts. */
  readonly client?: TcpClientSettings
}

export interface ProcessOptions extends Omit<ConsumeOptions, 'prefetch'> {
  /** Handlers that run at the same time: so many, or by how much waits. @default 1 */
  readonly concurrency?: number | ScaledConcurrency
  /** Messages that are fetched ahead. @default twice the concurrency */
  readonly prefetch?: number
  /** Runs the handler, which is the URL of a module, in worker threads. @default false */
  readonly isolate?: boolean
  /** How long a message waits after a failure. @default as the message or the queue says */
  readonly backoff?: CustomBackoff
  /** Of what is begun, by this worker. The setting `rateMax` of the queue bounds all consumers together. */
  readonly rate?: RateLimit
  /** Closes the worker; handlers that run are told. */
  readonly signal?: AbortSignal
}

export interface BatchOptions extends ConsumeOptions {
  /** Messages in a batch, at most. @default 100 */
  readonly max?: number
  /** How long a batch that is not full waits for more, after its first message. @default 0 */
  readonly lingerMs?: number
}
