import { checkLinearizability, kvModel, type Verdict } from '@troupe/check'
import type { Coverage } from './coverage.ts'
import { type Plan, type PlanOptions, planOf } from './plan.ts'
import { type Failure, World } from './world.ts'

export interface RunOptions extends PlanOptions {
  /** Told of every line of the trace. */
  readonly trace?: ((line: string) => void) | undefined
  /** Whether a failure brings the last lines before it with it, by running the seed once more. */
  readonly timeline?: boolean | undefined
}

/** What a run came to. */
export interface RunResult {
  readonly seed: number
  /** `unknown`: nothing was committed. */
  readonly verdict: Verdict
  /** Events of the simulation. */
  readonly events: number
  readonly virtualMs: number
  readonly coverage: Coverage
  readonly failure: Omit<Failure, 'stack'> | undefined
  /** Of everything that happened: the same for the same seed. */
  readonly traceHash: string
  /** The last lines before a failure, where they were asked for. */
  readonly timeline: readonly string[] | undefined
  /** What to type to see it again. */
  readonly reproduce: string
}

const TIMELINE_LINES = 400
/**
 * Of the search for an order of the history. Where they do not suffice nothing is lost: the order of the log is one, and the
 * oracle has held every answer against it.
 */
const MAX_STEPS = 500_000

/** Runs one seed from its beginning to its end, or to its first failure. Deterministic. */
export function runSeed(options: RunOptions): RunResult {
  const plan = planOf(options)
  const world = new World(plan, options.trace)
  while (world.step());
  const verdict = judge(world)
  const { failure } = world
  return {
    seed: plan.seed,
    verdict,
    events: world.scheduler.steps,
    virtualMs: world.nowMs,
    coverage: world.coverage,
    failure: failure === undefined ? undefined : withoutStack(failure),
    traceHash: world.trace.hash,
    timeline: options.timeline && failure !== undefined ? lastLines(plan) : undefined,
    reproduce: reproduceLine(options),
  }
}

function judge(world: World): Verdict {
  if (world.failure !== undefined) return 'fail'
  const result = checkLinearizability(kvModel, world.history.operations(), {
    maxStepsPerPartition: MAX_STEPS,
  })
  if (result.failure !== undefined) {
    const { partition, blocked } = result.failure
    const message = `the history of ${partition} is not linearizable: ${JSON.stringify(blocked)}`
    const { nowMs: atMs, scheduler } = world
    const invariant = 'linearizability'
    world.failure = { kind: 'invariant', invariant, message, atMs, event: scheduler.steps, stack: undefined }
  }
  if (result.verdict === 'unknown') world.coverage.undecidedHistories++
  if (result.verdict === 'fail') return 'fail'
  return world.coverage.commits === 0 ? 'unknown' : 'pass'
}

function withoutStack({ stack: _, ...rest }: Failure): Omit<Failure, 'stack'> {
  return rest
}

/** The same run again, for its lines. */
function lastLines(plan: Plan): string[] {
  const lines: string[] = []
  const world = new World(plan, (line) => {
    lines.push(line)
    if (lines.length > 2 * TIMELINE_LINES) lines.splice(0, TIMELINE_LINES)
  })
  while (world.step());
  return lines.slice(-TIMELINE_LINES)
}

/** One line for a shell. */
export function reproduceLine({ seed, nodes, seconds, exceedBudget }: PlanOptions): string {
  const parts = [`pnpm troupe sim --seed ${seed}`]
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`)
  if (seconds !== undefined) parts.push(`--seconds ${seconds}`)
  if (exceedBudget) parts.push('--exceed-budget')
  return `${parts.join(' ')} --timeline`
}
