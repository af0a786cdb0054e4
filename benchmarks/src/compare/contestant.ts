/**
 * Whoever takes part in a comparison: an engine of ours, or a peer. What is said about it, whether it can start here,
 * and a cluster of three that takes closed loops.
 *
 *     Contestant ── start ──► Running ── run(spec) ──► ContestRun, once for each number of outstanding commands
 */
import type { Bench } from '../bench.ts'
import type { ClosedLoopSpec } from '../load/closed-loop.ts'
import type { Speed } from '../throughput/throughput-run.ts'
import type { Losses } from '../verify.ts'
import type { WorkloadSpec } from '../workload.ts'

export const NODES = 3

/** What has to be said beside a figure. */
export interface Facts {
  /** As in `--peers`. */
  readonly name: string
  /** For people. */
  readonly title: string
  /** An engine of this project: the verdict is about those. @default false */
  readonly isOurs?: boolean
  /** How clients and nodes reach each other. */
  readonly transport: 'threads, in process' | 'TCP, loopback' | 'TCP, as it runs'
  /** Whether an acknowledged command is synced to the disks of a quorum. */
  readonly isDurable: boolean
  /** What an acknowledgement means, in one sentence. */
  readonly acknowledgement: string
  readonly configuration: string
  /** What its vendor recommends of that. */
  readonly recommendation: string
}

/** Why a contestant cannot start here. */
export interface Missing {
  readonly what: string
  /** The command that installs it. */
  readonly install: string
}

export interface ContestRun extends Speed, Losses {
  readonly commands: number
  /** Applied in another order than proposed; null for a peer, where nobody looked. */
  readonly reordered: number | null
  /** Commands of which the client could not tell. */
  readonly unknown: number
  /** Commands that were turned away for now, and sent again. */
  readonly refused: number
  /** Share of the time in which the client's thread was busy: near 1 it is the client that limits. Null if not known. */
  readonly clientUtilisation: number | null
}

export interface Running {
  readonly version: string
  /** Load, and afterwards a count of what is stored. @throws where the contestant fails */
  run(spec: ClosedLoopSpec): Promise<ContestRun>
  /** After the last run: a cluster that others use is left as it was. */
  leave?(): Promise<void>
}

export interface ContestSettings {
  readonly workload: WorkloadSpec
  /** Of all runs, to make room for the largest. */
  readonly windows: readonly number[]
}

export interface Contestant {
  readonly facts: Facts
  /** Undefined where it can start. */
  missing(): Missing | undefined
  /** About how long `start` takes. */
  readonly startMs: number
  /** Started afresh, with empty directories. `bench` ends it. */
  start(bench: Bench, settings: ContestSettings): Promise<Running>
}
