/** Looks into a cluster while a load runs on it: stages and profiles, both only where asked for. */
import { type LoadableCluster, ours } from '../engine/tested-cluster.ts'
import { type ActorProfile, type ProfiledLoad, startProfiles, takeProfiles } from '../profile/profile-run.ts'
import { startStages, type TracedClient, takeStages } from './measure.ts'
import type { StageReport } from './summary.ts'

/** What is asked for. */
export interface Wanted {
  readonly stages?: boolean
  /** Where profiles are written; undefined for none. */
  readonly profileDirectory?: string | undefined
  /** Begins the names of their files. */
  readonly name: string
}

/** What there is of it. */
export interface Observed {
  readonly stages?: StageReport
  readonly profiles?: readonly ActorProfile[]
}

/** From now on. */
export async function startLooking(
  cluster: LoadableCluster,
  load: TracedClient & ProfiledLoad,
  { stages = false, profileDirectory }: Wanted,
): Promise<void> {
  if (stages) await startStages(ours(cluster), load)
  if (profileDirectory !== undefined) await startProfiles(ours(cluster), load)
}

/** Ends it. */
export async function takeLooks(
  cluster: LoadableCluster,
  load: TracedClient & ProfiledLoad,
  { stages = false, profileDirectory, name }: Wanted,
): Promise<Observed> {
  const report = stages ? await takeStages(ours(cluster), load) : undefined
  const profiles =
    profileDirectory === undefined
      ? undefined
      : await takeProfiles(ours(cluster), load, profileDirectory, name)
  return { ...(report && { stages: report }), ...(profiles && { profiles }) }
}

/**
 * Runs `work`, a load that warms up for `warmupMs` and is measured then, and looks at what is measured alone.
 * With stages the load is about as fast as without; with profiles it is slower by a few percent.
 */
export async function observed<Result>(
  cluster: LoadableCluster,
  load: TracedClient & ProfiledLoad,
  wanted: Wanted,
  warmupMs: number,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly observed: Observed }> {
  const running = work()
  // Awaited below; a failure meanwhile is no unhandled one.
  running.catch(() => {})
  await new Promise((resume) => setTimeout(resume, warmupMs))
  await startLooking(cluster, load, wanted)
  const result = await running
  return { result, observed: await takeLooks(cluster, load, wanted) }
}
