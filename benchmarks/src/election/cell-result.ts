/** What one cell came to: its trials, and what they sum up to. */
import type { NodeId } from '@troupe/core'
import { type LatencySummary, summarize } from '../latency.ts'
import type { Verdict, Verification } from '../verify.ts'
import type { Cell } from './cells.ts'
import { FailoverCurve } from './failover.ts'
import type { CampaignCounts } from './role-log.ts'

/** Acknowledged commands per second. */
export interface Rates {
  readonly before: number
  /** From the fault until all was as before. */
  readonly during: number
  readonly after: number
}

/** The loss of one leader, or of several in a row. Times count from the (first) loss, but for `timeToCaughtUpMs`. */
export interface ElectionTrial extends Omit<CampaignCounts, 'leaders'> {
  readonly trial: number
  readonly victim: NodeId
  readonly leader: NodeId
  /** To the first follower that asked for votes or pre-votes; null where all nodes were down. */
  readonly timeToDetectionMs: number | null
  /** To the moment another node became leader; of several lost, the last that did. */
  readonly timeToLeaderMs: number
  /** To the first acknowledgement that a client got from it; in the simulator, to its first commit. */
  readonly timeToFirstCommitMs: number
  /** From the moment it was healed until all nodes had applied what was committed by then. */
  readonly timeToCaughtUpMs: number
  /** From the loss to that. */
  readonly timeToFullRecoveryMs: number
  /** Null in the simulator: virtual time has no throughput. */
  readonly commandsPerSecond: Rates | null
}

export const measures = [
  'timeToDetectionMs',
  'timeToLeaderMs',
  'timeToFirstCommitMs',
  'timeToCaughtUpMs',
  'timeToFullRecoveryMs',
] as const
export type Measure = (typeof measures)[number]

export const measureTitles: Readonly<Record<Measure, string>> = {
  timeToDetectionMs: 'fault to first campaign',
  timeToLeaderMs: 'fault to new leader',
  timeToFirstCommitMs: 'fault to first commit under it',
  timeToCaughtUpMs: 'healed to caught up',
  timeToFullRecoveryMs: 'fault to full recovery',
}

/** The bound of the published setup. */
export const WITHIN_MS = 300

export class CellResult {
  readonly cell: Cell
  readonly trials: ElectionTrial[] = []
  /** Throughput around the loss. */
  readonly failover = new FailoverCurve()
  verification: Verification | undefined
  /** From the intended start of each command, all trials long. */
  latencyMs: LatencySummary | undefined
  /** Leaders that took over, wanted or not. */
  elections = 0
  /** Terms that were begun while no leader was lost. */
  spuriousElections = 0
  /** How long nothing happened in which those could have been. */
  calmMs = 0
  /** Workers that ended without being told to. */
  unexpectedExits = 0

  constructor(cell: Cell) {
    this.cell = cell
  }

  get verdict(): Verdict {
    return this.verification?.verdict ?? 'unknown'
  }

  summary(measure: Measure): LatencySummary {
    return summarize(this.valuesOf(measure))
  }

  valuesOf(measure: Measure): number[] {
    return this.trials.map((trial) => trial[measure]).filter((value) => value !== null)
  }

  /** The share of trials, from 0 to 1, in which another led within so many ms; null without trials. */
  ledWithin(ms: number): number | null {
    const { length } = this.trials
    if (length === 0) return null
    return this.trials.filter(({ timeToLeaderMs }) => timeToLeaderMs <= ms).length / length
  }

  total(count: keyof Omit<CampaignCounts, 'leaders'>): number {
    return this.trials.reduce((sum, trial) => sum + trial[count], 0)
  }

  /** Means over all trials; null where there are none. */
  get commandsPerSecond(): Rates | null {
    const rates = this.trials
      .map(({ commandsPerSecond }) => commandsPerSecond)
      .filter((rate) => rate !== null)
    if (rates.length === 0) return null
    const mean = (phase: keyof Rates): number =>
      Math.round(rates.reduce((sum, rate) => sum + rate[phase], 0) / rates.length)
    return { before: mean('before'), during: mean('during'), after: mean('after') }
  }
}

/** What is said of a cell whose commands nobody could look for. */
export function undecided(reason: string): Verification {
  return withoutCounts('unknown', reason)
}

/** A verdict that does not rest on counted commands. */
export function withoutCounts(verdict: Verdict, reason?: string): Verification {
  const counts = {
    acknowledged: 0,
    unknown: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    digestsEqual: verdict === 'pass',
    digests: {},
  }
  return { verdict, ...counts, ...(reason === undefined ? {} : { reason }) }
}
