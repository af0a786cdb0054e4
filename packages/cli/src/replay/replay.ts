/** `troupe replay DIR`: plays recorded turns of nodes again, in the simulator, and compares what each of them does. */
import type { CommandContext, OptionTable, OutputStream } from '@troupe/benchmarks'
import { takeOperands } from '../operands.ts'
import { parseOptions, wantsHelp } from '../options.ts'
import { checkJson, exitCodes, jsonOption, paintFor, showHelp, textStream, writeJson } from '../output.ts'
import { checkMutant, sayMutant } from '../sim/output.ts'
import { describePlayed, isReproduced, verdictLine } from './describe.ts'
import { type Played, type PlayTask, play } from './play.ts'
import { recordingsAt } from './recordings.ts'
import { playMutant } from './with-mutant.ts'

const PATH = 'troupe replay DIR'
const SUMMARY = 'plays recorded turns of nodes again, and compares what each of them does'
const DETAILS = [
  'DIR is where a cluster recorded its nodes, or one file of it. docs/replay.md tells how to record.',
  'Ends at the first turn that does something else than it did, and says what.',
]
const options = {
  node: { kind: 'text', placeholder: 'NAME', help: 'only this node' },
  'to-turn': { kind: 'integer', min: 1, help: 'play no further, and show where the node stands then' },
  timeline: {
    kind: 'flag',
    help: 'print what each turn was given and did, all nodes in the order of their times',
  },
  mutant: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'play with this bug on purpose: does the recorded run depend on the rule that it breaks?',
  },
  json: jsonOption,
} as const satisfies OptionTable

/** Runs `troupe replay ARGS`: 1 where something differs or is damaged. @throws RaftError INVALID_OPTIONS, INVALID_MACHINE */
export async function replay(args: readonly string[], context: CommandContext): Promise<number> {
  if (wantsHelp(args)) return showHelp(context, PATH, SUMMARY, options, DETAILS)
  const { operands, rest } = takeOperands(args, ['DIR'], options, PATH)
  const parsed = parseOptions(rest, options, PATH)
  if (parsed.kind === 'help') return exitCodes.pass
  const { node, 'to-turn': toTurn, timeline, mutant, json } = parsed.values
  if (mutant !== undefined) checkMutant(mutant)
  checkJson(json)
  const out = textStream(json, context)
  const task: PlayTask = { places: recordingsAt(operands[0] as string, node), toTurn, timeline }
  if (mutant !== undefined) sayMutant(mutant, out)
  const onLine = (line: string): void => void out.write(`${line}\n`)
  const all =
    mutant === undefined ? await play(task, onLine) : await playMutant(mutant, task, onLine, context.signal)
  const isSame = show(all, toTurn !== undefined, out, context)
  writeJson(json, { verdict: isSame ? 'reproduced' : 'differs', recordings: all }, context)
  return isSame ? exitCodes.pass : exitCodes.fail
}

function show(
  all: readonly Played[],
  isPartial: boolean,
  out: OutputStream,
  { env }: CommandContext,
): boolean {
  for (const played of all) out.write(describePlayed(played, isPartial))
  const isSame = all.every(isReproduced)
  out.write(`${paintFor(out, env)(isSame ? 'green' : 'red', verdictLine(all))}\n`)
  return isSame
}
