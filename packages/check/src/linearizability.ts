/**
 * Linearizability (Herlihy and Wing 1990): whether each operation can be given one moment between its call and its
 * return, so that in the order of these moments they are what the model does. Open operations may take place at any
 * moment after their call, or never.
 */
import type { Operation } from './history.ts'
import type { Model, Partition } from './model.ts'
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

const DEFAULT_MAX_STEPS = 5_000_000
const MAX_STATES = 8

/**
 * Checks whether operations are linearizable. Those with the outcome `fail` count as if they had never been.
 * An empty history is.
 *
 * @throws RangeError when an operation returns before it is called
 */
export function checkLinearizability<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: Iterable<Operation<Input, Output>>,
  { maxStepsPerPartition = DEFAULT_MAX_STEPS }: LinearizabilityOptions = {},
): LinearizabilityResult<State, Input, Output> {
  const relevant = Array.from(operations).filter(({ input, outcome }) => {
    return outcome === 'ok' || (outcome === 'open' && !model.isRead?.(input))
  })
  const partitions = Array.from(model.partition?.(relevant) ?? [{ name: model.name, operations: relevant }])
  const undecided: string[] = []
  let failure: LinearizabilityFailure<State, Input, Output> | undefined
  let stepCount = 0
  for (const partition of partitions) {
    const timeline = new Timeline(partition.operations, model.normalize?.bind(model))
    const search = new Search(model, timeline)
    const outcome = search.run(maxStepsPerPartition)
    stepCount += search.stepCount
    if (outcome === 'unknown') undecided.push(partition.name)
    if (outcome !== 'fail') continue
    failure = failureOf(model, partition, timeline, search)
    break
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
    concurrent: timeline.operations.filter(
      (each) => each !== blocked && each.callAt <= blocked.returnAt && each.returnAt >= blocked.callAt,
    ),
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
  const { blocked, prefix, concurrent } = failure
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
    `not linearizable: ${failure.partition}`,
    '  this operation fits nowhere:',
    line(blocked),
    `  possible states before it: ${failure.states.map((state) => describeState(model, state)).join(' | ')}`,
    ...list('what returned before it fits in this order', prefix),
    ...list(
      'concurrent with it, and not placed',
      concurrent.filter((each) => !placed.has(each)),
    ),
  ].join('\n')
}
