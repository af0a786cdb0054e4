/**
 * Linearizability (Herlihy and Wing 1990): whether each operation can be given one moment between its call and its
 * return, so that in the order of these moments they are what the model does. Open operations may take place at any
 * moment after their call, or never.
 */
import type { Operation } from './history.ts'
import type { Decision, Model, Partition } from './model.ts'
import { describeOperation, describeState } from './model.ts'
import { Search } from './search.ts'
import { Timeline } from './timeline.ts'
import type { Verdict } from './verdict.ts'

/** Bounds of a check. */
export interface LinearizabilityOptions {
  /**
   * How many steps of the model the search may take in each partition before its verdict is `unknown`. Counted, not
   * timed: the same history has the same verdict everywhere. Each costs some tens of bytes until the check ends.
   * @default 5_000_000
   */
  readonly maxStepsPerPartition?: number
  /** Told now and then how far it is. */
  readonly onProgress?: (progress: LinearizabilityProgress) => void
}

/** How far a check is. */
export interface LinearizabilityProgress {
  /** Partitions that are done. */
  readonly doneCount: number
  readonly partitionCount: number
  /** Of the partition that is searched: the furthest return reached, of all. */
  readonly reached: number
  readonly returnCount: number
  readonly stepCount: number
}

/** Why a partition is not linearizable. */
export interface LinearizabilityFailure<State, Input, Output> {
  /** The partition's name. */
  readonly partition: string
  /**
   * The operation whose return has no explanation: the first such that no order places all that returned until then,
   * whatever of the pending operations takes place, with the answers that these gave later. Everything that returned
   * before it has an order.
   */
  readonly blocked: Operation<Input, Output>
  /** An order in which everything that returned before it can have taken place. */
  readonly prefix: readonly Operation<Input, Output>[]
  /** The state after `prefix`. */
  readonly state: State
  /**
   * The different states, by any order, in which the search stood before `blocked`; at most eight. Of open writes that
   * nobody has seen one may stand for all.
   */
  readonly states: readonly State[]
  /** What overlaps `blocked` in time, whether it is in `prefix` or not. */
  readonly concurrent: readonly Operation<Input, Output>[]
  /** Where the model decided by a way of its own: what is wrong, and with which operations; `prefix` is empty then. */
  readonly reason: string | undefined
  readonly witnesses: readonly Operation<Input, Output>[]
}

/** What a check came to. */
export interface LinearizabilityResult<State, Input, Output> {
  /** `unknown`: some partition ran out of steps, and no other failed. */
  readonly verdict: Verdict
  /** Operations that were looked at: without those that failed, and open reads. */
  readonly operationCount: number
  readonly partitionCount: number
  /** Steps of the model taken. */
  readonly stepCount: number
  /** Of the first partition that failed; those behind it were not searched. */
  readonly failure: LinearizabilityFailure<State, Input, Output> | undefined
  /** Names of the partitions that ran out of steps. */
  readonly undecided: readonly string[]
}

/** What the check of one partition came to. */
export interface PartitionResult<State, Input, Output> {
  readonly verdict: Verdict
  readonly stepCount: number
  readonly failure: LinearizabilityFailure<State, Input, Output> | undefined
}

/** Steps of the model in a partition, unless said otherwise. */
export const DEFAULT_MAX_STEPS = 5_000_000
const MAX_STATES = 8
/** Some milliseconds. */
const STEPS_BETWEEN_PROGRESS = 100_000

/**
 * Checks whether operations are linearizable. Those with the outcome `fail` count as if they had never been.
 * An empty history is.
 *
 * @throws RangeError when an operation returns before it is called
 */
export function checkLinearizability<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: Iterable<Operation<Input, Output>>,
  { maxStepsPerPartition = DEFAULT_MAX_STEPS, onProgress }: LinearizabilityOptions = {},
): LinearizabilityResult<State, Input, Output> {
  const relevant = relevantOf(model, operations)
  const partitions = Array.from(model.partition?.(relevant) ?? [{ name: model.name, operations: relevant }])
  const undecided: string[] = []
  let failure: LinearizabilityFailure<State, Input, Output> | undefined
  let stepCount = 0
  for (const [doneCount, partition] of partitions.entries()) {
    const result = checkPartition(model, partition, maxStepsPerPartition, (reached, returnCount, steps) =>
      onProgress?.({
        doneCount,
        partitionCount: partitions.length,
        reached,
        returnCount,
        stepCount: stepCount + steps,
      }),
    )
    stepCount += result.stepCount
    if (result.verdict === 'unknown') undecided.push(partition.name)
    failure = result.failure
    if (failure) break
  }
  return {
    verdict: failure ? 'fail' : undecided.length > 0 ? 'unknown' : 'pass',
    operationCount: relevant.length,
    partitionCount: partitions.length,
    stepCount,
    failure,
    undecided,
  }
}

/** What a check has to look at: what happened, and what may have and would have changed something. */
export function relevantOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: Iterable<Operation<Input, Output>>,
): Operation<Input, Output>[] {
  return Array.from(operations).filter(({ input, outcome }) => {
    return outcome === 'ok' || (outcome === 'open' && !model.isRead?.(input))
  })
}

