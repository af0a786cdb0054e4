/** `troupe bench`: hands over to @troupe/benchmarks, where that is installed. */
import type { Command, CommandContext } from '@troupe/benchmarks'
import { type BenchmarksModule, loadBenchmarks } from './benchmarks.ts'
import { commandHelp, groupHelp } from './help.ts'
import { parseOptions, wantsHelp } from './options.ts'
import { unknownWord } from './usage-error.ts'

const PATH = 'troupe bench'

/**
 * Runs `troupe bench ARGS`; without a command it runs the first.
 * @throws RaftError INVALID_OPTIONS, and what the benchmark throws
 */
export async function bench(
  given: readonly string[],
  context: CommandContext,
  load: () => Promise<Pick<BenchmarksModule, 'commands'>> = () => import('@troupe/benchmarks'),
): Promise<number> {
  const { commands } = await loadBenchmarks('bench', load)
  const args = withRun(given)
  const [word] = args
  const isNamed = word !== undefined && !word.startsWith('-')
  if (!isNamed && wantsHelp(args)) {
    context.stdout.write(benchHelp(await Promise.all(commands.map((each) => each.load()))))
    return 0
  }
  const listed = isNamed ? commands.find(({ name }) => isAt(name, args)) : commands[0]
  if (listed === undefined) throw unknownWord('command', word ?? '', PATH)
  const command = await listed.load()
  const path = `${PATH} ${command.name}`
  const rest = isNamed ? args.slice(command.name.split(' ').length) : args
  const parsed = parseOptions(withOperand(command, rest), command.options, path)
  if (parsed.kind === 'values') return command.run(parsed.values, context)
  context.stdout.write(commandHelp(path, command))
  return 0
}

/** A workload file needs no word before it. */
const withRun = (args: readonly string[]): readonly string[] =>
  /\.ya?ml$/.test(args[0] ?? '') ? ['run', ...args] : args

/** Whether the arguments begin with a command's name, which may be of several words. */
function isAt(name: string, args: readonly string[]): boolean {
  return name.split(' ').every((word, index) => args[index] === word)
}

/** The arguments with the flag before a value that stands right behind the name. */
function withOperand({ operand }: Command, args: readonly string[]): readonly string[] {
  const [first] = args
  return operand === undefined || first === undefined || first.startsWith('-')
    ? args
    : [`--${operand}`, ...args]
}

function benchHelp(commands: readonly Command[]): string {
  const notes = [
    `Without a command: ${commands[0]?.name}. '${PATH} COMMAND --help' lists the options of a command.`,
  ]
  return groupHelp(PATH, `${PATH}: measures a real cluster on this machine`, commands, notes)
}
