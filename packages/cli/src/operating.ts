/** What the operator's commands share in how they speak: backup, restore, force-recover. */
import type { CommandContext } from '@troupe/benchmarks'
import { RaftError } from '@troupe/core/errors'
import { Progress } from './progress.ts'

/** Before that nobody wonders whether anything happens. */
const SILENT_MS = 2000

/** Tells on stderr how far something is, where it takes long. */
export function progressOf({ stderr }: CommandContext, what: string) {
  const began = performance.now()
  const progress = new Progress(stderr)
  let isShown = false
  return {
    show: (share: number): void => {
      if (performance.now() - began < SILENT_MS) return
      isShown = true
      progress.show(share, `${what} ${(share * 100).toFixed(0)} %`)
    },
    end: (): void => {
      if (isShown) progress.write('')
    },
  }
}

/** What is damaged is an answer, and not one of those that nobody could give. */
export async function failingOnDamage(
  { stderr }: CommandContext,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
    stderr.write(`troupe: ${error.message}\n`)
    return 1
  }
}
