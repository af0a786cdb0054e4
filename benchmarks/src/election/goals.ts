/** What some of the named cells are to reach, and whether they did. */
import { summarize } from '../latency.ts'
import type { CellResult } from './cell-result.ts'

/** Undefined: it takes more trials, or more time, to say. */
export interface GoalOutcome {
  readonly text: string
  readonly isMet: boolean | undefined
}

interface Goal {
  readonly cell: string
  readonly text: string
  readonly isMet: (result: CellResult) => boolean | undefined
}

/** A share of 99 % says little of fewer. */
const LEAST_TRIALS = 100
const CALM_MS = 60_000

/** Percentiles of processes are taken of so many. */
const PROCESS_TRIALS = 50

const atMost = (value: number | null, limit: number): boolean | undefined =>
  value === null ? undefined : value <= limit

const fromTrials = (
  { trials }: CellResult,
  least: number,
  value: number | null,
  limit: number,
): boolean | undefined => (trials.length < least ? undefined : atMost(value, limit))

const goals: readonly Goal[] = [
  {
    cell: 'crash-3',
    text: 'fault to first commit: p50 ≤ 5 ms',
    isMet: (result) => atMost(result.summary('timeToFirstCommitMs').p50, 5),
  },
  {
    cell: 'crash-3',
    text: 'fault to first commit: p99 ≤ 20 ms',
    isMet: (result) => atMost(result.summary('timeToFirstCommitMs').p99, 20),
  },
  {
    cell: 'silent-5',
    text: 'a new leader within 300 ms: ≥ 99 %',
    isMet: (result) => {
      const share = result.ledWithin(300)
      return share === null || result.trials.length < LEAST_TRIALS ? undefined : share >= 0.99
    },
  },
  {
    cell: 'silent-5',
    text: 'fault to new leader: median ≤ 190 ms',
    isMet: (result) => atMost(result.summary('timeToLeaderMs').p50, 190),
  },
  {
    cell: 'silent-5-narrow',
    text: 'fault to new leader: mean ≤ 25 ms',
    isMet: (result) => atMost(result.summary('timeToLeaderMs').mean, 25),
  },
  {
    cell: 'kill-3',
    text: 'SIGKILL to first commit: p50 ≤ 25 ms',
    isMet: (result) => fromTrials(result, PROCESS_TRIALS, result.summary('timeToFirstCommitMs').p50, 25),
  },
  {
    cell: 'kill-3',
    text: 'SIGKILL to first commit: p99 ≤ 100 ms',
    isMet: (result) => {
      const { p99 } = summarize(result.valuesOf('timeToFirstCommitMs'), { alwaysP99: true })
      return fromTrials(result, PROCESS_TRIALS, p99, 100)
    },
  },
  {
    cell: 'stop-3',
    text: 'SIGSTOP to first commit: worst ≤ 3 × the upper election timeout',
    isMet: (result) => {
      const { max } = result.summary('timeToFirstCommitMs')
      return fromTrials(result, PROCESS_TRIALS, max, 3 * result.cell.timeouts.maxMs)
    },
  },
  {
    cell: 'calm-5-narrow',
    text: 'no election in 60 s in which nothing happens',
    isMet: ({ spuriousElections, calmMs }) => {
      if (spuriousElections > 0) return false
      return calmMs >= CALM_MS ? true : undefined
    },
  },
]

export function goalsOf(result: CellResult): readonly GoalOutcome[] {
  return goals
    .filter(({ cell }) => cell === result.cell.name)
    .map(({ text, isMet }) => ({ text, isMet: isMet(result) }))
}
