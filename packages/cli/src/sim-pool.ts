/** Many seeds over all cores. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { SimTask, SimTaskResult } from './sim-worker.ts'

/**
 * Runs `tasks`; `onResult` is told of each as it ends. Resolves when all are done, or soon after `signal` aborts.
 * @param mutant name of a bug on purpose (mutant-hook.ts) that the threads load the sources with
 */
export async function runTasks(
  tasks: Iterable<SimTask>,
  onResult: (result: SimTaskResult) => void,
  signal: AbortSignal,
  mutant?: string,
): Promise<void> {
  const threads = Math.max(1, availableParallelism())
  const pool = new Piscina<SimTask, SimTaskResult>({
    filename: fileURLToPath(import.meta.resolve(workerFor(mutant))),
    workerData: { mutant },
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

const workerFor = (mutant: string | undefined): string =>
  mutant === undefined ? '@troupe/cli/sim-worker' : '@troupe/cli/mutant-worker'
