/** Many seeds over all cores. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { SimTask, SimTaskResult } from './sim-worker.ts'

/** Runs `tasks`; `onResult` is told of each as it ends. Resolves when all are done, or soon after `signal` aborts. */
export async function runTasks(
  tasks: Iterable<SimTask>,
  onResult: (result: SimTaskResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const threads = Math.max(1, availableParallelism())
  const pool = new Piscina<SimTask, SimTaskResult>({
    filename: fileURLToPath(import.meta.resolve('@troupe/cli/sim-worker')),
    minThreads: threads,
    maxThreads: threads,
  })
  const queue = tasks[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let next = queue.next(); !next.done && !signal.aborted; next = queue.next()) {
      onResult(await pool.run(next.value, { signal }))
    }
  }
  try {
    await Promise.all(Array.from({ length: threads }, work))
  } catch (error) {
    // What was found so far is told, whatever an interrupted worker says.
    if (!signal.aborted) throw error
  } finally {
    await pool.destroy()
  }
}
