/** `troupe fault`: faults by hand, at nodes that were started with --allow-faults. */
import type { CommandContext } from '@troupe/benchmarks'
import { groupHelp } from '../help.ts'
import type { NamedCommand } from '../named-command.ts'
import { wantsHelp } from '../options.ts'
import { exitCodes } from '../output.ts'
import { unknownWord } from '../usage-error.ts'

const PATH = 'troupe fault'
const SUMMARY = `${PATH}: breaks a running cluster on purpose, for a while`

/** Each loads what it needs once it is asked for. */
const commands: readonly NamedCommand[] = [
  {
    name: 'inject',
    summary: 'begins a fault, and prints its id; it ends by itself',
    run: async (...given) => (await import('./commands.ts')).injectCommand(...given),
  },
  {
    name: 'apply FILE',
    summary: 'injects what manifests of Chaos Mesh say',
    run: async (...given) => (await import('./apply.ts')).applyCommand(...given),
  },
  {
    name: 'list',
    summary: 'shows the faults that last, with the time that is left',
    run: async (...given) => (await import('./commands.ts')).listCommand(...given),
  },
  {
    name: 'destroy ID',
    summary: 'ends a fault now; all: every one',
    run: async (...given) => (await import('./commands.ts')).destroyCommand(...given),
  },
]

/** Runs `troupe fault ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, NODE_UNAVAILABLE */
export async function fault(args: readonly string[], context: CommandContext): Promise<number> {
  const [word, ...rest] = args
  const command = commands.find(({ name }) => name.split(' ')[0] === word)
  if (command !== undefined) return command.run(rest, context)
  if (word !== undefined && !wantsHelp(args)) throw unknownWord('command', word, PATH)
  const stream = word === undefined ? context.stderr : context.stdout
  stream.write(groupHelp(PATH, SUMMARY, commands, ['Nodes take part that were started with --allow-faults.']))
  return word === undefined ? exitCodes.usage : exitCodes.pass
}
