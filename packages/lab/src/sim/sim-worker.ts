/** What runs in the worker threads of the engine `sim`. Takes and gives plain values. */
import { run } from '@troupe/sim'
import type { CaseRun } from '../engine.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { Director } from './director.ts'
import { FigureWatch } from './figure-watch.ts'
import { planFor } from './plan-of.ts'

export interface SimSeeds {
  readonly scenario: Scenario
  readonly seeds: readonly number[]
  /** How many of the last lines a failure brings with it; a single seed that does not fail brings all. 0: none. */
  readonly timelineLines: number
}

/** Runs one seed of a scenario. Deterministic. */
export function runScenarioSeed(scenario: Scenario, seed: number, timelineLines = 0): CaseRun {
  const plan = planFor(scenario, seed)
  const figures = new FigureWatch()
  const director = new Director(scenario, figures)
  const lines: string[] = []
  const onLine = (line: string): void => {
    lines.push(line)
    if (lines.length > 2 * timelineLines) lines.splice(0, timelineLines)
  }
  const result = run({
    plan,
    direct: (world) => director.direct(world),
    watchers: [figures, director.watcher],
    ...(timelineLines > 0 && { onLine }),
  })
  const { failure, coverage } = result
  const reason = failure === undefined ? reasonOf(director.aborted, coverage.commits) : undefined
  return {
    seed,
    verdict: failure !== undefined ? 'fail' : reason !== undefined ? 'unknown' : 'pass',
    failure: failure && { invariant: failure.invariant, message: failure.message, atMs: failure.atMs },
    reason,
    events: result.events,
    elapsedMs: result.virtualMs,
    situations: Object.fromEntries(Object.entries(result.situations).filter(([, count]) => count > 0)),
    figures: figures.finish(result.situations['split vote'] ?? 0),
    applied: director.applied,
    skipped: director.skipped,
    isHistoryDecided: coverage.undecidedHistories === 0,
    traceHash: result.traceHash,
    timeline: timelineLines > 0 ? lines.slice(-timelineLines) : undefined,
  }
}

function reasonOf(aborted: string | undefined, commits: number): string | undefined {
  return aborted ?? (commits === 0 ? 'nothing was committed' : undefined)
}

/** Of a run that is only looked at. */
const MAX_LINES = 50_000

/** Runs some seeds, one after the other. */
export function runSeeds({ scenario, seeds, timelineLines }: SimSeeds): CaseRun[] {
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
