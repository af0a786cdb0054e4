import { type Plan, type PlanOptions, planOf } from './plan.ts'
import { type Run, run } from './run.ts'

export interface RunOptions extends PlanOptions {
  /** Told of every line of the trace. */
  readonly trace?: ((line: string) => void) | undefined
  /** Whether a failure brings the last lines before it with it, by running the seed once more. */
  readonly timeline?: boolean | undefined
}

/** What the run of a seed came to. */
export interface RunResult extends Run {
  readonly seed: number
  /** The last lines before a failure, where they were asked for. */
  readonly timeline: readonly string[] | undefined
  /** What to type to see it again. */
  readonly reproduce: string
}

const TIMELINE_LINES = 400

/** Runs one seed. Deterministic. */
export function runSeed(options: RunOptions): RunResult {
  const plan = planOf(options)
  const result = run({ plan, onLine: options.trace })
  return {
    ...result,
    seed: plan.seed,
    timeline: options.timeline && result.failure !== undefined ? lastLines(plan) : undefined,
    reproduce: reproduceLine(options),
  }
}

/** The same run again, for its lines. */
function lastLines(plan: Plan): string[] {
  const lines: string[] = []
  const onLine = (line: string): void => {
    lines.push(line)
    if (lines.length > 2 * TIMELINE_LINES) lines.splice(0, TIMELINE_LINES)
  }
  run({ plan, onLine })
  return lines.slice(-TIMELINE_LINES)
}

/** One line for a shell. */
export function reproduceLine({
  seed,
  nodes,
  seconds,
  exceedBudget,
  interleaving,
  calm,
  workload,
  topology = 'mesh',
}: PlanOptions): string {
  const parts = [`pnpm troupe sim --seed ${seed}`]
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`)
  if (seconds !== undefined) parts.push(`--seconds ${seconds}`)
  if (exceedBudget) parts.push('--exceed-budget')
  if (calm) parts.push('--calm')
  if (workload === 'queue') parts.push('--workload queue')
  if (interleaving === 'priorities') parts.push('--interleaving priorities')
  if (topology !== 'mesh') parts.push(`--topology ${topology}`)
  return `${parts.join(' ')} --timeline`
}
