/** What many sampled commands say together. Pure. */
import { rounded } from '../terminal/format.ts'
import type { Joined } from './join.ts'
import { type Stage, type StageSample, stageNames } from './stage.ts'

export interface Spread {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly meanMs: number
}

export interface StageSummary extends Spread {
  readonly stage: Stage
  /** Of all the time that commands took, 0 to 1: the shares of all stages sum up to 1. */
  readonly share: number
  /** The same for the slowest hundredth of the commands; null where those are too few to say. */
  readonly tailShare: number | null
}

/** What one node did with the entries, whether or not a quorum needed it. */
export interface NodeStages {
  readonly id: string
  readonly isLeader: boolean
  /** With its disk, after the leader had given the entry to its own: a hop, its mailbox and its turn. 0 for the leader. */
  readonly handedAfter: Spread
  readonly diskQueue: Spread
  readonly flush: Spread
  /** How often its flush completed the quorum, 0 to 1. */
  readonly completedShare: number
}

/** Times of commands, each frame counted as many times as it holds commands. */
export interface StageReport {
  readonly commands: number
  readonly frames: number
  /** Frames that could not be followed all the way. */
  readonly leftOut: number
  readonly total: Spread
  readonly stages: readonly StageSummary[]
  readonly nodes: readonly NodeStages[]
}

const MIN_TAIL_FRAMES = 10
const TAIL = 0.01

interface Weighted {
  readonly ms: number
  readonly weight: number
}

/** The smallest value that `fraction` of the weight is at or below. */
function percentile(rising: readonly Weighted[], fraction: number): number {
  let rest = fraction * rising.reduce((sum, { weight }) => sum + weight, 0)
  for (const { ms, weight } of rising) {
    rest -= weight
    if (rest <= 0) return ms
  }
  return rising.at(-1)?.ms ?? 0
}

function spreadOf(values: readonly Weighted[]): Spread {
  const rising = values.toSorted((left, right) => left.ms - right.ms)
  const weight = rising.reduce((sum, value) => sum + value.weight, 0)
  const sum = rising.reduce((total, value) => total + value.ms * value.weight, 0)
  return {
    p50Ms: rounded(percentile(rising, 0.5), 4),
    p99Ms: rounded(percentile(rising, 0.99), 4),
    meanMs: rounded(weight === 0 ? 0 : sum / weight, 4),
  }
}

function shareOf(samples: readonly StageSample[], stage: Stage): number {
  let inStage = 0
  let all = 0
  for (const { times, totalMs, commandCount } of samples) {
    inStage += times[stage] * commandCount
    all += totalMs * commandCount
  }
  return all === 0 ? 0 : rounded(inStage / all, 4)
}

/** The slowest hundredth of the commands. */
function tailOf(samples: readonly StageSample[]): StageSample[] {
  const falling = samples.toSorted((left, right) => right.totalMs - left.totalMs)
  let rest = TAIL * samples.reduce((sum, { commandCount }) => sum + commandCount, 0)
  const tail = falling.findIndex(({ commandCount }) => {
    rest -= commandCount
    return rest <= 0
  })
  return falling.slice(0, tail + 1)
}

function nodeStages(samples: readonly StageSample[], id: string): NodeStages {
  const own = samples.flatMap(({ nodes, commandCount: weight }) =>
    nodes.filter((node) => node.id === id).map((node) => ({ node, weight })),
  )
  const completed = samples.filter(({ completedBy }) => completedBy === id).length
  const spread = (of: 'handedAfterMs' | 'diskQueueMs' | 'flushMs'): Spread =>
    spreadOf(own.map(({ node, weight }) => ({ ms: node[of], weight })))
  return {
    id,
    isLeader: own.at(-1)?.node.isLeader ?? false,
    handedAfter: spread('handedAfterMs'),
    diskQueue: spread('diskQueueMs'),
    flush: spread('flushMs'),
    completedShare: rounded(completed / samples.length, 4),
  }
}

/** Undefined where there is no sample. */
export function summarizeStages({ samples, leftOut }: Joined): StageReport | undefined {
  if (samples.length === 0) return undefined
  const tail = tailOf(samples)
  const summaries = stageNames.map((stage): StageSummary => {
    const values = samples.map(({ times, commandCount }) => ({ ms: times[stage], weight: commandCount }))
    const tailShare = tail.length < MIN_TAIL_FRAMES ? null : shareOf(tail, stage)
    return { stage, ...spreadOf(values), share: shareOf(samples, stage), tailShare }
  })
  const ids = new Set(samples.flatMap(({ nodes }) => nodes.map(({ id }) => id)))
  return {
    commands: samples.reduce((sum, { commandCount }) => sum + commandCount, 0),
    frames: samples.length,
    leftOut,
    total: spreadOf(samples.map(({ totalMs, commandCount }) => ({ ms: totalMs, weight: commandCount }))),
    stages: summaries,
    nodes: [...ids]
      .map((id) => nodeStages(samples, id))
      .sort((left, right) => Number(right.isLeader) - Number(left.isLeader)),
  }
}
