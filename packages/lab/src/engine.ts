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
  /** The file with its event log (events/run-event.ts), where it was asked for and written. */
  readonly eventLog?: string | undefined
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
  /**
   * The folder for event logs, one file a run, where somebody wants them. An engine with `record` leaves it alone: it is asked
   * for the runs that matter afterwards.
   */
  readonly eventLogFolder?: string | undefined
  /** Told of each run as it ends. */
  onRun(run: CaseRun): void
  /** Told now and then of the run that goes on, where runs last so long that somebody waits for them. */
  onNow?(now: RunNow): void
  readonly signal: AbortSignal
}

/** A run while it goes on. */
export interface RunNow {
  readonly seed: number
  /** What happens, in a few words. */
  readonly text: string
  /** How far it is, from 0 to 1, as well as one can tell. */
  readonly share: number
  /** What was measured so far. */
  readonly figures: Partial<Figures>
}

/** Runs cases: in virtual time, on threads, over TCP, or however a plug-in does it. */
export interface Engine {
  readonly name: string
  /** How many seeds, and from where on, when neither file nor command line says. */
  readonly defaultSeeds: { readonly base: number; readonly runs: number }
  /** What it looks at in every run, whatever the case asserts. */
  readonly invariants?: readonly string[]
  /** What it cannot do of a case, each with its place: asked before anything runs. */
  unable(item: Case): readonly Problem[]
  /** Resolves when all runs are over, or soon after the signal. */
  run(task: EngineTask): Promise<void>
  /** Runs a seed again, and writes its event log; for engines that repeat a run exactly. */
  record?(item: Case, seed: number, file: string): Promise<void>
  /** One line for a shell that repeats a run. */
  reproduce(item: Case, seed: number): string
  close(): Promise<void>
}
