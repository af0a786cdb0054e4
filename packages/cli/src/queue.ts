/** `troupe queue`: what operators do with a queue. */
import type { CommandContext } from '@troupe/benchmarks'
import { groupHelp } from './help.ts'
import { wantsHelp } from './options.ts'
import { exitCodes } from './output.ts'
import { consumeCommand } from './queue/consume.ts'
import { createCommand } from './queue/create.ts'
import {
  pauseCommand,
  peekCommand,
  purgeCommand,
  redriveCommand,
  resumeCommand,
  statsCommand,
} from './queue/manage.ts'
import { proveCommand } from './queue/prove.ts'
import { sendCommand } from './queue/send.ts'
import { unknownWord } from './usage-error.ts'

const PATH = 'troupe queue'
const SUMMARY = `${PATH}: a queue of a cluster over TCP, or in a directory`

const commands = [
  {
    name: 'create QUEUE',
    summary: 'makes a queue, its groups and bounds, or changes them',
    run: createCommand,
  },
  { name: 'send QUEUE', summary: 'sends messages', run: sendCommand },
  { name: 'consume QUEUE', summary: 'takes messages, and acks them', run: consumeCommand },
  { name: 'stats QUEUE', summary: 'shows its depth, and what became of messages', run: statsCommand },
  { name: 'peek QUEUE', summary: 'shows messages without taking them', run: peekCommand },
  { name: 'pause QUEUE', summary: 'delivers nothing more', run: pauseCommand },
  { name: 'resume QUEUE', summary: 'delivers again', run: resumeCommand },
  { name: 'redrive QUEUE', summary: 'makes dead messages ready again', run: redriveCommand },
  { name: 'purge QUEUE', summary: 'removes messages that wait', run: purgeCommand },
  {
    name: 'prove',
    summary: 'crashes, partitions, pauses: and shows that nothing is lost or delivered after its ack',
    run: proveCommand,
  },
] as const

/** Runs `troupe queue ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY */
export async function queue(args: readonly string[], context: CommandContext): Promise<number> {
  const [word, ...rest] = args
  const command = commands.find(({ name }) => name.split(' ')[0] === word)
  if (command !== undefined) return command.run(rest, context)
  if (word !== undefined && !wantsHelp(args)) throw unknownWord('command', word, PATH)
  const stream = word === undefined ? context.stderr : context.stdout
  stream.write(groupHelp(PATH, SUMMARY, commands, []))
  return word === undefined ? exitCodes.usage : exitCodes.pass
}
