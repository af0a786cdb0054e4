/** `troupe log`: looks at logs, checks them, and proves that they keep what they promise. */
import type { CommandContext } from '@troupe/benchmarks'
import { groupHelp } from './help.ts'
import type { NamedCommand } from './named-command.ts'
import { wantsHelp } from './options.ts'
import { exitCodes } from './output.ts'
import { unknownWord } from './usage-error.ts'

const PATH = 'troupe log'
const SUMMARY = `${PATH}: the logs of nodes on the disk`

/** Each loads what it needs once it is asked for. */
const commands: readonly NamedCommand[] = [
  {
    name: 'inspect DIR',
    summary: 'shows what a log holds: of a group, a node, or all nodes of a cluster',
    run: async (...given) => (await import('./log/inspect.ts')).inspectCommand(...given),
  },
  {
    name: 'verify DIR',
    summary: 'reads all of it and says whether it is sound',
    run: async (...given) => (await import('./log/verify.ts')).verifyCommand(...given),
  },
  {
    name: 'prove',
    summary: 'kills processes that write one, and shows that nothing acknowledged is missing',
    run: async (...given) => (await import('./log/prove.ts')).proveCommand(...given),
  },
]

/** Runs `troupe log ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY */
export async function log(args: readonly string[], context: CommandContext): Promise<number> {
  const [word, ...rest] = args
  const command = commands.find(({ name }) => name.split(' ')[0] === word)
  if (command !== undefined) return command.run(rest, context)
  if (word !== undefined && !wantsHelp(args)) throw unknownWord('command', word, PATH)
  const stream = word === undefined ? context.stderr : context.stdout
  const notes = ['inspect and verify only read, need no lock, and look at a running node as well.']
  stream.write(groupHelp(PATH, SUMMARY, commands, notes))
  return word === undefined ? exitCodes.usage : exitCodes.pass
}
