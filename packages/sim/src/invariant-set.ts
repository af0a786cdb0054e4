import type { Coverage } from './coverage.ts'
import {
  answers,
  committedNeverLost,
  committedOnQuorum,
  configurationOfTheLog,
  electedByQuorum,
  electionSafety,
  exclusiveLease,
  firstLeaderStays,
  freshReads,
  leaderAppendOnly,
  leaderCompleteness,
  logMatching,
  monotonic,
  nothingDropped,
  nothingForgotten,
  oneChangeAtATime,
  oneVote,
  orderedIndexes,
  type QuietAfterHeal,
  quietAfterHeal,
  snapshotsOfTheLedger,
  stableIsFlushed,
  stateMachineSafety,
  toldAfterFlush,
  votersLead,
} from './invariants/index.ts'
import type { Invariant } from './world-view.ts'

/** Every invariant, new for one run; of a calm plan, what holds only there too. */
export function allInvariants(
  coverage: Coverage,
  isCalm = false,
): { invariants: Invariant[]; quiet: QuietAfterHeal } {
  const quiet = quietAfterHeal()
  const invariants = [
    electionSafety(() => coverage.elections++),
    electedByQuorum(),
    votersLead(),
    leaderAppendOnly(),
    logMatching(),
    committedOnQuorum((count) => {
      coverage.commits += count
    }),
    leaderCompleteness(),
    committedNeverLost(),
    stateMachineSafety(),
    stableIsFlushed(),
    orderedIndexes(),
    monotonic(),
    oneVote(),
    toldAfterFlush(),
    nothingForgotten(),
    snapshotsOfTheLedger(),
    oneChangeAtATime((isJoint) => {
      coverage.configurations++
      if (isJoint) coverage.jointConfigurations++
    }),
    configurationOfTheLog(),
    freshReads(),
    exclusiveLease(),
    answers(),
    quiet,
    ...(isCalm ? [firstLeaderStays(), nothingDropped(coverage)] : []),
  ]
  return { invariants, quiet }
}
