/** `troupe fault`: faults by hand, at nodes that were started with --allow-faults. */
import type { CommandContext } from '@troupe/benchmarks'
import { groupHelp } from '../help.ts'
import { wantsHelp } from '../options.ts'
import { exitCodes } from '../output.ts'
import { unknownWord } from '../usage-error.ts'
import { applyCommand } from './apply.ts'
import { destroyCommand, injectCommand, listCommand } from './commands.ts'

const PATH = 'troupe fault'
const SUMMARY = `${PATH}: breaks a running cluster on purpose, for a while`

const commands = [
  { name: 'inject', summary: 'begins a fault, and prints its id; it ends by itself', run: injectCommand },
  { name: 'apply FILE', summary: 'injects what manifests of Chaos Mesh say', run: applyCommand },
  { name: 'list', summary: 'shows the faults that last, with the time that is left', run: listCommand },
  { name: 'destroy ID', summary: 'ends a fault now; all: every one', run: destroyCommand },
] as const

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
