import type { KvInput, KvOutput, Operation, Verdict } from '@troupe/check'
import { checkInWorker } from '../checking/check-in-worker.ts'

const MAX_STEPS = 2_000_000
/** Whatever the steps cost: after this it is given up. */
const HARD_STOP_MS = 60_000

export interface HistoryVerdict {
  readonly verdict: Verdict
  readonly message: string
}

/** Whether a history is linearizable; out of its budget nobody knows. */
export async function decideHistory(
  operations: readonly Operation<KvInput, KvOutput>[],
  signal: AbortSignal,
): Promise<HistoryVerdict> {
  try {
    const bounds = { maxStepsPerPartition: MAX_STEPS, budgetMs: HARD_STOP_MS, signal }
    const { verdict, failure, reason = '' } = await checkInWorker(operations, 'kv', bounds)
    if (failure === undefined) return { verdict, message: reason }
    return { verdict, message: `the history of ${failure.partition} is not linearizable: ${failure.reason}` }
  } catch (error) {
    return { verdict: 'unknown', message: error instanceof Error ? error.message : String(error) }
  }
}
