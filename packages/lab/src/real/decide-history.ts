import { fileURLToPath } from 'node:url'
import type { KvInput, KvOutput, Operation } from '@troupe/check'
import { Piscina } from 'piscina'
import type { HistoryTask, HistoryVerdict } from './history-worker.ts'

const MAX_STEPS = 2_000_000
/** Whatever the steps cost: after this it is given up. */
const HARD_STOP_MS = 60_000

/** Whether a history is linearizable; out of its budget nobody knows. */
export async function decideHistory(
  operations: readonly Operation<KvInput, KvOutput>[],
  signal: AbortSignal,
): Promise<HistoryVerdict> {
  const filename = fileURLToPath(import.meta.resolve('@troupe/lab/history-worker'))
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 })
  try {
    const task: HistoryTask = { operations, maxStepsPerPartition: MAX_STEPS }
    const within = AbortSignal.any([signal, AbortSignal.timeout(HARD_STOP_MS)])
    return (await pool.run(task, { signal: within })) as HistoryVerdict
  } catch (error) {
    return { verdict: 'unknown', message: error instanceof Error ? error.message : String(error) }
  } finally {
    await pool.destroy()
  }
}
