/** Runs cases on an engine and judges them. What the engine cannot do is an error before anything runs. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { combineVerdicts, type Verdict } from '@troupe/check'
import { invalidOption } from '@troupe/core'
import type { Asserted, Assertion } from './assertion.ts'
import { type Summary, summaryOf } from './assertions/statistics.ts'
import type { CaseRun, Engine, RunNow } from './engine.ts'
import { figureNames } from './figures.ts'
import { judge } from './judge.ts'
import type { Loaded } from './load-files.ts'
import { columnsOf, type TableRow, tableRowOf } from './reports/fault-tables.ts'
import { assertionsOf } from './scenario/assertions-of.ts'
import { onEngine } from './scenario/knobs.ts'
import { type PlacedProblem, ScenarioError } from './scenario/problems.ts'
import type { Case } from './scenario/read-scenario.ts'

/** A run that is worth looking at. */
export interface ShownRun {
  readonly run: CaseRun
  readonly eventLog: string
  readonly reproduce: string
}

/** How far a suite is. */
export interface SuiteProgress {
  readonly cases: number
  readonly ofCases: number
  readonly runs: number
  readonly ofRuns: number
  readonly failed: number
  readonly unknown: number
  /** What goes on now, one for each case that does. */
  readonly now: readonly string[]
}

/** What a case came to. */
export interface CaseResult {
  readonly file: string
  readonly name: string
  readonly engine: string
  readonly source: string | undefined
  readonly about: string | undefined
  readonly verdict: Verdict
  readonly asserted: readonly Asserted[]
  readonly seeds: { readonly base: number; readonly runs: number }
  readonly runs: number
  readonly failed: number
  readonly unknown: number
  readonly events: number
  readonly elapsedMs: number
  readonly wallMs: number
  /** In how many runs each situation was reached. */
  readonly situations: Readonly<Record<string, number>>
  readonly figures: Readonly<Record<string, Summary>>
  readonly applied: number
  readonly skipped: number
  /** The first run that failed, or that shows nothing. */
  readonly example: CaseRun | undefined
  /** What was looked at in every run; undefined where the engine does not say. */
  readonly invariants: readonly string[] | undefined
  /** The first run, and those that failed or show nothing, where event logs were asked for: each has its own. */
  readonly shown: readonly ShownRun[]
  readonly reproduce: string
  /** What it shows in the table of its file. */
  readonly tableRow: TableRow | undefined
}

export interface SuiteResult {
  readonly verdict: Verdict
  readonly cases: readonly CaseResult[]
  readonly wallMs: number
}

export interface SuiteOptions {
  /** By their names; those of plug-ins come beside them. */
  readonly engines: readonly Engine[]
  /** Which engine runs it all. @default sim */
  readonly engine: string
  readonly runs?: number | undefined
  readonly base?: number | undefined
  readonly timeline?: boolean | undefined
  readonly signal: AbortSignal
  /** Cases at the same time. @default 2 */
  readonly atOnce?: number | undefined
  /** The folder for event logs: of the first run of each case, and of those that failed or show nothing. */
  readonly eventLogFolder?: string | undefined
  /** Whether every run has one. @default false */
  readonly hasAllEventLogs?: boolean | undefined
  readonly onProgress?: (progress: SuiteProgress) => void
  readonly onRun?: (item: Case, engine: string, run: CaseRun) => void
  readonly onNow?: (item: Case, engine: string, now: RunNow) => void
  readonly onCase?: (result: CaseResult, done: number, of: number) => void
}

/** What is to be run where. */
interface Planned extends Loaded {
  readonly engine: Engine
}

/** Runs a suite; its cases in the order of the files. @throws ScenarioError, RaftError INVALID_OPTIONS */
export async function runSuite(loaded: readonly Loaded[], options: SuiteOptions): Promise<SuiteResult> {
  const startMs = performance.now()
  const planned = planFor(loaded, options)
  const columns = columnsOf(planned.map(({ item }) => item.scenario))
  const results: CaseResult[] = []
  const queue = planned.entries()
  const tally = new Tally(planned, options)
  const work = async (): Promise<void> => {
    for (const [at, one] of queue) {
      if (options.signal.aborted) return
      results[at] = await runCase(one, at, tally, options, columns)
      options.onCase?.(results[at], results.filter(Boolean).length, planned.length)
    }
  }
  await Promise.all(Array.from({ length: options.atOnce ?? 2 }, work))
  const cases = results.filter(Boolean)
  const verdict = combineVerdicts(cases.map((one) => one.verdict))
  return { verdict, cases, wallMs: performance.now() - startMs }
}

