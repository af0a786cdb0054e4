import type { KvInput, KvOutput, Operation, Verdict } from '@troupe/check'
import { checkInWorker } from '../checking/check-in-worker.ts'
import type { LinearizableSpec } from '../scenario/scenario.ts'

const MAX_STEPS = 2_000_000
/** Whatever the steps cost: after this it is given up. */
const BUDGET_MS = 60_000

export interface HistoryVerdict {
  readonly verdict: Verdict
  readonly message: string
}

/** Whether a history is linearizable; out of its budget nobody knows. `bounds` are those of its scenario. */
export async function decideHistory(
  operations: readonly Operation<KvInput, KvOutput>[],
  signal: AbortSignal,
  { budget = BUDGET_MS, steps = MAX_STEPS }: LinearizableSpec = {},
): Promise<HistoryVerdict> {
  try {
    const bounds = { maxStepsPerPartition: steps, budgetMs: budget, signal }
    const { verdict, failure, reason = '' } = await checkInWorker(operations, 'kv', bounds)
    if (failure === undefined) return { verdict, message: reason }
    return { verdict, message: `the history of ${failure.partition} is not linearizable: ${failure.reason}` }
  } catch (error) {
    return { verdict: 'unknown', message: error instanceof Error ? error.message : String(error) }
  }
}
