/** What is known of a point. Types alone: pages share them. */
import type { Stage } from '../stages/stage.ts'
import type { SweepSettings } from './axes.ts'

/** Mean milliseconds of a command in each stage. */
export type StagesMs = Readonly<Partial<Record<Stage, number>>>

/** Shares of the time of the run, 0 to 1; null where nobody could tell. */
export interface SweepUtilisation {
  /** Event loops: how much of the time each had something to do, whether or not a processor was free for it. */
  readonly client: number | null
  readonly leader: number | null
  /** The busiest of them. */
  readonly followers: number | null
  /** All processors of the machine, by this process and those of the nodes: flushes on the thread pool are in it, too. */
  readonly processors: number | null
}

/** What happened a second, and how much at once. */
export interface SweepRates {
  readonly commandsPerEntry: number | null
  readonly entriesPerFlush: number | null
  readonly flushesPerSecond: number | null
  readonly entriesPerSecond: number | null
  /** With entries in them, to one follower. */
  readonly appendsPerSecond: number | null
  readonly entriesPerAppend: number | null
}

/** A point with all its runs. */
export interface SweepPoint extends SweepSettings {
  readonly runs: number
  /** Medians of the runs. */
  readonly opsPerSecond: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly maxMs: number | null
  /** The widest distance between runs over their median; null for a single run. */
  readonly opsSpread: number | null
  readonly p99Spread: number | null
  /** All runs together. */
  readonly elections: number
  /** Of the median run. */
  readonly rates: SweepRates
  readonly utilisation?: SweepUtilisation
  readonly stagesMs?: StagesMs
}
