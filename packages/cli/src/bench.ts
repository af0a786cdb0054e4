/** `troupe bench`: hands over to @troupe/benchmarks, where that is installed. */
import type { Command, CommandContext } from '@troupe/benchmarks'
import { RaftError } from '@troupe/core'
import { commandHelp, groupHelp } from './help.ts'
import { parseOptions, wantsHelp } from './options.ts'
import { unknownWord } from './usage-error.ts'

const PATH = 'troupe bench'

/** What `import('@troupe/benchmarks')` gives. */
export interface BenchmarksModule {
  readonly commands: readonly Command[]
}

/**
 * Runs `troupe bench ARGS`; without a command it runs the first.
 * @throws RaftError INVALID_OPTIONS, and what the benchmark throws
 */
export async function bench(
  args: readonly string[],
  context: CommandContext,
  load: () => Promise<BenchmarksModule> = () => import('@troupe/benchmarks'),
): Promise<number> {
  const { commands } = await load().catch(notInstalled)
  const [word, ...rest] = args
  const isNamed = word !== undefined && !word.startsWith('-')
  if (!isNamed && wantsHelp(args)) {
    context.stdout.write(benchHelp(commands))
    return 0
  }
  const command = isNamed ? commands.find(({ name }) => name === word) : commands[0]
  if (command === undefined) throw unknownWord('command', word ?? '', PATH)
  const path = `${PATH} ${command.name}`
  const parsed = parseOptions(isNamed ? rest : args, command.options, path)
  if (parsed.kind === 'values') return command.run(parsed.values, context)
  context.stdout.write(commandHelp(path, command))
  return 0
}

function benchHelp(commands: readonly Command[]): string {
  const notes = [
    `Without a command: ${commands[0]?.name}. '${PATH} COMMAND --help' lists the options of a command.`,
  ]
  return groupHelp(PATH, `${PATH}: measures a real cluster on this machine`, commands, notes)
}

function notInstalled(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException
  if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes('@troupe/benchmarks')) throw error
  const expected = '@troupe/benchmarks installed beside @troupe/cli (npm install @troupe/benchmarks)'
  throw new RaftError('INVALID_OPTIONS', `bench needs ${expected}`, {
    field: 'bench',
    value: 'bench',
    expected,
  })
}
