import type { Verdict } from '@troupe/check'
import type { Figures } from './figures.ts'
import type { Case } from './scenario/read-scenario.ts'
import type { Problem } from './schema/schema.ts'

/** What one run of a case came to. */
export interface CaseRun {
  readonly seed: number
  /** `unknown`: it did not do the work it should have, or its history could not be decided. */
  readonly verdict: Verdict
  /** What broke; undefined where nothing did. */
  readonly failure: RunFailure | undefined
  /** Why it is unknown. */
  readonly reason: string | undefined
  readonly events: number
  /** In the time of the engine, which may be virtual. */
  readonly elapsedMs: number
  /** How often each situation was reached, by name; those that were not reached are left out. */
  readonly situations: Readonly<Record<string, number>>
  readonly figures: Partial<Figures>
  /** Faults that were applied, and that were asked for where they made no sense. */
  readonly applied: number
  readonly skipped: number
  readonly isHistoryDecided: boolean
  /** Of everything that happened, where the engine can repeat it. */
  readonly traceHash: string | undefined
  readonly timeline: readonly string[] | undefined
}

export interface RunFailure {
  readonly invariant: string
  readonly message: string
  readonly atMs: number
}

/** How runs are asked for. */
export interface EngineTask {
  readonly item: Case
  readonly seeds: readonly number[]
  /** The last lines before a failure, or all lines of a single run. */
  readonly timeline: boolean
  /** Told of each run as it ends. */
  onRun(run: CaseRun): void
  readonly signal: AbortSignal
}

/** Runs cases: in virtual time, on threads, over TCP, or however a plug-in does it. */
export interface Engine {
  readonly name: string
  /** How many seeds, and from where on, when neither file nor command line says. */
  readonly defaultSeeds: { readonly base: number; readonly runs: number }
  /** What it cannot do of a case, each with its place: asked before anything runs. */
  unable(item: Case): readonly Problem[]
  /** Resolves when all runs are over, or soon after the signal. */
  run(task: EngineTask): Promise<void>
  /** One line for a shell that repeats a run. */
  reproduce(item: Case, seed: number): string
  close(): Promise<void>
}
