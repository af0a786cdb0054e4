/** The replicated queue: `Queue.open`, then `send`, `consume`, `process`. */
export type { FoundMessage, GroupStats, MessageOptions, QueueSettings, QueueStats } from '@troupe/machines'
export { Delivery, type NackOptions } from './delivery.ts'
export {
  type Outgoing,
  type PeekedEntry,
  type ProcessOptions,
  Queue,
  type QueueOptions,
  type Receipt,
} from './queue.ts'
export { QueueError, type QueueErrorCode } from './queue-errors.ts'
export { type ConsumeOptions, Subscription } from './subscription.ts'
export { type Handler, Worker } from './worker.ts'
