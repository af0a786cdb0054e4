/** The replicated queue: `Queue.open` or `Queue.connect`, then `send`, `consume`, `process`. */
export type { FoundMessage, GroupStats, MessageOptions, QueueSettings, QueueStats } from '@troupe/machines'
export { Cron } from './cron.ts'
export { Delivery, type NackOptions } from './delivery.ts'
export type { IsolatedMessage } from './isolated-handler.ts'
export {
  type Outgoing,
  type OutgoingOptions,
  Producer,
  type Receipt,
  type SendLimits,
  type SendOptions,
} from './producer.ts'
export { type PeekedEntry, Queue } from './queue.ts'
export { QueueCalls } from './queue-calls.ts'
export { QueueError, type QueueErrorCode, queueError } from './queue-errors.ts'
export type {
  CompletedEvent,
  FailedEvent,
  MissedEvent,
  QueueEvent,
  QueueEventMap,
} from './queue-events.ts'
export type {
  BatchOptions,
  ConnectOptions,
  OperationOptions,
  ProcessOptions,
  QueueOptions,
} from './queue-options.ts'
export { type GroupReport, metricsTextOf, type QueueReport } from './queue-report.ts'
export type { RateLimit } from './rate-limit.ts'
export { Repeat, type RepeatOptions } from './repeat.ts'
export type { ScaledConcurrency } from './scaling.ts'
export type { StandardSchema } from './standard-schema.ts'
export { type ConsumeOptions, Subscription } from './subscription.ts'
export { type CustomBackoff, type Handler, Worker, type WorkerOptions } from './worker.ts'
