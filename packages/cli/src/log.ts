/** `troupe log`: looks at logs, checks them, and proves that they keep what they promise. */
import type { CommandContext } from '@troupe/benchmarks'
import { groupHelp } from './help.ts'
import { inspectCommand } from './log/inspect.ts'
import { proveCommand } from './log/prove.ts'
import { verifyCommand } from './log/verify.ts'
import { wantsHelp } from './options.ts'
import { exitCodes } from './output.ts'
import { unknownWord } from './usage-error.ts'

const PATH = 'troupe log'
const SUMMARY = `${PATH}: the logs of nodes on the disk`

const commands = [
  {
    name: 'inspect DIR',
    summary: 'shows what a log holds: of a group, a node, or all nodes of a cluster',
    run: inspectCommand,
  },
  { name: 'verify DIR', summary: 'reads all of it and says whether it is sound', run: verifyCommand },
  {
    name: 'prove',
    summary: 'kills processes that write one, and shows that nothing acknowledged is missing',
    run: proveCommand,
  },
] as const

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
