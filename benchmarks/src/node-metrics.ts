/** What the nodes counted during a run. */

import { hrtimeMs } from '@troupe/actor'
import type { ClusterStatus, NodeReport } from '@troupe/cluster'
import { rounded } from './terminal/format.ts'

export interface RunMetrics {
  /** Elections begun by any node. */
  readonly elections: number
  /** At the leader; null where it changed meanwhile. */
  readonly commandsPerEntry: number | null
  readonly entriesPerFlush: number | null
  readonly flushesPerSecond: number | null
  readonly mailboxGreatestDepth: number | null
}

export interface Snapshot {
  readonly atMs: number
  readonly status: ClusterStatus
}

type RunningNode = Extract<NodeReport, { readonly running: true }>

export async function snapshot(cluster: { status(): Promise<ClusterStatus> }): Promise<Snapshot> {
  const status = await cluster.status()
  return { atMs: hrtimeMs(), status }
}

/** What happened between two snapshots. A node that was started anew meanwhile began to count at 0. */
export function metricsBetween(before: Snapshot, after: Snapshot): RunMetrics {
  const elections = after.status.nodes.reduce((sum, node) => {
    if (!node.running) return sum
    const earlier = runningNode(before.status, node.id)?.metrics.elections ?? 0
    return sum + Math.max(0, node.metrics.elections - earlier)
  }, 0)
  const { leader } = after.status
  const end = runningNode(after.status, leader)
  const start = runningNode(before.status, leader)
  if (end === undefined || start === undefined || before.status.leader !== leader) {
    const none = { commandsPerEntry: null, entriesPerFlush: null, flushesPerSecond: null }
    return { elections, ...none, mailboxGreatestDepth: null }
  }
  const grown = (counter: 'commandsAppended' | 'entriesAppended' | 'entriesFlushed' | 'flushes'): number =>
    end.metrics[counter] - start.metrics[counter]
  return {
    elections,
    commandsPerEntry: ratio(grown('commandsAppended'), grown('entriesAppended')),
    entriesPerFlush: ratio(grown('entriesFlushed'), grown('flushes')),
    flushesPerSecond: ratio(grown('flushes'), (after.atMs - before.atMs) / 1000),
    mailboxGreatestDepth: end.metrics.mailboxGreatestDepth,
  }
}

function runningNode(status: ClusterStatus, id: string | undefined): RunningNode | undefined {
  return status.nodes.find((node): node is RunningNode => node.running && node.id === id)
}

function ratio(counted: number, per: number): number | null {
  return per > 0 ? rounded(counted / per, 2) : null
}
