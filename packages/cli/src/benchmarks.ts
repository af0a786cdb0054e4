/** @troupe/benchmarks, where it is installed: it is no dependency, since most users measure nothing. */
import type { ListedCommand } from '@troupe/benchmarks'
import { RaftError } from '@troupe/core/errors'

/** What `import('@troupe/benchmarks')` gives. */
export interface BenchmarksModule {
  readonly commands: readonly ListedCommand[]
  readonly soakCommand: ListedCommand
}

/** @throws RaftError INVALID_OPTIONS naming the command that needs it, where it is not installed */
export async function loadBenchmarks<Module>(command: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('@troupe/benchmarks')) throw error
    const expected = '@troupe/benchmarks installed beside @troupe/cli (npm install @troupe/benchmarks)'
    const data = { field: command, value: command, expected }
    throw new RaftError('INVALID_OPTIONS', `${command} needs ${expected}`, data)
  }
}
