export { checkLinearizable } from './check-linearizable.ts'
export * from './counter-model.ts'
export * from './digests.ts'
export type { FaultBand } from './fault-bands.ts'
export { fifoModel } from './fifo-model.ts'
export type { FifoInput, FifoOutput } from './fifo-operations.ts'
export * from './history.ts'
export { HistoryProblem, HistoryReader, type RecordedHistory } from './history-reader.ts'
export * from './kv-model.ts'
export {
  checkLinearizability,
  explainFailure,
  type LinearizabilityFailure,
  type LinearizabilityOptions,
  type LinearizabilityProgress,
  type LinearizabilityResult,
} from './linearizability.ts'
export * from './lock-model.ts'
export * from './log-model.ts'
export { type Decision, type Model, type Partition, partitionBy } from './model.ts'
export { type NamedModel, type RecordedCall, type RecordedReturn, ValueProblem } from './named-model.ts'
export { findModel, modelNames, namedModels } from './named-models.ts'
export * from './queue-check.ts'
export * from './register-model.ts'
export type {
  CheckFailure,
  CheckOptions,
  CheckProgress,
  CheckReport,
  ShownOperation,
} from './report.ts'
export * from './set-full.ts'
export * from './total-queue.ts'
export { sameValue, showValue } from './values.ts'
export * from './verdict.ts'
