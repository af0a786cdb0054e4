/** V8 CPU profiles of all actors during a run: written as files, and the top functions of each as a table. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CpuProfile } from '@troupe/actor'
import { invalidOption } from '@troupe/core'
import { makeDirectory } from '@troupe/store'
import type { TestedCluster } from '../engine/tested-cluster.ts'
import type { Output } from '../report.ts'
import type { Column } from '../terminal/table.ts'
import { type FunctionTime, profileOf, type ThreadProfile } from './top-functions.ts'

/** A load generator, in a thread of its own. */
export interface ProfiledLoad {
  startProfile(): Promise<void>
  takeProfile(): Promise<CpuProfile | undefined>
}

/** Of one actor. */
export interface ActorProfile {
  /** A node's name, or `load`. */
  readonly actor: string
  readonly isLeader: boolean
  readonly file: string
  readonly profile: ThreadProfile
}

/** Samples all actors from now on. It costs a few percent: figures of such a run are not to be compared with others. */
export async function startProfiles(
  cluster: Pick<TestedCluster, 'instruments'>,
  load: ProfiledLoad,
): Promise<void> {
  await Promise.all([cluster.instruments.startProfiles(), load.startProfile()])
}

/**
 * Ends the profiles and writes each to `DIRECTORY/NAME-ACTOR.cpuprofile`.
 * @param name of the run
 */
export async function takeProfiles(
  cluster: Pick<TestedCluster, 'instruments' | 'leader'>,
  load: ProfiledLoad,
  directory: string,
  name: string,
): Promise<ActorProfile[]> {
  const [nodes, client] = await Promise.all([cluster.instruments.takeProfiles(), load.takeProfile()])
  const { leader } = cluster
  const actors = [...nodes].sort(([left], [right]) => Number(right === leader) - Number(left === leader))
  if (client !== undefined) actors.push(['load', client])
  return actors.map(([actor, profile]) => {
    const file = join(resolve(directory), `${name}-${actor}.cpuprofile`)
    writeFileSync(file, JSON.stringify(profile))
    return { actor, isLeader: actor === leader, file, profile: profileOf(profile) }
  })
}

/**
 * Told before the run: its profiles would be lost.
 * @throws RaftError INVALID_OPTIONS
 */
export function checkProfileDirectory(directory: string): void {
  try {
    makeDirectory(resolve(directory))
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw invalidOption('--profile', directory, `a directory that can be written to (${code})`)
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

const columns: Column<FunctionTime>[] = [
  { title: 'self', value: ({ share }) => percent(share) },
  { title: 'self ms', value: ({ selfMs }) => selfMs.toFixed(0) },
  { title: 'with calls', value: ({ totalMs }) => totalMs.toFixed(0) },
  { title: 'function', value: ({ name }) => name, align: 'left' },
  { title: 'where', value: ({ place }) => place, align: 'left' },
]

/** Prints the functions in which each actor spent most of its busy time. */
export function printProfiles(output: Output, actors: readonly ActorProfile[], top = 12): void {
  for (const { actor, isLeader, file, profile } of actors) {
    const busy = `${percent(1 - profile.idleShare)} busy, of that ${percent(profile.garbageShare)} garbage collection`
    output.line(`\n${output.style.bold(isLeader ? `${actor} (leader)` : actor)}: ${busy}`)
    output.line(output.style.dim(file))
    output.table(columns, profile.functions.slice(0, top))
  }
}

/** For JSON: the top functions of each actor. */
export function documentProfiles(actors: readonly ActorProfile[], top = 12): readonly unknown[] {
  return actors.map(({ profile, ...actor }) => ({
    ...actor,
    ...profile,
    functions: profile.functions.slice(0, top),
  }))
}
