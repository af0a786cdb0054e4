/** `troupe sim mutants`: finds every bug on purpose, and says how. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import type { Interleaving } from '@troupe/sim'
import { mutants } from '@troupe/sim/mutants'
import { parseOptions } from '../options.ts'
import { aligned, exitCodes, jsonOption, showHelp, textStream, writeJson } from '../output.ts'
import { Progress } from '../progress.ts'
import {
  describeKilled,
  inOrderOfMutants,
  type Killed,
  keepSchedule,
  keepTable,
  killedBy,
  rowsOf,
  summaryOf,
} from './mutants-file.ts'
import { checkMutant } from './output.ts'
import { eachOf, inThread } from './pool.ts'
import { SHRINK_EVENTS } from './shrink.ts'

const PATH = 'troupe sim mutants'
const SUMMARY = 'finds every bug on purpose: runs seeds until one fails, and makes that one smaller'

const options = {
  only: { kind: 'text', placeholder: 'NAME', otherwise: 'all', help: 'one of them' },
  seeds: {
    kind: 'integer',
    min: 1,
    default: 500,
    help: 'after so many seeds without a failure it has survived',
  },
  from: { kind: 'integer', min: 0, default: 1, help: 'the first seed' },
  seconds: {
    kind: 'number',
    min: 0.1,
    unit: 'virtual s',
    default: 10,
    help: 'length of the phase with faults',
  },
  rate: {
    kind: 'integer',
    min: 0,
    default: 0,
    help: 'also count how many of so many seeds find it, by either interleaving',
  },
  events: {
    kind: 'integer',
    min: 0,
    default: SHRINK_EVENTS,
    help: 'events that making one smaller may take',
  },
  write: {
    kind: 'flag',
    help: 'keep what was found: the table in docs/mutants.md, the schedules in packages/sim/schedules',
  },
  json: jsonOption,
} as const satisfies OptionTable

/** Runs `troupe sim mutants ARGS`; resolves with the exit code: 1 where one survived. @throws RaftError INVALID_OPTIONS */
export async function mutantsCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options)
  const { only, seeds, from, seconds, events, json, write, rate } = parsed.values
  if (only !== undefined) checkMutant(only, '--only')
  const chosen = mutants.filter(({ name }) => only === undefined || name === only)
  for (const { name } of chosen) checkMutant(name, 'mutants')
  const out = textStream(json, context)
  const results: Killed[] = []
  const progress = new Progress(out)
  await eachOf(chosen, context.signal, async ({ name, workload }) => {
    const run = { seed: from, seconds, workload }
    const task = { ...run, seeds, maxEvents: events, mutant: name }
    const hunted = await inThread('hunt', task, context.signal, name)
    const count = (interleaving: Interleaving): Promise<number> =>
      inThread('countFailing', { ...run, seeds: rate, interleaving }, context.signal, name)
    const rates =
      rate === 0
        ? undefined
        : { seeds: rate, random: await count('random'), priorities: await count('priorities') }
    const killed = killedBy(name, hunted, rates)
    results.push(killed)
    progress.write(`${describeKilled(killed)}\n`)
    progress.show(results.length / chosen.length, `${results.length} of ${chosen.length}`)
    if (write && hunted.found !== undefined) keepSchedule(name, hunted.found.schedule)
  })
  const inOrder = inOrderOfMutants(results)
  out.write(`\n${aligned(rowsOf(inOrder))}\n${summaryOf(inOrder)}`)
  writeJson(json, inOrder, context)
  if (context.signal.aborted) return exitCodes.interrupted
  if (write) keepTable(results)
  return inOrder.every(({ foundBy }) => foundBy !== undefined) ? exitCodes.pass : exitCodes.fail
}
