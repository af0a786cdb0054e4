/** `troupe sim mutants`: finds every bug on purpose, and says how. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import type { Interleaving } from '@troupe/sim'
import { type Mutant, mutants } from '@troupe/sim/mutants'
import { parseOptions } from '../options.ts'
import {
  aligned,
  checkMutant,
  exitCodes,
  jsonOption,
  markdownTable,
  showHelp,
  textStream,
  writeJson,
} from './output.ts'
import { eachOf, inThread } from './pool.ts'
import { Progress } from './progress.ts'
import { SHRINK_EVENTS } from './shrink.ts'
import type { Hunt } from './worker.ts'

const PATH = 'troupe sim mutants'
const SUMMARY = 'finds every bug on purpose: runs seeds until one fails, and makes that one smaller'

/** Where the table and the schedules are kept, from here. */
const ROOT = new URL('../../../../', import.meta.url)

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
    help: 'keep the table in docs/mutants.md and the schedules in packages/sim/schedules',
  },
  json: jsonOption,
} as const satisfies OptionTable

/** What became of one of them. */
export interface Killed extends Hunt {
  readonly mutant: Mutant
  /** Seeds that found it, of as many as were asked for. */
  readonly rates: Readonly<Record<Interleaving, number>> | undefined
}

/** Runs `troupe sim mutants ARGS`; resolves with the exit code: 1 where one survived. @throws RaftError INVALID_OPTIONS */
export async function mutantsCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options)
  const { only, seeds, from, seconds, events, json, write, rate } = parsed.values
  if (only !== undefined) checkMutant(only, '--only')
  const chosen = mutants.filter(({ name }) => only === undefined || name === only)
  const out = textStream(json, context)
  const results: Killed[] = []
  const progress = new Progress(out)
  await eachOf(chosen, context.signal, async (mutant) => {
    const { name } = mutant
    const run = { seed: from, seconds }
    const hunted = await inThread(
      'hunt',
      { ...run, seeds, maxEvents: events, mutant: name },
      context.signal,
      name,
    )
    const count = (interleaving: Interleaving): Promise<number> =>
      inThread('countFailing', { ...run, seeds: rate, interleaving }, context.signal, name)
    const rates =
      rate === 0 ? undefined : { random: await count('random'), priorities: await count('priorities') }
    results.push({ mutant, rates, ...hunted })
    progress.write(`${line({ mutant, rates, ...hunted })}\n`)
    progress.show(results.length / chosen.length, `${results.length} of ${chosen.length}`)
  })
  const inOrder = chosen.flatMap(({ name }) => results.filter(({ mutant }) => mutant.name === name))
  const survivors = inOrder.filter(({ found }) => found === undefined)
  out.write(`\n${aligned(rows(inOrder))}\n${summary(inOrder)}`)
  writeJson(json, inOrder, context)
  if (context.signal.aborted) return exitCodes.interrupted
  if (write) keep(inOrder, seconds, rate)
  return survivors.length > 0 ? exitCodes.fail : exitCodes.pass
}

function line({ mutant, found, seeds, seconds }: Killed): string {
  const spent = `${seeds} seeds, ${seconds.toFixed(1)} s`
  if (found === undefined) return `${mutant.name} SURVIVED ${spent}`
  return `${mutant.name}: ${found.failure.invariant} after ${spent}; ${found.drawnSteps} steps became ${found.steps}`
}

const HEADS = ['mutant', 'rule', 'found by', 'seeds', 's', 'steps', 'shrinking, s']
const RATE_HEADS = ['by chance', 'by priorities']

function rows(results: readonly Killed[]): string[][] {
  const body = results.map(({ mutant, found, seeds, seconds, rates }) => [
    mutant.name,
    mutant.source,
    found === undefined ? 'survived' : foundBy(found.failure),
    `${seeds}`,
    seconds.toFixed(1),
    found === undefined ? '' : `${found.steps}`,
    found === undefined ? '' : found.shrinkSeconds.toFixed(0),
    ...(rates === undefined ? [] : [`${rates.random}`, `${rates.priorities}`]),
  ])
  const hasRates = results.some(({ rates }) => rates !== undefined)
  return [hasRates ? [...HEADS, ...RATE_HEADS] : HEADS, ...body]
}

function foundBy({ kind, invariant }: { readonly kind: string; readonly invariant: string }): string {
  if (kind === 'liveness' || kind === invariant) return kind
  return kind === 'crash' ? 'crash' : invariant
}

function summary(results: readonly Killed[]): string {
  const found = results.flatMap((one) => (one.found === undefined ? [] : [one.found]))
  const middle = (values: readonly number[]): number =>
    [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0
  const steps = middle(found.map((one) => one.steps))
  const slowest = Math.max(0, ...found.map(({ shrinkSeconds }) => shrinkSeconds))
  const survivors = results.flatMap(({ mutant, found: one }) => (one === undefined ? [mutant.name] : []))
  const lines = [
    `${found.length} of ${results.length} found; median ${steps} steps; slowest to shrink: ${slowest.toFixed(0)} s`,
  ]
  if (survivors.length > 0) lines.push(`survived: ${survivors.join(' ')}`)
  return `${lines.join('\n')}\n`
}

/** The table for people, and each schedule for the tests that replay it. */
function keep(results: readonly Killed[], seconds: number, rate: number): void {
  const schedules = fileURLToPath(new URL('packages/sim/schedules/', ROOT))
  mkdirSync(schedules, { recursive: true })
  for (const { mutant, found } of results) {
    if (found !== undefined) writeFileSync(join(schedules, `${mutant.name}.json`), found.schedule)
  }
  writeFileSync(fileURLToPath(new URL('docs/mutants.md', ROOT)), document(results, seconds, rate))
}

function document(results: readonly Killed[], seconds: number, rate: number): string {
  return [
    '# What the simulator finds',
    '',
    'Each of these bugs is put into the sources on purpose, one at a time, as a patch that is applied while they are loaded',
    '(`packages/sim/src/mutants`). Then seeds are run until one fails, and that one is made smaller.',
    `Written by \`pnpm troupe sim mutants --write\`, with seeds of ${seconds} virtual s from 1 on. \`seeds\` and \`s\`: how many, and how`,
    'long, until it was found, on one core; `steps`: what the schedule was made smaller to (`packages/sim/schedules`).',
    ...(rate === 0
      ? []
      : [`The last two columns: how many of ${rate} seeds find it, with turns by chance and by priorities.`]),
    '',
    markdownTable(rows(results)),
    '',
    summary(results),
    '## The bugs',
    '',
    ...results.flatMap(({ mutant: { name, rule, slip, source, file } }) => [
      `- **${name}** (\`${file}\`): ${slip}. ${rule} (${source})`,
    ]),
    '',
  ].join('\n')
}
