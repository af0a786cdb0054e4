export { type Coverage, noCoverage } from './coverage.ts'
export { Dice, diceOf, streams } from './dice.ts'
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
export { type Run, run } from './run.ts'
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
export { type Deed, describeDeed, linkName, type Step } from './step.ts'
export { describeNode } from './timeline.ts'
export { type Failure, World, type WorldOptions } from './world.ts'
export type { FaultEdge, Invariant, NodeView, SimEvent, Watcher, WorldView } from './world-view.ts'
