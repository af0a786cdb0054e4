/** Threads that run seeds and schedules. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { SimTask, SimTaskResult, tasks } from './worker.ts'

type Tasks = typeof tasks

/** How many things run at the same time. */
export const threadCount = (): number => Math.max(1, availableParallelism())

/** @param mutant name of a bug on purpose (mutant-hook.ts) that the threads load the sources with */
export function openPool(threads: number, mutant?: string): Piscina {
  const worker = mutant === undefined ? '@troupe/cli/sim-worker' : '@troupe/cli/mutant-worker'
  return new Piscina({
    filename: fileURLToPath(import.meta.resolve(worker)),
    workerData: { mutant },
    minThreads: threads,
    maxThreads: threads,
  })
}

/**
 * Runs `seeds` over all cores; `onResult` is told of each as it ends. Resolves when all are done, or soon after `signal`
 * aborts.
 */
export async function runTasks(
  seeds: Iterable<SimTask>,
  onResult: (result: SimTaskResult) => void,
  signal: AbortSignal,
  mutant?: string,
): Promise<void> {
  const pool = openPool(threadCount(), mutant)
  try {
    await eachOf(seeds, signal, async (seed) => onResult(await pool.run(seed, { signal })))
  } finally {
    await pool.destroy()
  }
}

/** One task in a thread of its own, which loads the sources with the mutant. Rejects when `signal` aborts. */
export async function inThread<Name extends 'hunt' | 'countFailing' | 'replay'>(
  name: Name,
  task: Parameters<Tasks[Name]>[0],
  signal: AbortSignal,
  mutant?: string,
): Promise<ReturnType<Tasks[Name]>> {
  const pool = openPool(1, mutant)
  try {
    return await pool.run(task, { name, signal })
  } finally {
    await pool.destroy()
  }
}

/** Does `work` for each of `items`, as many at once as there are threads. Ends early, without an error, when `signal` aborts. */
export async function eachOf<T>(
  items: Iterable<T>,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done && !signal.aborted; next = queue.next()) await work(next.value)
  }
  try {
    await Promise.all(Array.from({ length: threadCount() }, worker))
  } catch (error) {
    // What was found so far is told, whatever an interrupted worker says.
    if (!signal.aborted) throw error
  }
}
