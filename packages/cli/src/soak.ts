/** `troupe soak`: hands over to @troupe/benchmarks, where that is installed. */
import type { CommandContext } from '@troupe/benchmarks'
import { type BenchmarksModule, loadBenchmarks } from './benchmarks.ts'
import { commandHelp } from './help.ts'
import { parseOptions } from './options.ts'

const PATH = 'troupe soak'

/** Runs `troupe soak ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, and what the soak throws */
export async function soak(
  args: readonly string[],
  context: CommandContext,
  load: () => Promise<Pick<BenchmarksModule, 'soakCommand'>> = () => import('@troupe/benchmarks'),
): Promise<number> {
  const { soakCommand: listed } = await loadBenchmarks('soak', load)
  const soakCommand = await listed.load()
  const parsed = parseOptions(args, soakCommand.options, PATH)
  if (parsed.kind === 'values') return soakCommand.run(parsed.values, context)
  context.stdout.write(commandHelp(PATH, soakCommand))
  return 0
}
