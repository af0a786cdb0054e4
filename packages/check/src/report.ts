/** What a check by name came to: plain values for people, pages and JSON, that survive a structured clone. */
import type { Operation, Outcome } from './history.ts'
import type { Verdict } from './verdict.ts'

/** Bounds and wishes of a check by name. */
export interface CheckOptions {
  /** Steps of the model in each partition before it is `unknown`. @default 5_000_000 */
  readonly maxStepsPerPartition?: number
  /** What registers hold at first. @default null */
  readonly initial?: unknown
  /** `total-queue`: what was never dequeued counts as lost. @default whether the history ends with a drain */
  readonly isDrained?: boolean
  /** `set-full`: an element that was missing after it was known counts as an error. @default false */
  readonly isLinearizable?: boolean
  /** Told now and then how far it is. */
  readonly onProgress?: (progress: CheckProgress) => void
  /** Told of a failure before its prefix is made shorter, which may take long. */
  readonly onFailure?: (report: CheckReport) => void
}

/** How far a check is. */
export interface CheckProgress {
  /** What it does: `search` for an order, or `shorten` the prefix that has none. */
  readonly phase: 'search' | 'shorten'
  /** Of all that is to be done, from 0 to 1, as far as it can be told. */
  readonly share: number
  readonly stepCount: number
}

/** What a check by name came to. */
export interface CheckReport {
  readonly model: string
  readonly verdict: Verdict
  /** Operations that were looked at: without those that failed, and open reads. */
  readonly operationCount: number
  readonly partitionCount: number
  /** Steps of the model taken. */
  readonly stepCount: number
  /** Why it is `unknown`; undefined for other verdicts. */
  readonly reason: string | undefined
  /** Names of the partitions that ran out of steps. */
  readonly undecided: readonly string[]
  readonly failure: CheckFailure | undefined
  /** What checks of sets count, by the names that Jepsen gives them. */
  readonly figures: Readonly<Record<string, unknown>>
}

/** Why a history is not what the model allows. */
export interface CheckFailure {
  /** The key, or the model's name where there are no keys. */
  readonly partition: string
  /** One sentence. */
  readonly reason: string
  /** Whether the prefix that is shown is known to be the shortest. */
  readonly isShortest: boolean
  /** Of the prefix: the operations called. Undefined where the flaw is none of order, but of what is there. */
  readonly prefixLength: number | undefined
  /** Of these, in the order of their calls: the nearest to the end. */
  readonly operations: readonly ShownOperation[]
  /** How many of the prefix are not among them. */
  readonly omittedCount: number
  /** States in which it may have been before the impossible response, in words. */
  readonly states: readonly string[]
}

/** An operation as it is shown. */
export interface ShownOperation {
  readonly process: number
  readonly text: string
  readonly outcome: Outcome
  readonly callAt: number
  /** Null while it is open. */
  readonly returnAt: number | null
  readonly callMs: number | undefined
  readonly returnMs: number | undefined
  /** Line of its call in the file. */
  readonly line: number | undefined
  /** Its place in the partial linearization, from 1. */
  readonly place: number | undefined
  /** `blocked`: its response ends the prefix; `witness`: has a part in why. */
  readonly role: 'blocked' | 'witness' | undefined
}

const MAX_SHOWN = 240

/** What of a prefix is shown: what has a role, what overlaps the impossible one, and the newest of the others. */
export function shownOperations<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
  witnesses: readonly Operation<Input, Output>[],
  order: readonly Operation<Input, Output>[],
  describe: (operation: Operation<Input, Output>) => string,
  maxShown = MAX_SHOWN,
): ShownOperation[] {
  const places = new Map(order.map((operation, index) => [operation, index + 1]))
  const roles = new Map<unknown, 'blocked' | 'witness'>(witnesses.map((each) => [each, 'witness']))
  roles.set(blocked, 'blocked')
  return nearest(operations, blocked, roles, maxShown).map((operation) => ({
    process: operation.process,
    text: describe(operation),
    outcome: operation.outcome,
    callAt: operation.callAt,
    returnAt: Number.isFinite(operation.returnAt) ? operation.returnAt : null,
    callMs: operation.callMs,
    returnMs: operation.returnMs,
    line: operation.callLine,
    place: places.get(operation),
    role: roles.get(operation),
  }))
}

function nearest<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
  roles: ReadonlyMap<unknown, string>,
  maxShown: number,
): readonly Operation<Input, Output>[] {
  if (operations.length <= maxShown) return operations
  const { callAt, returnAt } = blocked
  const importance = (each: Operation<Input, Output>): number => {
    if (roles.has(each)) return 2
    return each.outcome === 'ok' && each.returnAt >= callAt && each.callAt <= returnAt ? 1 : 0
  }
  const lastAt = (each: Operation<Input, Output>): number =>
    Number.isFinite(each.returnAt) ? each.returnAt : each.callAt
  const kept = operations
    .map((operation, index) => ({ operation, index }))
    .sort(
      (left, right) =>
        importance(right.operation) - importance(left.operation) ||
        lastAt(right.operation) - lastAt(left.operation),
    )
    .slice(0, maxShown)
  return kept.sort((left, right) => left.index - right.index).map(({ operation }) => operation)
}
