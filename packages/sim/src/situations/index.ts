import type { WorldView } from '../world-view.ts'
import { deaths } from './deaths.ts'
import { disks } from './disk.ts'
import { elections } from './elections.ts'
import { faults } from './faults.ts'
import { membership } from './membership.ts'
import { reads } from './reads.ts'
import { replication } from './replication.ts'
import { sessions } from './sessions.ts'
import type { Situation } from './situation.ts'
import { snapshots } from './snapshots.ts'

export type { Situation } from './situation.ts'
export { SituationWatch } from './watch.ts'

/** Every situation, new for one run. */
export const allSituations = (world: WorldView): Situation[] =>
  [elections, replication, disks, snapshots, reads, membership, sessions, faults]
    .flat()
    .flatMap((make) => make(world))

/** What no seed draws, and only a scenario or a person leads to. */
export const directedSituations = (world: WorldView): Situation[] => deaths.flatMap((make) => make(world))
