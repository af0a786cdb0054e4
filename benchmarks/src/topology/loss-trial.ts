/** What the loss of a node costs: how long nothing is committed, and who is still reached. */
import { setTimeout as delay } from 'node:timers/promises'
import { hrtimeMs } from '@troupe/actor'
import type { Client, Cluster } from '@troupe/cluster'
import { type NodeId, type OverlayTopology, RaftError } from '@troupe/core'
import type { Bench } from '../bench.ts'
import { allCaughtUp } from '../election/threads-trial.ts'
import { rounded } from '../terminal/format.ts'
import { type PlannedHops, placeOf, plannedHops } from './planned-hops.ts'
import { longestPauseMs, Pulse } from './pulse.ts'

/** Before the loss. */
const CALM_MS = 200
const REACHED_TIMEOUT_MS = 10_000
const TRANSFER_TIMEOUT_MS = 30_000

/** About how long a trial takes that watches for so long. */
export const trialMs = (watchMs: number): number => CALM_MS + watchMs + 2000

export interface LossRow extends PlannedHops {
  readonly topology: OverlayTopology
  readonly repeat: number
  readonly lost: NodeId
  readonly wasLeader: boolean
  readonly place: 'relay' | 'leaf' | 'peer'
  /** The longest time between two acknowledgements of one caller, in the time watched behind the loss. */
  readonly pauseMs: number
  /** The same in the calm before it. */
  readonly calmPauseMs: number
  /** Whether all that live caught up with the leader while it was down. */
  readonly reached: boolean
}

/** Has `leader` lead, and everybody caught up. */
export async function settle(bench: Bench, cluster: Cluster, leader: NodeId): Promise<void> {
  await bench.or(allCaughtUp(bench, cluster))
  while (cluster.leader !== leader) {
    try {
      await bench.or(cluster.transferLeadership(leader, { timeoutMs: TRANSFER_TIMEOUT_MS }))
    } catch (error) {
      // An election in between: asked again of whoever leads then.
      if (!RaftError.is(error, 'REFUSED_CHANGE') && !RaftError.is(error, 'INDETERMINATE')) throw error
    }
    await bench.or(delay(CALM_MS))
  }
  await bench.or(allCaughtUp(bench, cluster))
}

export async function loseNode(
  bench: Bench,
  cluster: Cluster,
  client: Client,
  trial: Pick<LossRow, 'topology' | 'repeat' | 'lost'>,
  watchMs: number,
): Promise<LossRow> {
  const { topology, lost } = trial
  const wasLeader = cluster.leader === lost
  const pulse = new Pulse(client)
  const calmMs = hrtimeMs()
  await bench.or(delay(CALM_MS))
  const { diedAtMs, atMs } = await bench.or(cluster.crash(lost))
  const lostAtMs = diedAtMs ?? atMs
  await bench.or(delay(watchMs))
  const times = await bench.or(pulse.stop())
  const reached = await bench.or(isReached(cluster))
  await bench.or(cluster.restart(lost))
  const before = times.filter((time) => time < lostAtMs)
  return {
    ...trial,
    wasLeader,
    place: placeOf(topology, cluster.ids, lost),
    pauseMs: rounded(longestPauseMs(times, lostAtMs) ?? watchMs),
    calmPauseMs: rounded(longestPauseMs(before, calmMs) ?? 0),
    ...plannedHops(topology, cluster.ids, lost),
    reached,
  }
}

async function isReached(cluster: Cluster): Promise<boolean> {
  try {
    await cluster.converged({ timeoutMs: REACHED_TIMEOUT_MS })
    return true
  } catch (error) {
    if (RaftError.is(error, 'TIMEOUT')) return false
    throw error
  }
}
