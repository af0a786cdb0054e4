import type { Coverage } from './coverage.ts'
import {
  answers,
  committedNeverLost,
  committedOnQuorum,
  configurationOfTheLog,
  electedByQuorum,
  electionSafety,
  exclusiveLease,
  freshReads,
  leaderAppendOnly,
  leaderCompleteness,
  logMatching,
  monotonic,
  oneChangeAtATime,
  oneVote,
  orderedIndexes,
  type QuietAfterHeal,
  quietAfterHeal,
  stableIsFlushed,
  stateMachineSafety,
  toldAfterFlush,
  votersLead,
} from './invariants/index.ts'
import type { Invariant } from './world-view.ts'

/** Every invariant, new for one run. */
export function allInvariants(coverage: Coverage): { invariants: Invariant[]; quiet: QuietAfterHeal } {
  const quiet = quietAfterHeal()
  const invariants = [
    electionSafety(() => coverage.elections++),
    electedByQuorum(),
    votersLead(),
    leaderAppendOnly(),
    logMatching(),
    committedOnQuorum((count, oldTerm) => {
      coverage.commits += count
      coverage.oldTermCommits += oldTerm
    }),
    leaderCompleteness(),
    committedNeverLost(() => coverage.truncations++),
    stateMachineSafety(),
    stableIsFlushed(),
    orderedIndexes(),
    monotonic(),
    oneVote(),
    toldAfterFlush(),
    oneChangeAtATime((isJoint) => {
      coverage.configurations++
      if (isJoint) coverage.jointConfigurations++
    }),
    configurationOfTheLog(),
    freshReads(),
    exclusiveLease(),
    answers(),
    quiet,
  ]
  return { invariants, quiet }
}
