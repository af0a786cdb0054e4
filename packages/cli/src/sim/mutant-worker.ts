/** What runs in the worker threads of a mutant: the name comes as workerData. */
import { workerData } from 'node:worker_threads'
import { installMutant } from './mutant-hook.ts'
import type { SimTask, SimTaskResult } from './worker.ts'

const { mutant } = workerData as { readonly mutant: string }
await installMutant(mutant)
// Only now may anything be loaded that the mutant changes.
const { tasks } = await import('./worker.ts')

export const { hunt, countFailing, replay } = tasks

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default function runMutantTask(task: SimTask): SimTaskResult {
  const result = tasks.runTask(task)
  return { ...result, reproduce: `${result.reproduce} --mutant ${mutant}` }
}