/** Checks one partition, of operations that are relevant. */
export function checkPartition<State, Input, Output>(
  model: Model<State, Input, Output>,
  partition: Partition<Input, Output>,
  maxSteps: number,
  onProgress?: (reached: number, returnCount: number, stepCount: number) => void,
): PartitionResult<State, Input, Output> {
  const timeline = new Timeline(partition.operations, model)
  const returnCount = timeline.byReturn.length
  onProgress?.(0, returnCount, 0)
  const decision = model.decide?.(timeline.operations)
  if (decision) {
    const failure = decision.verdict === 'fail' ? failureBy(model, partition, decision) : undefined
    return { verdict: decision.verdict, stepCount: 0, failure }
  }
  const search = new Search(model, timeline)
  let outcome = search.run(Math.min(maxSteps, STEPS_BETWEEN_PROGRESS))
  while (outcome === 'unknown' && search.stepCount < maxSteps) {
    onProgress?.(search.furthest, returnCount, search.stepCount)
    outcome = search.run(Math.min(maxSteps, search.stepCount + STEPS_BETWEEN_PROGRESS))
  }
  const failure = outcome === 'fail' ? failureOf(model, partition, timeline, search) : undefined
  return { verdict: outcome === 'reached' ? 'unknown' : outcome, stepCount: search.stepCount, failure }
}

/** By the model's own way to decide. */
function failureBy<State, Input, Output>(
  model: Model<State, Input, Output>,
  { name, operations }: Partition<Input, Output>,
  { reason, witnesses }: Extract<Decision<Input, Output>, { verdict: 'fail' }>,
): LinearizabilityFailure<State, Input, Output> {
  const returned = witnesses.filter(({ outcome }) => outcome === 'ok')
  const blocked = returned.reduce((last, each) => (each.returnAt > last.returnAt ? each : last))
  return {
    partition: name,
    blocked,
    prefix: [],
    state: model.initial,
    states: [],
    concurrent: concurrentWith(blocked, operations),
    reason,
    witnesses,
  }
}

/** What overlaps it in time. */
function concurrentWith<Input, Output>(
  operation: Operation<Input, Output>,
  operations: readonly Operation<Input, Output>[],
): Operation<Input, Output>[] {
  const { callAt, returnAt } = operation
  return operations.filter((each) => each !== operation && each.callAt <= returnAt && each.returnAt >= callAt)
}

function failureOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  { name }: Partition<Input, Output>,
  timeline: Timeline<Input, Output>,
  failed: Search<State, Input, Output>,
): LinearizabilityFailure<State, Input, Output> {
  const at = (place: number): Operation<Input, Output> =>
    timeline.operations[place] as Operation<Input, Output>
  const blocked = at(timeline.byReturn[failed.furthest] as number)
  // The same search again takes the same way: stopped at its furthest point, it holds the prefix.
  const again = new Search(model, timeline)
  again.run(failed.stepCount, failed.furthest)
  const prefix = Array.from(again.placed, at)
  return {
    partition: name,
    blocked,
    prefix,
    state: stateAfter(model, prefix),
    states: failed.statesAt(failed.furthest, MAX_STATES),
    concurrent: concurrentWith(blocked, timeline.operations),
    reason: undefined,
    witnesses: [],
  }
}

/** By the operations' own inputs, which the search may have taken others for. */
function stateAfter<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): State {
  return operations.reduce<State>(
    (state, { input, output, outcome }) => model.step(state, input, output, outcome !== 'ok') ?? state,
    model.initial,
  )
}

/** Lines of text that explain a failure; lists are cut to their last `maxListed`. */
export function explainFailure<State, Input, Output>(
  model: Model<State, Input, Output>,
  failure: LinearizabilityFailure<State, Input, Output>,
  maxListed = 10,
): string {
  const { blocked, prefix, concurrent, reason, witnesses, states } = failure
  const line = (operation: Operation<Input, Output>): string => {
    const { process, callAt, returnAt } = operation
    const until = returnAt === Number.POSITIVE_INFINITY ? 'open' : returnAt
    return `    process ${process}: ${describeOperation(model, operation)}  [${callAt} … ${until}]`
  }
  const list = (title: string, operations: readonly Operation<Input, Output>[]): string[] => {
    if (operations.length === 0) return []
    const count = operations.length > maxListed ? ` (last ${maxListed} of ${operations.length})` : ''
    return [`  ${title}${count}:`, ...operations.slice(-maxListed).map(line)]
  }
  const placed = new Set(prefix)
  return [
    `not linearizable: ${failure.partition}${reason === undefined ? '' : `: ${reason}`}`,
    ...list('nothing explains these together', witnesses),
    '  this operation fits nowhere:',
    line(blocked),
    ...(states.length === 0
      ? []
      : [`  possible states before it: ${states.map((state) => describeState(model, state)).join(' | ')}`]),
    ...list('what returned before it fits in this order', prefix),
    ...list(
      'concurrent with it, and not placed',
      concurrent.filter((each) => !placed.has(each)),
    ),
  ].join('\n')
}
