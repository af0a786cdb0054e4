export { acknowledgedLost, type LossView } from './acknowledged-lost.ts'
export { CheckedApplication } from './checked-application.ts'
export { Configurations } from './configurations.ts'
export { Violation } from './contract.ts'
export { type Coverage, noCoverage, noQueueCoverage } from './coverage.ts'
export { Dice, diceOf, streams } from './dice.ts'
export { invariantNames } from './invariant-names.ts'
export { allInvariants } from './invariant-set.ts'
export { Ledger } from './ledger.ts'
export { LogContent } from './log-content.ts'
export { MemoryLog } from './memory-log.ts'
export type { MessageIds } from './message-ids.ts'
export { type Mutant, mutantNamed, mutants, mutated } from './mutants/index.ts'
export {
  type FaultKind,
  faultKinds,
  type Interleaving,
  interleavings,
  type Plan,
  type PlanOptions,
  plainPlan,
  planOf,
  type WorkloadKind,
  workloadKinds,
} from './plan.ts'
export { QueueBooks } from './queue/queue-books.ts'
export { doWithQueue } from './queue/queue-deeds.ts'
export { QueueDrain } from './queue/queue-drain.ts'
export { type QueueWorkload, queueMachineOptions } from './queue/queue-plan.ts'
export { type QueueClient, QueueUser } from './queue/queue-user.ts'
export { drawQueueDeed } from './queue/queue-workload.ts'
export * from './replay/index.ts'
export { type Run, run } from './run.ts'
export type { RunBounds } from './run-bounds.ts'
export { type RunOptions, type RunResult, reproduceLine, runSeed } from './run-seed.ts'
export {
  type FailureKind,
  failsAs,
  parseSchedule,
  printSchedule,
  type Schedule,
} from './schedule.ts'
export { type Drawn, type ShrinkOptions, type Shrunk, scheduleOf, shrink } from './shrink.ts'
export type { SimNode } from './sim-node.ts'
export { situationNames } from './situation-names.ts'
export { allSituations, directedSituations, type Situation, SituationWatch } from './situations/index.ts'
export {
  type Deed,
  describeDeed,
  type FaultDeed,
  isOperation,
  linkEnds,
  linkName,
  type OperationDeed,
  type OperatorDeed,
  type QueueDeed,
  type Step,
} from './step.ts'
export { describeNode } from './timeline.ts'
export { type Failure, World, type WorldOptions } from './world.ts'
export type {
  DiskView,
  FaultEdge,
  Invariant,
  Life,
  NodeView,
  SettledOperation,
  SimEvent,
  SimEventKind,
  Watcher,
  WorldView,
} from './world-view.ts'
