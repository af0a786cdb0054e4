/** Figures of a run, by name. Lists have one value for each time that it happened. */
export const figureNames = [
  /** Leaders elected before, during and after the faults. */
  'electionsBefore',
  'electionsDuring',
  'electionsAfter',
  /** How much the highest term rose since the setup. */
  'termGrowthDuring',
  'termGrowthAfter',
  /** Leaders of one term, at most. */
  'leadersPerTerm',
  /** Terms in which several asked for votes and nobody was elected. */
  'splitVotes',
  /** Messages of an earlier term than the receiver's. */
  'staleTermMessages',
  /** Writes that were acknowledged. */
  'writesBefore',
  'writesDuring',
  'writesAfter',
  /** Share of operations, from 0 to 1, that were refused, or whose outcome nobody knows. */
  'failureRateBefore',
  'failureRateDuring',
  'failureRateAfter',
  /** From the death of a leader to the next one. */
  'timeToLeaderMs',
  /** Longest time between commits during the faults. */
  'longestGapMs',
  /** From the healing to the next leader, where none was; to the next commit; until all members have all of it. */
  'healToLeaderMs',
  'healToCommitMs',
  'healToReplicatedMs',
  /** Entries of a leader that were not committed, at most. */
  'uncommittedEntries',
  /** Vote replies that came twice from the same node in the same term. */
  'duplicateVotes',
  /** Appends that did not fit the log of their receiver. */
  'rejectedAppends',
  /** Over the whole run: lives that ended, and those of them that lost what was not flushed. */
  'crashes',
  'lostWrites',
  /** Writes of which nobody knows, and writes that were refused for space. */
  'openWrites',
  'spaceRefusals',
  /** Reads that were allowed to be stale. */
  'staleReads',
  'snapshotsInstalled',
  'storageFailures',
  'transfers',
  'framesLost',
] as const
export type FigureName = (typeof figureNames)[number]

/** What was measured: of some things one value, of others one for each time. */
export type Figures = Readonly<Record<FigureName, readonly number[]>>