/** Finds the engines, and what they cannot do. Cases for other engines are left out. */
function planFor(loaded: readonly Loaded[], { engines, engine: name }: SuiteOptions): Planned[] {
  const problems: PlacedProblem[] = []
  const planned = loaded.flatMap((one): Planned[] => {
    const { item, assertions } = one
    const known = [...engines, ...one.engines]
    const wanted = item.scenario.engine ?? ['sim']
    for (const [at, each] of wanted.entries()) {
      if (known.some((engine) => engine.name === each) || engineNames.includes(each)) continue
      const expected = `one of ${[...engineNames, ...one.engines.map((engine) => engine.name)].join(', ')}`
      problems.push(item.place({ path: ['engine', at], value: each, expected }))
    }
    problems.push(...missingAssertions(item, assertions))
    if (!wanted.includes(name)) return []
    const engine = known.find((candidate) => candidate.name === name)
    if (engine === undefined)
      throw invalidOption('--engine', name, `one of ${known.map((k) => k.name).join(', ')}`)
    problems.push(...engine.unable(item).map((problem) => item.place(problem)))
    return [{ ...one, item: { ...item, scenario: onEngine(item.scenario, name) }, engine }]
  })
  if (problems.length > 0) throw new ScenarioError(problems)
  if (planned.length === 0) throw invalidOption('--engine', name, 'an engine that one of the cases names')
  return planned
}

/** The engines that files may name, also where this one is not asked for now. */
export const engineNames: readonly string[] = ['sim', 'threads', 'tcp']

function missingAssertions(item: Case, custom: readonly Assertion[]): PlacedProblem[] {
  const known = custom.map(({ name }) => name).join(', ')
  const expected = known === '' ? 'an assertion of a plug-in: there is none' : `one of ${known}`
  return [...assertionsOf(item.scenario)].flatMap(({ spec, path }) => {
    if (!('custom' in spec) || custom.some(({ name }) => name === spec.custom.name)) return []
    return [item.place({ path: [...path, 'custom', 'name'], value: spec.custom.name, expected })]
  })
}

/** Which seeds of a case are run. */
function seedsOf({ item, engine }: Planned, options: Pick<SuiteOptions, 'base' | 'runs'>) {
  const { seeds = {} } = item.scenario
  const base = options.base ?? seeds.base ?? engine.defaultSeeds.base
  return { base, count: options.runs ?? seeds.runs ?? engine.defaultSeeds.runs }
}

/** Counts what is done, for whoever waits. */
class Tally {
  readonly #options: SuiteOptions
  readonly #ofCases: number
  readonly #ofRuns: number
  readonly #now = new Map<Case, string>()
  readonly #counts = { cases: 0, runs: 0, failed: 0, unknown: 0 }

  constructor(planned: readonly Planned[], options: SuiteOptions) {
    this.#options = options
    this.#ofCases = planned.length
    this.#ofRuns = sum(planned, (one) => seedsOf(one, options).count)
  }

  ran(run: CaseRun, item: Case, text: string): void {
    this.#counts.runs++
    if (run.verdict === 'fail' && !isAsItShould(item, run)) this.#counts.failed++
    if (run.verdict === 'unknown') this.#counts.unknown++
    this.says(item, text)
  }

  says(item: Case, text: string): void {
    this.#now.set(item, `${item.name}: ${text}`)
    this.#tell()
  }

  ended(item: Case): void {
    this.#now.delete(item)
    this.#counts.cases++
    this.#tell()
  }

  #tell(): void {
    const [ofCases, ofRuns] = [this.#ofCases, this.#ofRuns]
    this.#options.onProgress?.({ ...this.#counts, ofCases, ofRuns, now: [...this.#now.values()] })
  }
}

async function runsOf(planned: Planned, tally: Tally, options: SuiteOptions): Promise<CaseRun[]> {
  const { item, engine } = planned
  const { base, count } = seedsOf(planned, options)
  const runs: CaseRun[] = []
  await engine.run({
    item,
    seeds: Array.from({ length: count }, (_, at) => base + at),
    timeline: options.timeline ?? false,
    signal: options.signal,
    eventLogFolder: options.eventLogFolder,
    onRun: (run) => {
      runs.push(run)
      options.onRun?.(item, engine.name, run)
      tally.ran(run, item, `${runs.length} of ${count} runs`)
    },
    onNow: (now) => {
      options.onNow?.(item, engine.name, now)
      tally.says(item, `run ${runs.length + 1} of ${count}, ${now.text}`)
    },
  })
  return runs.sort((left, right) => left.seed - right.seed)
}

