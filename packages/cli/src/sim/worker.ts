/** What runs in the worker threads of `troupe sim`. Each function takes and gives plain values. */
import {
  type Drawn,
  failsAs,
  type PlanOptions,
  parseSchedule,
  planOf,
  printSchedule,
  type Run,
  type RunResult,
  run,
  runSeed,
  type Shrunk,
  scheduleOf,
  shrink,
} from '@troupe/sim'

export interface SimTask extends PlanOptions {
  /** Run it twice, and compare the traces. */
  readonly checkDeterminism: boolean
  /** Whether a failure brings the last lines before it with it. */
  readonly timeline?: boolean | undefined
}

export interface SimTaskResult extends RunResult {
  /** Whether the second run did exactly what the first one did; true where there was none. */
  readonly isDeterministic: boolean
}

/** Runs one seed, twice where its determinism is to be checked too. */
export function runTask({ checkDeterminism, ...options }: SimTask): SimTaskResult {
  const result = runSeed(options)
  if (!checkDeterminism) return { ...result, isDeterministic: true }
  const again = runSeed(options)
  const isDeterministic = again.traceHash === result.traceHash && again.events === result.events
  return { ...result, isDeterministic, verdict: isDeterministic ? result.verdict : 'fail' }
}

/** Seeds until one fails, which is then made smaller. */
export interface HuntTask extends PlanOptions {
  /** How many, from `seed` on. */
  readonly seeds: number
  /** Events that making it smaller may take; 0: it stays as it is. */
  readonly maxEvents: number
  readonly mutant?: string | undefined
}

export interface Hunt {
  /** Seeds until the first that failed, with it. */
  readonly seeds: number
  readonly seconds: number
  readonly found: Found | undefined
}

export interface Found {
  readonly seed: number
  readonly failure: NonNullable<Run['failure']>
  /** Steps that the seed drew until it failed, and how many were left. */
  readonly drawnSteps: number
  readonly steps: number
  readonly tries: number
  readonly shrinkSeconds: number
  /** The file of the schedule. */
  readonly schedule: string
}

const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1000

/** What is small enough for a reader. */
const FEW_STEPS = 20
/** Failing seeds that are made smaller, while none has become small enough. */
const ATTEMPTS = 3

/** Looks for a failing seed, and for the smallest schedule that fails like it or like the next ones. */
export function hunt({ seeds, maxEvents, mutant, ...options }: HuntTask): Hunt {
  const startMs = performance.now()
  let first: Pick<Hunt, 'seeds' | 'seconds'> | undefined
  let best: Found | undefined
  for (let count = 1, attempts = 0; count <= seeds && attempts < ATTEMPTS; count++) {
    const seed = options.seed + count - 1
    const drawn = scheduleOf(planOf({ ...options, seed }))
    if (drawn === undefined) continue
    attempts++
    first ??= { seeds: count, seconds: secondsSince(startMs) }
    const found = made(smaller(drawn, maxEvents, mutant), seed)
    if (best === undefined || found.steps < best.steps) best = found
    if (best.steps <= FEW_STEPS || maxEvents === 0) break
  }
  return { seeds, seconds: secondsSince(startMs), ...first, found: best }
}

function smaller(
  drawn: Drawn,
  maxEvents: number,
  mutant: string | undefined,
): [Drawn, Shrunk, seconds: number] {
  const startMs = performance.now()
  return [drawn, shrink({ ...drawn.schedule, mutant }, { maxEvents }), secondsSince(startMs)]
}

function made([drawn, { schedule, tries }, shrinkSeconds]: ReturnType<typeof smaller>, seed: number): Found {
  return {
    seed,
    failure: drawn.failure,
    drawnSteps: drawn.schedule.steps.length,
    steps: schedule.steps.length,
    tries,
    shrinkSeconds,
    schedule: printSchedule(schedule),
  }
}

/** How many of `seeds` seeds, from `seed` on, fail. */
export function countFailing({ seeds, ...options }: Omit<HuntTask, 'maxEvents' | 'mutant'>): number {
  let failing = 0
  for (let seed = options.seed; seed < options.seed + seeds; seed++) {
    if (runSeed({ ...options, seed }).verdict === 'fail') failing++
  }
  return failing
}

export interface ReplayTask {
  /** The file of a schedule. */
  readonly schedule: string
  /** Whether lines of the trace are wanted. */
  readonly timeline: boolean
}

export interface Replay {
  readonly run: Run
  /** Whether it failed as the file says; undefined where that says nothing. */
  readonly failsAsSaid: boolean | undefined
  readonly lines: readonly string[]
}

/** Runs a schedule. */
export function replay({ schedule: text, timeline }: ReplayTask): Replay {
  const schedule = parseSchedule(text)
  const lines: string[] = []
  const onLine = timeline ? (line: string): void => void lines.push(line) : undefined
  const result = run({ plan: schedule.plan, steps: schedule.steps, onLine })
  const failsAsSaid = schedule.fails === undefined ? undefined : failsAs(result, schedule.fails)
  return { run: result, failsAsSaid, lines }
}

/** By their names, for threads that load them late. */
export const tasks = { runTask, hunt, countFailing, replay } as const

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default runTask
