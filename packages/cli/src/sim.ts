/** `troupe sim`: the simulator's commands. Without a word it runs seeds. */
import type { CommandContext } from '@troupe/benchmarks'
import { unknownWord } from './usage-error.ts'

type SimCommand = (args: readonly string[], context: CommandContext) => Promise<number>

/** Each loads what it needs once it is asked for. */
const commands: Readonly<Record<string, SimCommand>> = {
  replay: async (...given) => (await import('./sim/replay.ts')).replayCommand(...given),
  shrink: async (...given) => (await import('./sim/shrink.ts')).shrinkCommand(...given),
  mutants: async (...given) => (await import('./sim/mutants.ts')).mutantsCommand(...given),
  campaign: async (...given) => (await import('./sim/campaign.ts')).campaignCommand(...given),
}

/** Runs `troupe sim ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function sim(args: readonly string[], context: CommandContext): Promise<number> {
  const [word, ...rest] = args
  if (word === undefined || word.startsWith('-'))
    return (await import('./sim/seeds.ts')).seedsCommand(args, context)
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined
  if (command === undefined) throw unknownWord('command', word, 'troupe sim')
  return command(rest, context)
}
