/**
 * A run as a file: the plan, as far as it differs from the plainest one, and every step on a line of its own. What is not
 * written is as it always is: frames take the same time, nothing is asked for, nothing goes wrong.
 */
import { invalidOption, overlayTopologies, resolveRaftKnobs } from '@troupe/core'
import { checkStep } from './check-step.ts'
import { interleavings, type Plan, plainPlan } from './plan.ts'
import type { Run } from './run.ts'
import type { Step } from './step.ts'
import type { Failure } from './world.ts'

/** What makes two failures the same. */
export type FailureKind = Pick<Failure, 'kind' | 'invariant'>

export interface Schedule {
  readonly plan: Plan
  /** In the order of time. */
  readonly steps: readonly Step[]
  /** A bug of the table of mutants that it needs to fail; none: it is about the code as it is. */
  readonly mutant?: string | undefined
  /** How it fails, or failed when it was written. */
  readonly fails?: FailureKind | undefined
}

const FORMAT = 1

/** Whether a run failed in this way. */
export function failsAs({ failure }: Run, kind: FailureKind): boolean {
  return failure?.kind === kind.kind && failure.invariant === kind.invariant
}

/** The file of a schedule: JSON, one line for each step. */
export function printSchedule({ plan, steps, mutant, fails }: Schedule): string {
  const head = { format: FORMAT, mutant, fails, plan: difference(plan, plainPlan) }
  const text = JSON.stringify(head, undefined, 2).slice(0, -2)
  const lines = steps.map((step) => `    ${JSON.stringify(step)}`)
  return `${text},\n  "steps": [\n${lines.join(',\n')}\n  ]\n}\n`
}

/**
 * Reads the file of a schedule.
 * @throws RaftError INVALID_OPTIONS that names the field, its value and what is expected
 */
export function parseSchedule(text: string): Schedule {
  const file = parseJson(text)
  if (!isRecord(file)) throw invalidOption('schedule', file, 'an object')
  if (file.format !== FORMAT) throw invalidOption('format', file.format, `${FORMAT}`)
  const { plan = {}, steps, mutant, fails } = file
  if (!isRecord(plan)) throw invalidOption('plan', plan, 'an object')
  if (!Array.isArray(steps)) throw invalidOption('steps', steps, 'a list')
  if (mutant !== undefined && typeof mutant !== 'string') throw invalidOption('mutant', mutant, 'a name')
  let lastMs = 0
  steps.forEach((step: unknown, index) => {
    lastMs = checkStep(step, `steps[${index}]`, lastMs)
  })
  return {
    plan: checkPlan(together({ ...plainPlan }, plan, 'plan') as unknown as Plan),
    steps: steps as Step[],
    mutant,
    fails: fails === undefined ? undefined : checkFails(fails),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalidOption('schedule', text.slice(0, 40), `JSON (${(error as Error).message})`)
  }
}

function checkPlan(plan: Plan): Plan {
  const { voters, knobs, interleaving, topology } = plan
  if (!Number.isSafeInteger(voters) || voters < 1) throw invalidOption('plan.voters', voters, 'at least 1')
  if (!interleavings.includes(interleaving)) {
    throw invalidOption('plan.interleaving', interleaving, interleavings.join(' or '))
  }
  if (!overlayTopologies.includes(topology)) {
    throw invalidOption('plan.topology', topology, overlayTopologies.join(', '))
  }
  return { ...plan, knobs: resolveRaftKnobs(knobs) }
}

function checkFails(fails: unknown): FailureKind {
  const { kind, invariant } = isRecord(fails) ? fails : {}
  if (kind !== 'invariant' && kind !== 'crash' && kind !== 'liveness') {
    throw invalidOption('fails.kind', kind, 'invariant, crash or liveness')
  }
  if (typeof invariant !== 'string') throw invalidOption('fails.invariant', invariant, 'a name')
  return { kind, invariant }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields of `value` that are not as in `plain`, and of its records likewise. */
function difference(value: object, plain: object): Record<string, unknown> {
  const different: Record<string, unknown> = {}
  for (const [name, mine] of Object.entries(value)) {
    const theirs = (plain as Record<string, unknown>)[name]
    if (isRecord(mine) && isRecord(theirs)) {
      const inner = difference(mine, theirs)
      if (Object.keys(inner).length > 0) different[name] = inner
    } else if (JSON.stringify(mine) !== JSON.stringify(theirs)) different[name] = mine
  }
  return different
}

/** `plain` with what `different` has in its place; every field must be one that `plain` has, of its type. */
function together(
  plain: Record<string, unknown>,
  different: Record<string, unknown>,
  path: string,
): Record<string, unknown> {
  const whole: Record<string, unknown> = { ...plain }
  for (const [name, theirs] of Object.entries(different)) {
    const mine = whole[name]
    const place = `${path}.${name}`
    if (!Object.hasOwn(whole, name))
      throw invalidOption(place, theirs, `one of ${Object.keys(plain).join(', ')}`)
    if (isRecord(mine) && isRecord(theirs)) whole[name] = together(mine, theirs, place)
    else if (typeof mine === typeof theirs && Array.isArray(mine) === Array.isArray(theirs))
      whole[name] = theirs
    else throw invalidOption(place, theirs, `something like ${JSON.stringify(mine)}`)
  }
  return whole
}
