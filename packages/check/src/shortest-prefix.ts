/**
 * The shortest prefix of a history that cannot be linearized, and an order of what came before its end.
 *
 * In a prefix whatever has not returned is open, its answer not given yet. Prefixes of linearizable histories are
 * linearizable: so there is one response that ends it. The search of the whole knows the later answers and gets stuck
 * at or before that response: its deepest point is where to begin. From there it is found by halving.
 */
import type { Operation } from './history.ts'
import { checkPartition, relevantOf } from './linearizability.ts'
import type { Model } from './model.ts'
import { Search } from './search.ts'
import { Timeline } from './timeline.ts'

export interface ShortestPrefix<State, Input, Output> {
  /** The operation whose response ends it, and that nothing explains. */
  readonly blocked: Operation<Input, Output>
  /** When that was. */
  readonly endAt: number
  /** False where some prefix could not be decided within the steps: a shorter one may be enough. */
  readonly isShortest: boolean
  /** The operations called by then, in the order of their calls, as the history has them. */
  readonly operations: readonly Operation<Input, Output>[]
  /** An order of all that returned before; undefined where the steps did not suffice to find one. */
  readonly order: readonly Operation<Input, Output>[] | undefined
  /** States in which it may have been. */
  readonly states: readonly State[]
  readonly reason: string | undefined
  readonly witnesses: readonly Operation<Input, Output>[]
  readonly stepCount: number
}

/** Where a model needs a guide, the search without it may take forever. */
const MAX_UNGUIDED_STEPS = 200_000

/** A prefix, and what its operations are in the history. */
interface Prefix<Input, Output> {
  readonly operations: readonly Operation<Input, Output>[]
  readonly originals: ReadonlyMap<Operation<Input, Output>, Operation<Input, Output>>
}

/**
 * Finds it in the operations of one partition that is known to fail.
 * @param from the number of a response: no prefix that ends before it fails
 */
export function shortestPrefix<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  from: number,
  maxSteps: number,
): ShortestPrefix<State, Input, Output> | undefined {
  let stepCount = 0
  let isShortest = true
  const check = (endAt: number) => {
    const prefix = prefixOf(operations, endAt, true)
    const result = checkPartition(model, partOf(relevantOf(model, prefix.operations)), maxSteps)
    stepCount += result.stepCount
    if (result.verdict === 'unknown') isShortest = false
    return { ...result, prefix, endAt }
  }
  const ends = endsFrom(operations, from)
  let high = ends.length - 1
  let best: ReturnType<typeof check> | undefined
  // Most often it is the first.
  for (let low = 0, middle = 0; low <= high; middle = (low + high) >>> 1) {
    const result = check(ends[middle] as number)
    if (result.verdict === 'fail') {
      best = result
      high = middle - 1
    } else {
      low = middle + 1
    }
  }
  if (best?.failure === undefined) return undefined
  const original = (each: Operation<Input, Output>) => best.prefix.originals.get(each) ?? each
  const { endAt, failure } = best
  const order = orderBefore(model, operations, endAt, maxSteps)
  return {
    blocked: blockedAt(endAt, original(failure.blocked), operations),
    endAt,
    isShortest,
    operations: best.prefix.operations.map(original),
    order: order.placed,
    states: failure.states,
    reason: failure.reason,
    witnesses: failure.witnesses.map(original),
    stepCount: stepCount + order.stepCount,
  }
}

/** The operation whose response ends the prefix: where several return at once, the one that failed the check. */
function blockedAt<Input, Output>(
  endAt: number,
  failed: Operation<Input, Output>,
  operations: readonly Operation<Input, Output>[],
): Operation<Input, Output> {
  if (failed.returnAt === endAt) return failed
  return operations.find(({ outcome, returnAt }) => outcome === 'ok' && returnAt === endAt) ?? failed
}

const partOf = <Input, Output>(operations: readonly Operation<Input, Output>[]) => ({ name: '', operations })

/** The numbers of responses from `from` on, each once, ascending. */
function endsFrom(operations: readonly Operation<unknown, unknown>[], from: number): number[] {
  const ends = operations.filter(({ outcome, returnAt }) => outcome === 'ok' && returnAt >= from)
  return Array.from(new Set(ends.map(({ returnAt }) => returnAt))).sort((left, right) => left - right)
}

/** What was called by `endAt`. What returned later is open, and with `isInclusive` false what returned then too. */
function prefixOf<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  endAt: number,
  isInclusive: boolean,
): Prefix<Input, Output> {
  const originals = new Map<Operation<Input, Output>, Operation<Input, Output>>()
  for (const operation of operations) {
    const { callAt, returnAt } = operation
    if (callAt > endAt) continue
    const hasReturned = isInclusive ? returnAt <= endAt : returnAt < endAt
    originals.set(hasReturned ? operation : opened(operation), operation)
  }
  return { operations: Array.from(originals.keys()), originals }
}

const opened = <Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> => ({
  ...operation,
  output: undefined,
  returnAt: Number.POSITIVE_INFINITY,
  outcome: 'open',
})

function orderBefore<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  endAt: number,
  maxSteps: number,
): { readonly placed: readonly Operation<Input, Output>[] | undefined; readonly stepCount: number } {
  const { operations: before, originals } = prefixOf(operations, endAt, false)
  const relevant = relevantOf(model, before)
  const timeline = new Timeline(relevant, model)
  const guided = model.guide?.(relevant)
  let search = new Search(guided ?? model, timeline)
  let outcome = search.run(maxSteps)
  if (outcome === 'fail' && guided) {
    search = new Search(model, timeline)
    outcome = search.run(Math.min(maxSteps, MAX_UNGUIDED_STEPS))
  }
  if (outcome !== 'pass') return { placed: undefined, stepCount: search.stepCount }
  const placed = Array.from(search.placed, (place) => {
    const operation = timeline.operations[place] as Operation<Input, Output>
    return originals.get(operation) ?? operation
  })
  return { placed, stepCount: search.stepCount }
}
