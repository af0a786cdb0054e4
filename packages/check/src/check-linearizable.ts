/** Linearizability as a check by name: search, then the shortest prefix that fails, in words. */
import type { Operation } from './history.ts'
import {
  checkLinearizability,
  DEFAULT_MAX_STEPS,
  type LinearizabilityFailure,
  type LinearizabilityResult,
  relevantOf,
} from './linearizability.ts'
import { describeOperation, describeState, type Model } from './model.ts'
import type { CheckFailure, CheckOptions, CheckReport } from './report.ts'
import { shownOperations } from './report.ts'
import { shortestPrefix } from './shortest-prefix.ts'

/** Checks a history by a model. */
export function checkLinearizable<State, Input, Output>(
  name: string,
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  { maxStepsPerPartition = DEFAULT_MAX_STEPS, onProgress, onFailure }: CheckOptions = {},
): CheckReport {
  const result = checkLinearizability(model, operations, {
    maxStepsPerPartition,
    onProgress: ({ doneCount, partitionCount, reached, returnCount, stepCount }) =>
      onProgress?.({
        phase: 'search',
        share: (doneCount + reached / Math.max(1, returnCount)) / partitionCount,
        stepCount,
      }),
  })
  if (result.failure === undefined) return reportOf(name, result, undefined)
  onFailure?.(reportOf(name, result, failureFound(model, result.failure)))
  onProgress?.({ phase: 'shorten', share: 0, stepCount: result.stepCount })
  return shortened(name, model, operations, result, maxStepsPerPartition)
}

function reportOf<State, Input, Output>(
  name: string,
  result: LinearizabilityResult<State, Input, Output>,
  failure: CheckFailure | undefined,
): CheckReport {
  const { verdict, operationCount, partitionCount, stepCount, undecided } = result
  const reason =
    verdict === 'unknown' ? `${undecided.length} of ${partitionCount} ran out of steps` : undefined
  return {
    model: name,
    verdict,
    operationCount,
    partitionCount,
    stepCount,
    reason,
    undecided,
    failure,
    figures: {},
  }
}

/** What the search itself knows: not the shortest prefix, but one. */
function failureFound<State, Input, Output>(
  model: Model<State, Input, Output>,
  {
    partition,
    blocked,
    prefix,
    concurrent,
    reason,
    witnesses,
    states,
  }: LinearizabilityFailure<State, Input, Output>,
): CheckFailure {
  const operations = Array.from(new Set([...prefix, ...concurrent, ...witnesses, blocked])).sort(
    (left, right) => left.callAt - right.callAt,
  )
  const describe = (each: Operation<Input, Output>): string => describeOperation(model, each)
  const shown = shownOperations(operations, blocked, witnesses, prefix, describe)
  return {
    partition,
    reason: reason ?? impossible(describe(blocked)),
    isShortest: false,
    prefixLength: operations.length,
    operations: shown,
    omittedCount: operations.length - shown.length,
    states: states.map((state) => describeState(model, state)),
  }
}

const impossible = (operation: string): string => `no order explains: ${operation}`

function shortened<State, Input, Output>(
  name: string,
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  result: LinearizabilityResult<State, Input, Output>,
  maxSteps: number,
): CheckReport {
  const failure = result.failure as LinearizabilityFailure<State, Input, Output>
  const found = reportOf(name, result, failureFound(model, failure))
  const relevant = relevantOf(model, operations)
  const parts = model.partition?.(relevant) ?? [{ name: model.name, operations: relevant }]
  const part = Array.from(parts).find((each) => each.name === failure.partition)
  // A model that decides by itself may find the last flaw of several: then the first is looked for from the beginning.
  const from = failure.reason === undefined ? failure.blocked.returnAt : Number.NEGATIVE_INFINITY
  const prefix = part && shortestPrefix(model, part.operations, from, maxSteps)
  if (prefix === undefined) return found
  const { blocked, witnesses, order = [], states, reason, isShortest, stepCount } = prefix
  const describe = (each: Operation<Input, Output>): string => describeOperation(model, each)
  const shown = shownOperations(prefix.operations, blocked, witnesses, order, describe)
  return {
    ...found,
    stepCount: found.stepCount + stepCount,
    failure: {
      partition: failure.partition,
      reason: reason ?? impossible(describe(blocked)),
      isShortest,
      prefixLength: prefix.operations.length,
      operations: shown,
      omittedCount: prefix.operations.length - shown.length,
      states: states.map((state) => describeState(model, state)),
    },
  }
}
