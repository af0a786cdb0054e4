import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { Played, PlayTask } from './play.ts'

/** Plays in a thread of its own, which loads the sources with that bug. Rejects when `signal` aborts. */
export async function playMutant(
  mutant: string,
  task: PlayTask,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<readonly Played[]> {
  const filename = fileURLToPath(import.meta.resolve('@troupe/cli/replay-mutant-worker'))
  const pool = new Piscina({ filename, workerData: { mutant }, minThreads: 1, maxThreads: 1 })
  try {
    const { lines, all } = await pool.run(task, { signal })
    for (const line of lines) onLine(line)
    return all
  } finally {
    await pool.destroy()
  }
}
