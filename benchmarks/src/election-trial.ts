/** One crash of the leader, and what the clients feel of it. */

import { hrtimeMs } from '@troupe/actor'
import type { Cluster, ClusterEvents } from '@troupe/cluster'
import type { NodeId } from '@troupe/core'
import type { Bench } from './bench.ts'
import { delay } from './load/failure.ts'
import type { LoadGenerator } from './load/load-generator.ts'
import { rounded } from './terminal/format.ts'

export interface ElectionTrial {
  readonly trial: number
  readonly crashed: NodeId
  readonly leader: NodeId
  /** From the death of the leader's worker, told by itself, to the moment another node became leader. */
  readonly timeToLeaderMs: number
  /** From that death to the first acknowledgement that a client got from the new leader. */
  readonly timeToFirstCommitMs: number
  /** How long the crashed node took from its restart until it had applied what was committed by then. */
  readonly timeToCaughtUpMs: number
}

type LeaderEvent = ClusterEvents['leader'][0]

const POLL_MS = 5
const PATIENCE_MS = 60_000
/** Load flows for so long before the next crash. */
const CALM_MS = 100

export class NoElection extends Error {
  override readonly name = 'NoElection'
}

/** Crashes the leader under load, restarts it, and waits until all is as it was. */
export async function runTrial(
  bench: Bench,
  cluster: Cluster,
  load: LoadGenerator,
  trial: number,
): Promise<ElectionTrial> {
  const crashed = cluster.leader
  if (crashed === undefined) throw new NoElection('the cluster has no leader')
  const elected = nextLeader(cluster, crashed)
  const exit = await bench.or(cluster.crash(crashed))
  const diedAtMs = exit.diedAtMs ?? exit.atMs
  const { id: leader, atMs: electedAtMs } = await bench.or(bounded(elected, 'no leader was elected'))
  const firstAck = load.firstAck(electedAtMs, crashed)
  const committedAtMs = await bench.or(bounded(firstAck, 'nothing was acknowledged by the new leader'))
  const restartedAtMs = hrtimeMs()
  await bench.or(cluster.restart(crashed))
  await caughtUp(bench, cluster, crashed)
  const timeToCaughtUpMs = rounded(hrtimeMs() - restartedAtMs)
  await bench.or(bounded(load.firstAck(hrtimeMs() + CALM_MS), 'the load does not flow'))
  return {
    trial,
    crashed,
    leader,
    timeToLeaderMs: rounded(electedAtMs - diedAtMs),
    timeToFirstCommitMs: rounded(committedAtMs - diedAtMs),
    timeToCaughtUpMs,
  }
}

/** The next node that becomes leader, other than `crashed`. Listens at once. */
function nextLeader(cluster: Cluster, crashed: NodeId): Promise<LeaderEvent> {
  return new Promise((resolve) => {
    const listen = (event: LeaderEvent): void => {
      if (event.id === crashed) return
      cluster.off('leader', listen)
      resolve(event)
    }
    cluster.on('leader', listen)
  })
}

/** Waits until `id` has applied what the leader had committed when it was first asked. */
export async function caughtUp(bench: Bench, cluster: Cluster, id: NodeId): Promise<void> {
  const deadlineMs = hrtimeMs() + PATIENCE_MS
  let goal: number | undefined
  for (;;) {
    const { leader, nodes } = await bench.or(cluster.status())
    for (const node of nodes) {
      if (!node.running) continue
      if (goal === undefined && node.id === leader && node.role === 'leader') goal = node.commit
      if (node.id === id && goal !== undefined && node.applied >= goal) return
    }
    if (hrtimeMs() > deadlineMs) throw new NoElection(`${id} did not catch up within ${PATIENCE_MS} ms`)
    await bench.or(delay(POLL_MS))
  }
}

async function bounded<Value>(work: Promise<Value>, otherwise: string): Promise<Value> {
  const timer = Promise.withResolvers<never>()
  const complain = (): void => timer.reject(new NoElection(`${otherwise} within ${PATIENCE_MS} ms`))
  const timeout = setTimeout(complain, PATIENCE_MS)
  try {
    return await Promise.race([work, timer.promise])
  } finally {
    clearTimeout(timeout)
  }
}