/** Passed, or failed in the way in which it has to. */
function isAsItShould({ scenario: { expect } }: Case, { verdict, failure }: CaseRun): boolean {
  return (
    verdict === 'pass' || (verdict === 'fail' && expect?.fail.includes(failure?.invariant ?? '') === true)
  )
}

/** More runs of one case that do not hold are more of the same. */
const MOST_SHOWN = 10

/** The runs that a reader looks at, each with its event log. */
async function shownOf(
  { item, engine }: Planned,
  at: number,
  runs: readonly CaseRun[],
  { eventLogFolder: folder, hasAllEventLogs = false, signal }: SuiteOptions,
): Promise<readonly ShownRun[]> {
  if (folder === undefined) return []
  const odd = runs.filter((run) => !isAsItShould(item, run)).slice(0, MOST_SHOWN)
  const broken = runs.filter(({ verdict }) => verdict === 'fail').slice(0, 1)
  const wanted = [...new Set([...odd, ...broken, ...runs.slice(0, 1)])]
  const shown: ShownRun[] = []
  for (const run of hasAllEventLogs ? runs : wanted) {
    if (signal.aborted) break
    let { eventLog } = run
    if (engine.record !== undefined) {
      eventLog = join(folder, `${fileNameOf(item.name, at)}-${run.seed}.ndjson`)
      await engine.record(item, run.seed, eventLog)
    }
    if (eventLog === undefined || !wanted.includes(run)) continue
    shown.push({ run, eventLog, reproduce: engine.reproduce(item, run.seed) })
  }
  for (const { eventLog } of hasAllEventLogs ? [] : runs) {
    if (eventLog !== undefined && !shown.some((one) => one.eventLog === eventLog)) rmSync(eventLog)
  }
  return shown
}

/** Unique within a suite, and readable. */
function fileNameOf(name: string, at: number): string {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return [`${at + 1}`.padStart(3, '0'), ...words].join('-').slice(0, 80)
}

async function runCase(
  planned: Planned,
  at: number,
  tally: Tally,
  options: SuiteOptions,
  columns: ReturnType<typeof columnsOf>,
): Promise<CaseResult> {
  const { item, engine, assertions } = planned
  const startMs = performance.now()
  const { base, count } = seedsOf(planned, options)
  const runs = await runsOf(planned, tally, options)
  const { verdict, asserted } = judge(item, runs, assertions)
  const { file, name } = item
  const { source, about } = item.scenario
  const example = exampleOf(runs, options.timeline ?? false)
  const shown = await shownOf(planned, at, runs, options)
  tally.ended(item)
  return {
    ...{ file, name, source, about, engine: engine.name, verdict, asserted },
    seeds: { base, runs: count },
    runs: runs.length,
    failed: runs.filter((run) => run.verdict === 'fail').length,
    unknown: runs.filter((run) => run.verdict === 'unknown').length,
    events: sum(runs, ({ events }) => events),
    elapsedMs: sum(runs, ({ elapsedMs }) => elapsedMs),
    wallMs: performance.now() - startMs,
    situations: situationsOf(runs),
    figures: figuresOf(runs),
    applied: sum(runs, ({ applied }) => applied),
    skipped: sum(runs, ({ skipped }) => skipped),
    ...{ example, invariants: engine.invariants, shown },
    reproduce: engine.reproduce(item, example?.seed ?? base),
    tableRow: tableRowOf(item.scenario, item.row, runs, columns),
  }
}

const sum = <One>(all: readonly One[], of: (one: One) => number): number =>
  all.reduce((so, one) => so + of(one), 0)

function exampleOf(runs: readonly CaseRun[], isWanted: boolean): CaseRun | undefined {
  const odd =
    runs.find(({ verdict }) => verdict === 'fail') ?? runs.find(({ verdict }) => verdict === 'unknown')
  return odd ?? (isWanted ? runs[0] : undefined)
}

function situationsOf(runs: readonly CaseRun[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of runs.flatMap(({ situations }) => Object.keys(situations)))
    counts[name] = (counts[name] ?? 0) + 1
  return counts
}

function figuresOf(runs: readonly CaseRun[]): Record<string, Summary> {
  return Object.fromEntries(
    figureNames.flatMap((name) => {
      const summary = summaryOf(runs.flatMap(({ figures }) => figures[name] ?? []))
      return summary === undefined ? [] : [[name, summary]]
    }),
  )
}
