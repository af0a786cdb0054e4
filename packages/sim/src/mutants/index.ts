/** All mutants. Imports nothing that is mutated, so that it can be read before any of that is loaded. */
import { electionMutants } from './elections.ts'
import { membershipMutants } from './membership.ts'
import type { Mutant } from './mutant.ts'
import { queueMutants } from './queue.ts'
import { readMutants } from './reads.ts'
import { replicationMutants } from './replication.ts'
import { sessionMutants } from './sessions.ts'
import { snapshotMutants } from './snapshots.ts'
import { storageMutants } from './storage.ts'

export { type Mutant, mutated } from './mutant.ts'

/** Every mutant, by concept. */
export const mutants: readonly Mutant[] = [
  ...electionMutants,
  ...replicationMutants,
  ...readMutants,
  ...membershipMutants,
  ...snapshotMutants,
  ...sessionMutants,
  ...storageMutants,
  ...queueMutants,
]

/** The mutant with this name; undefined where there is none. */
export function mutantNamed(name: string): Mutant | undefined {
  return mutants.find((mutant) => mutant.name === name)
}
