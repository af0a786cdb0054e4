/** `troupe queue`: what operators do with a queue. */
import type { CommandContext } from '@troupe/benchmarks'
import { groupHelp } from './help.ts'
import type { NamedCommand } from './named-command.ts'
import { wantsHelp } from './options.ts'
import { exitCodes } from './output.ts'
import { unknownWord } from './usage-error.ts'

const PATH = 'troupe queue'
const SUMMARY = `${PATH}: a queue of a cluster over TCP, or in a directory`

/** Each loads what it needs once it is asked for. */
const commands: readonly NamedCommand[] = [
  {
    name: 'create QUEUE',
    summary: 'makes a queue, its groups and bounds, or changes them',
    run: async (...given) => (await import('./queue/create.ts')).createCommand(...given),
  },
  {
    name: 'send QUEUE',
    summary: 'sends messages',
    run: async (...given) => (await import('./queue/send.ts')).sendCommand(...given),
  },
  {
    name: 'consume QUEUE',
    summary: 'takes messages, and acks them',
    run: async (...given) => (await import('./queue/consume.ts')).consumeCommand(...given),
  },
  {
    name: 'stats QUEUE',
    summary: 'shows its depth, and what became of messages',
    run: async (...given) => (await import('./queue/manage.ts')).statsCommand(...given),
  },
  {
    name: 'peek QUEUE',
    summary: 'shows messages without taking them',
    run: async (...given) => (await import('./queue/manage.ts')).peekCommand(...given),
  },
  {
    name: 'pause QUEUE',
    summary: 'delivers nothing more',
    run: async (...given) => (await import('./queue/manage.ts')).pauseCommand(...given),
  },
  {
    name: 'resume QUEUE',
    summary: 'delivers again',
    run: async (...given) => (await import('./queue/manage.ts')).resumeCommand(...given),
  },
  {
    name: 'redrive QUEUE',
    summary: 'makes dead messages ready again',
    run: async (...given) => (await import('./queue/manage.ts')).redriveCommand(...given),
  },
  {
    name: 'purge QUEUE',
    summary: 'removes messages that wait',
    run: async (...given) => (await import('./queue/manage.ts')).purgeCommand(...given),
  },
  {
    name: 'prove',
    summary: 'crashes, partitions, pauses: and shows that nothing is lost or delivered after its ack',
    run: async (...given) => (await import('./queue/prove.ts')).proveCommand(...given),
  },
]

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
