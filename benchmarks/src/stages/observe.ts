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

/**
 * Runs `work`, a load that warms up for `warmupMs` and is measured then, and looks at what is measured alone.
 * With stages the load is about as fast as without; with profiles it is slower by a few percent.
 */
export async function observed<Result>(
  cluster: LoadableCluster,
  load: TracedClient & ProfiledLoad,
  { stages = false, profileDirectory, name }: Wanted,
  warmupMs: number,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly observed: Observed }> {
  const running = work()
  // Awaited below; a failure meanwhile is no unhandled one.
  running.catch(() => {})
  await new Promise((resume) => setTimeout(resume, warmupMs))
  if (stages) await startStages(ours(cluster), load)
  if (profileDirectory !== undefined) await startProfiles(ours(cluster), load)
  const result = await running
  const report = stages ? await takeStages(ours(cluster), load) : undefined
  const profiles =
    profileDirectory === undefined
      ? undefined
      : await takeProfiles(ours(cluster), load, profileDirectory, name)
  return {
    result,
    observed: { ...(report && { stages: report }), ...(profiles && { profiles }) },
  }
}
