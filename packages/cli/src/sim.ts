/** `troupe sim`: the simulator's commands. Without a word it runs seeds. */
import type { CommandContext } from '@troupe/benchmarks'
import { campaignCommand } from './sim/campaign.ts'
import { mutantsCommand } from './sim/mutants.ts'
import { replayCommand } from './sim/replay.ts'
import { seedsCommand } from './sim/seeds.ts'
import { shrinkCommand } from './sim/shrink.ts'
import { unknownWord } from './usage-error.ts'

type SimCommand = (args: readonly string[], context: CommandContext) => Promise<number>

const commands: Readonly<Record<string, SimCommand>> = {
  replay: replayCommand,
  shrink: shrinkCommand,
  mutants: mutantsCommand,
  campaign: campaignCommand,
}

/** Runs `troupe sim ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function sim(args: readonly string[], context: CommandContext): Promise<number> {
  const [word, ...rest] = args
  if (word === undefined || word.startsWith('-')) return seedsCommand(args, context)
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined
  if (command === undefined) throw unknownWord('command', word, 'troupe sim')
  return command(rest, context)
}
