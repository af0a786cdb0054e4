/** What runs in the thread of `troupe replay --mutant`: the name comes as workerData. */
import { workerData } from 'node:worker_threads'
import { installMutant } from '../sim/mutant-hook.ts'
import type { Played, PlayTask } from './play.ts'

const { mutant } = workerData as { readonly mutant: string }
await installMutant(mutant)
// Only now may anything be loaded that the mutant changes.
const { play } = await import('./play.ts')

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default async function playTask(
  task: PlayTask,
): Promise<{ readonly lines: readonly string[]; readonly all: readonly Played[] }> {
  const lines: string[] = []
  const all = await play(task, (line) => lines.push(line))
  return { lines, all }
}
