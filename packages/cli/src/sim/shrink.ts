/** `troupe sim shrink --seed N`: a failing seed becomes a schedule of few steps. */
import { writeFileSync } from 'node:fs'
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { workloadKinds } from '@troupe/sim'
import { parseOptions } from '../options.ts'
import { checkFolderOf, exitCodes, showHelp } from '../output.ts'
import { checkMutant, sayMutant, workloadFor } from './output.ts'
import { inThread } from './pool.ts'

const PATH = 'troupe sim shrink'
const SUMMARY = 'makes a failing seed smaller, and writes what is left as a schedule'

/** About a minute on one core. */
export const SHRINK_EVENTS = 6_000_000

const options = {
  seed: { kind: 'integer', min: 0, default: 1, help: 'the seed; with --seeds the first of several' },
  seeds: { kind: 'integer', min: 1, default: 1, help: 'how many to look at for one that fails' },
  nodes: { kind: 'integer', min: 1, max: 7, help: 'voters at the start, as the seed was run' },
  seconds: { kind: 'number', min: 0.1, unit: 'virtual s', default: 30, help: 'as the seed was run' },
  'exceed-budget': { kind: 'flag', help: 'as the seed was run' },
  workload: { kind: 'choice', choices: workloadKinds, default: 'kv', help: 'as the seed was run' },
  mutant: { kind: 'text', placeholder: 'NAME', help: 'with this bug on purpose' },
  events: {
    kind: 'integer',
    min: 1,
    default: SHRINK_EVENTS,
    help: 'events of the simulation that all tries together may take',
  },
  out: { kind: 'text', placeholder: 'FILE', otherwise: 'stdout', help: 'where the schedule goes' },
} as const satisfies OptionTable

/** Runs `troupe sim shrink ARGS`; resolves with the exit code: 0 where a schedule was written. */
export async function shrinkCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options)
  const { values } = parsed
  const { seed, seeds, nodes, seconds, mutant, events, out } = values
  const workload = workloadFor(mutant, values.workload)
  const { 'exceed-budget': exceedBudget } = values
  if (mutant !== undefined) checkMutant(mutant)
  if (out !== undefined) checkFolderOf(out, '--out')
  const talk = out === undefined ? context.stderr : context.stdout
  if (mutant !== undefined) sayMutant(mutant, talk)
  const task = { seed, seeds, nodes, seconds, exceedBudget, workload, mutant, maxEvents: events }
  // In a thread, so that Ctrl-C ends it.
  const { found, seeds: tried } = await inThread('hunt', task, context.signal, mutant)
  if (found === undefined) {
    talk.write(`${tried === 1 ? `seed ${seed} does` : `${tried} seeds do`} not fail\n`)
    return exitCodes.fail
  }
  const { failure, drawnSteps, steps, tries, shrinkSeconds, schedule } = found
  talk.write(`seed ${found.seed}: ${failure.invariant}: ${failure.message}\n`)
  talk.write(`${drawnSteps} steps became ${steps}, by ${tries} tries in ${shrinkSeconds.toFixed(1)} s\n`)
  if (out === undefined) context.stdout.write(schedule)
  else writeFileSync(out, schedule)
  return exitCodes.pass
}
