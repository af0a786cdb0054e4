import { noCoverage } from './coverage.ts'
import { allInvariants } from './invariant-set.ts'

/** What holds after every event of a run, and what is decided at its end. */
export const invariantNames: readonly string[] = [
  ...allInvariants(noCoverage()).invariants.map(({ name }) => name),
  'linearizability',
  'liveness',
]
