/** What runs in the worker threads of the engine `sim`. Takes and gives plain values. */
import { type RunBounds, run, type World } from '@troupe/sim'
import { Director } from '../directing/director.ts'
import { EventRecorder } from '../directing/event-recorder.ts'
import { FigureWatch } from '../directing/figure-watch.ts'
import type { CaseRun } from '../engine.ts'
import { EventLog } from '../events/event-log.ts'
import type { OnRunEvent, RunIdentity } from '../events/run-event.ts'
import { boundsOf } from '../scenario/bounds.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { planFor } from './plan-of.ts'
import { SimWorld } from './sim-world.ts'

export interface SimSeeds {
  readonly scenario: Scenario
  readonly seeds: readonly number[]
  /** How many of the last lines a failure brings with it; a single seed that does not fail brings all. 0: none. */
  readonly timelineLines: number
  /** One seed alone, whose event log is written. */
  readonly record?: { readonly file: string; readonly identity: Omit<RunIdentity, 'version'> }
}

/** Who wants to know what happens in a run. */
export interface Listener {
  readonly tell: OnRunEvent
  readonly identity: Omit<RunIdentity, 'version'>
}

/** Runs one seed of a scenario. Deterministic. */
export function runScenarioSeed(
  scenario: Scenario,
  seed: number,
  timelineLines = 0,
  listener?: Listener,
): CaseRun {
  const plan = planFor(scenario, seed)
  const figures = new FigureWatch()
  const director = new Director(scenario, figures)
  const lines: string[] = []
  const onLine = (line: string): void => {
    lines.push(line)
    if (lines.length > 2 * timelineLines) lines.splice(0, timelineLines)
  }
  const recorder = listener && new EventRecorder(listener.tell, () => figures.phase)
  const result = run({
    plan,
    bounds: simBoundsOf(scenario),
    hasMessageIds: listener !== undefined,
    direct: (world) => {
      figures.attach(world)
      if (scenario.cluster?.durability === 'acked-before-flush') neverFlush(world)
      director.direct(new SimWorld(world), world.situations.situations)
      if (listener !== undefined) recorder?.attach(world, listener.identity)
    },
    watchers: [figures, director.watcher, ...(recorder === undefined ? [] : [recorder])],
    ...(timelineLines > 0 && { onLine }),
  })
  const { failure, coverage } = result
  const reason = failure === undefined ? reasonOf(director.aborted, coverage.commits) : undefined
  const verdict = failure !== undefined ? 'fail' : reason !== undefined ? 'unknown' : 'pass'
  recorder?.finish(verdict, failure, reason)
  return {
    seed,
    verdict,
    failure: failure && { invariant: failure.invariant, message: failure.message, atMs: failure.atMs },
    reason,
    events: result.events,
    elapsedMs: result.virtualMs,
    situations: Object.fromEntries(Object.entries(result.situations).filter(([, count]) => count > 0)),
    figures: figures.finish(),
    applied: director.applied,
    skipped: director.skipped,
    isHistoryDecided: coverage.undecidedHistories === 0,
    traceHash: result.traceHash,
    timeline: timelineLines > 0 ? lines.slice(-timelineLines) : undefined,
  }
}

/** Nothing is flushed before it is acknowledged, nor soon after: a crash takes all of it. */
function neverFlush({ nodes }: World): void {
  for (const { disk } of nodes) disk.lyingFrom = disk.log.flushed.lastIndex
}

function simBoundsOf(scenario: Scenario): RunBounds {
  const { linearizable, liveness } = boundsOf(scenario)
  const { convergeWithin: convergeMs, freshReads, freshWrites } = liveness
  return { maxSteps: linearizable.steps, convergeMs, freshReads, freshWrites }
}

function reasonOf(aborted: string | undefined, commits: number): string | undefined {
  return aborted ?? (commits === 0 ? 'nothing was committed' : undefined)
}

/** Of a run that is only looked at. */
const MAX_LINES = 50_000

/** Runs one seed and writes what happens in it. */
function recordSeed(scenario: Scenario, { file, identity }: NonNullable<SimSeeds['record']>): CaseRun {
  const log = new EventLog(file)
  try {
    return runScenarioSeed(scenario, identity.seed, 0, { tell: log.write, identity })
  } finally {
    log.close()
  }
}

/** Runs some seeds, one after the other. */
export function runSeeds({ scenario, seeds, timelineLines, record }: SimSeeds): CaseRun[] {
  if (record !== undefined) return [recordSeed(scenario, record)]
  return seeds.map((seed) => {
    const result = runScenarioSeed(scenario, seed)
    const isWanted = timelineLines > 0 && (result.verdict === 'fail' || seeds.length === 1)
    // The same run again, for its lines: they cost as much as the run itself.
    const lines = result.verdict === 'fail' ? timelineLines : MAX_LINES
    return isWanted ? runScenarioSeed(scenario, seed, lines) : result
  })
}

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default runSeeds
