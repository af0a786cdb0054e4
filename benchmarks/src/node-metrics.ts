/** What the nodes counted during a run. */

import { hrtimeMs, type ThreadUsage, utilizationBetween } from '@troupe/actor'
import type { ClusterStatus, NodeReport } from '@troupe/cluster'
import { rounded } from './terminal/format.ts'

export interface RunMetrics {
  /** Elections begun by any node. */
  readonly elections: number
  /** At the leader; null where it changed meanwhile. */
  readonly commandsPerEntry: number | null
  /** Of the append messages that carry any. */
  readonly entriesPerAppend: number | null
  readonly entriesPerFlush: number | null
  readonly flushesPerSecond: number | null
  readonly mailboxGreatestDepth: number | null
  /** How busy the thread of each node was, and that of the load where it was looked at. */
  readonly actors: readonly ActorUse[]
}

/** How busy one actor's thread was. */
export interface ActorUse {
  /** A node's id, or `load`. */
  readonly actor: string
  readonly role: 'leader' | 'follower' | 'load'
  /** Shares of the time, 0 to 1; null where it was started anew meanwhile, or nobody can tell. */
  readonly eventLoopUtilization: number | null
  readonly cpuUtilization: number | null
}

export interface Snapshot {
  readonly atMs: number
  readonly status: ClusterStatus
  readonly load?: ThreadUsage
}

type RunningNode = Extract<NodeReport, { readonly running: true }>

/** @param load whose thread is looked at too */
export async function snapshot(
  cluster: { status(): Promise<ClusterStatus> },
  load?: { totals(): Promise<ThreadUsage> },
): Promise<Snapshot> {
  const [status, usage] = await Promise.all([cluster.status(), load?.totals()])
  return { atMs: hrtimeMs(), status, ...(usage === undefined ? {} : { load: usage }) }
}

/** What happened between two snapshots. A node that was started anew meanwhile began to count at 0. */
export function metricsBetween(before: Snapshot, after: Snapshot): RunMetrics {
  const elections = after.status.nodes.reduce((sum, node) => {
    if (!node.running) return sum
    const earlier = runningNode(before.status, node.id)?.metrics.elections ?? 0
    return sum + Math.max(0, node.metrics.elections - earlier)
  }, 0)
  const actors = actorsBetween(before, after)
  const { leader } = after.status
  const end = runningNode(after.status, leader)
  const start = runningNode(before.status, leader)
  if (end === undefined || start === undefined || before.status.leader !== leader) {
    return { elections, ...UNKNOWN_METRICS, actors }
  }
  const grown = (counter: LeaderCounter): number => end.metrics[counter] - start.metrics[counter]
  return {
    elections,
    commandsPerEntry: ratio(grown('commandsAppended'), grown('entriesAppended')),
    entriesPerAppend: ratio(grown('entriesSent'), grown('appendsSent') - grown('emptyAppendsSent')),
    entriesPerFlush: ratio(grown('entriesFlushed'), grown('flushes')),
    flushesPerSecond: ratio(grown('flushes'), (after.atMs - before.atMs) / 1000),
    mailboxGreatestDepth: end.metrics.mailboxGreatestDepth,
    actors,
  }
}

type LeaderCounter =
  | 'commandsAppended'
  | 'entriesAppended'
  | 'entriesSent'
  | 'appendsSent'
  | 'emptyAppendsSent'
  | 'entriesFlushed'
  | 'flushes'

const UNKNOWN_METRICS = {
  commandsPerEntry: null,
  entriesPerAppend: null,
  entriesPerFlush: null,
  flushesPerSecond: null,
  mailboxGreatestDepth: null,
}

function actorsBetween(before: Snapshot, after: Snapshot): ActorUse[] {
  const nodes = after.status.nodes.flatMap((node): ActorUse[] => {
    const earlier = runningNode(before.status, node.id)
    if (!node.running || earlier === undefined) return []
    const role = node.id === after.status.leader ? 'leader' : 'follower'
    return [{ actor: node.id, role, ...useBetween(earlier.metrics, node.metrics) }]
  })
  if (before.load === undefined || after.load === undefined) return nodes
  return [...nodes, { actor: 'load', role: 'load', ...useBetween(before.load, after.load) }]
}

function useBetween(before: ThreadUsage, after: ThreadUsage): Omit<ActorUse, 'actor' | 'role'> {
  const { eventLoop, cpu } = utilizationBetween(before, after)
  const share = (value: number | null): number | null => (value === null ? null : rounded(value))
  return { eventLoopUtilization: share(eventLoop), cpuUtilization: share(cpu) }
}

function runningNode(status: ClusterStatus, id: string | undefined): RunningNode | undefined {
  return status.nodes.find((node): node is RunningNode => node.running && node.id === id)
}

function ratio(counted: number, per: number): number | null {
  return per > 0 ? rounded(counted / per, 2) : null
}
