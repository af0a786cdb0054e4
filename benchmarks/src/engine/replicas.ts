/** What is asked of all replicas of a cluster that is reached by questions alone. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterStatus, NodeDigest } from '@troupe/cluster'
import { type NodeId, RaftError } from '@troupe/core'

const POLL_MS = 10

/** What it looks at. */
export interface AskedCluster {
  status(): Promise<ClusterStatus>
}

/**
 * Waits until every running node has applied what the leader's log held when this was called (or when a new leader came
 * meanwhile).
 * @throws RaftError TIMEOUT
 */
export async function allConverged(cluster: AskedCluster, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  let goal: { readonly term: number; readonly index: number } | undefined
  for (;;) {
    const { leader, nodes } = await cluster.status()
    const running = nodes.filter((node) => node.running)
    const led = running.find(({ id, role }) => id === leader && role === 'leader')
    if (led !== undefined && led.term !== goal?.term) goal = { term: led.term, index: led.lastIndex }
    const { index = 0 } = goal ?? {}
    const late = running.filter(({ applied }) => applied < index).map(({ id }) => id)
    if (led !== undefined && late.length === 0) return
    if (performance.now() >= deadlineMs) {
      const why = led === undefined ? 'there is no leader' : `${late.join(', ')} behind`
      throw new RaftError('TIMEOUT', `the replicas did not converge within ${timeoutMs} ms: ${why}`, {
        timeoutMs,
      })
    }
    await delay(POLL_MS)
  }
}

/**
 * Digests of the same state of all nodes: taken again while they are of different ones, because somebody writes.
 * @throws RaftError TIMEOUT where there never were such; what `take` throws
 */
export async function equallyApplied(
  take: () => Promise<Map<NodeId, NodeDigest>>,
  timeoutMs: number,
): Promise<Map<NodeId, NodeDigest>> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const digests = await take()
    const applied = new Set(Array.from(digests.values(), (digest) => digest.applied))
    if (applied.size <= 1) return digests
    if (performance.now() >= deadlineMs) {
      const why = 'others write to the cluster meanwhile: no two replicas were seen at the same entry'
      throw new RaftError('TIMEOUT', `${why} within ${timeoutMs} ms`, { timeoutMs })
    }
    await delay(POLL_MS)
  }
}
