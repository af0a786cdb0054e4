/** The kill matrix: a file to add to, the same for people, and a schedule for each of the bugs on purpose. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Mutant, mutantNamed, mutants } from '@troupe/sim/mutants'
import { markdownTable } from '../output.ts'
import { keptProofs, type Proof } from '../run/proofs-file.ts'
import type { Hunt } from './worker.ts'

const inCheckout = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))
const TABLE = 'docs/mutants.json'
const TABLE_FOR_PEOPLE = 'docs/mutants.md'
const SCHEDULES = 'packages/sim/schedules'

/** How one of them was found. */
export interface Killed {
  readonly name: string
  /** An invariant, `liveness`, or `crash` where the code noticed by itself; undefined where it has survived. */
  readonly foundBy: string | undefined
  /** Seeds run until it was found, or in all; and the time of that. */
  readonly seeds: number
  readonly seconds: number
  /** Steps of the schedule that is left, and of the run that it was made of. */
  readonly steps: number
  readonly drawnSteps: number
  readonly shrinkSeconds: number
  /** Of how many seeds how many find it, by either interleaving. */
  readonly rates: Rates | undefined
}

export interface Rates {
  readonly seeds: number
  readonly random: number
  readonly priorities: number
}

export function killedBy(name: string, { seeds, seconds, found }: Hunt, rates: Rates | undefined): Killed {
  const { failure, steps = 0, drawnSteps = 0, shrinkSeconds = 0 } = found ?? {}
  const foundBy = failure?.kind === 'invariant' ? failure.invariant : failure?.kind
  return { name, foundBy, seeds, seconds, steps, drawnSteps, shrinkSeconds, rates }
}

export function describeKilled({ name, foundBy, seeds, seconds, steps, drawnSteps }: Killed): string {
  const spent = `${seeds} seeds, ${seconds.toFixed(1)} s`
  if (foundBy === undefined) return `${name} SURVIVED ${spent}`
  return `${name}: ${foundBy} after ${spent}; ${drawnSteps} steps became ${steps}`
}

/** In the order of the list of mutants; what is in there no more is left out. */
export function inOrderOfMutants(results: readonly Killed[]): Killed[] {
  return mutants.flatMap(({ name }) => results.filter((killed) => killed.name === name).slice(-1))
}

export function keepSchedule(name: string, schedule: string): void {
  mkdirSync(inCheckout(SCHEDULES), { recursive: true })
  writeFileSync(inCheckout(`${SCHEDULES}/${name}.json`), schedule)
}

/** Puts `results` into the table, in the place of what it said of them before. */
export function keepTable(results: readonly Killed[]): void {
  const path = inCheckout(TABLE)
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Killed[]) : []
  const all = inOrderOfMutants([...before, ...results])
  writeFileSync(path, `${JSON.stringify(all, undefined, 2)}\n`)
  writeFileSync(inCheckout(TABLE_FOR_PEOPLE), document(all))
}

/** Rows of a table, the first with its heads. */
export function rowsOf(all: readonly Killed[]): string[][] {
  const heads = [
    'mutant',
    'rule',
    'found by',
    'seeds',
    's',
    'steps',
    'shrinking, s',
    'by chance',
    'by priorities',
  ]
  const body = all.map((killed) => [
    killed.name,
    mutantNamed(killed.name)?.source ?? '',
    killed.foundBy ?? 'survived',
    `${killed.seeds}`,
    killed.seconds.toFixed(1),
    killed.foundBy === undefined ? '' : `${killed.steps}`,
    killed.foundBy === undefined ? '' : killed.shrinkSeconds.toFixed(0),
    share(killed.rates, 'random'),
    share(killed.rates, 'priorities'),
  ])
  // Without a column that says nothing.
  const width = all.some(({ rates }) => rates !== undefined) ? heads.length : heads.length - 2
  return [heads, ...body].map((row) => row.slice(0, width))
}

const share = (rates: Rates | undefined, interleaving: 'random' | 'priorities'): string =>
  rates === undefined ? '' : `${Math.round((100 * rates[interleaving]) / rates.seeds)} %`

export function summaryOf(all: readonly Killed[]): string {
  const found = all.filter(({ foundBy }) => foundBy !== undefined)
  const survivors = all.filter(({ foundBy }) => foundBy === undefined)
  const steps = found.map((killed) => killed.steps).sort((left, right) => left - right)
  const slowest = Math.max(0, ...found.map(({ shrinkSeconds }) => shrinkSeconds))
  const lines = [
    `${found.length} of ${all.length} found. Steps: median ${steps[steps.length >> 1] ?? 0}, most ${steps.at(-1) ?? 0}.` +
      ` Slowest to make smaller: ${slowest.toFixed(0)} s.`,
  ]
  if (survivors.length > 0) lines.push(`Survived: ${survivors.map(({ name }) => name).join(' ')}`)
  return `${lines.join('\n')}\n`
}

/** Rows are scenarios: each with the bugs on purpose that it was shown to find. */
function scenarioSection(proofs: readonly Proof[]): string[] {
  const bySlip = proofs.filter(({ slip, isProven }) => slip !== undefined && isProven)
  if (bySlip.length === 0) return []
  const rows = bySlip.map(({ name, slip = '', how, runs }) => [name, slip, how, `${runs}`])
  return [
    '## Scenarios that find them',
    '',
    'From `docs/scenario-proofs.json` ([what breaks each scenario](scenario-proofs.md)): runs of the scenario until one failed.',
    '',
    markdownTable([['scenario', 'mutant', 'found by', 'runs'], ...rows]),
    '',
  ]
}

function document(all: readonly Killed[]): string {
  const bug = ({ name, rule, slip, source, file }: Mutant): string =>
    `- **${name}** (\`${file}\`): ${slip}. Breaks: ${rule} (${source})`
  return [
    '# What the simulator finds',
    '',
    'Each of these bugs is put into the sources on purpose, one at a time, as a patch that is applied while they are loaded',
    '(`packages/sim/src/mutants`). Then seeds are run until one fails, and that one is made smaller. Written by',
    '`pnpm troupe sim mutants --write`.',
    '',
    '- _seeds_, _s_: how many it took, of 10 virtual s each from seed 1 on, and how long on one core',
    '- _steps_: what is left in the schedule (`packages/sim/schedules`); 0: it fails though nothing at all is done',
    '- _by chance_, _by priorities_: how many of a number of seeds find it, by either order of turns',
    '',
    markdownTable(rowsOf(all)),
    '',
    summaryOf(all),
    ...scenarioSection(keptProofs()),
    '## The bugs',
    '',
    ...mutants.map(bug),
    '',
  ].join('\n')
}
