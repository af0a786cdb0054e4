/** Begins to write stages down on all actors of a cluster, and collects them. */
import type { ClientTrace } from '@troupe/cluster'
import type { TestedCluster } from '../engine/tested-cluster.ts'
import { type Joined, joinStages } from './join.ts'
import { type StageReport, summarizeStages } from './summary.ts'

/** A client: a {@link LoadGenerator}, or one in this thread. */
export interface TracedClient {
  startTrace(): Promise<void> | void
  takeTrace(): Promise<ClientTrace | undefined> | ClientTrace | undefined
}

/** What of a cluster is used here. */
export type TracedCluster = Pick<TestedCluster, 'instruments' | 'status'>

/** From now on. Call it where the load is warm; the latest 32,768 turns, flushes and frames of each actor are kept. */
export async function startStages(cluster: TracedCluster, client: TracedClient): Promise<void> {
  await cluster.instruments.startTraces()
  await client.startTrace()
}

/** Ends it: every frame that was answered meanwhile. */
export async function takeSamples(cluster: TracedCluster, client: TracedClient): Promise<Joined> {
  const [status, nodes, trace] = await Promise.all([
    cluster.status(),
    cluster.instruments.takeTraces(),
    client.takeTrace(),
  ])
  if (trace === undefined) return { samples: [], leftOut: 0 }
  const leader = status.nodes.find((node) => node.running && node.role === 'leader')
  const voters =
    leader?.running === true ? leader.configuration.voters.map(({ id }) => id) : [...nodes.keys()]
  return joinStages({ client: trace, nodes, voters })
}

/** Ends it: where the time went. Undefined where no command could be followed. */
export async function takeStages(
  cluster: TracedCluster,
  client: TracedClient,
): Promise<StageReport | undefined> {
  return summarizeStages(await takeSamples(cluster, client))
}
