/** What a world counts itself. */
const counted = {
  crashes: 'lives that ended, over the whole run',
  lostWrites: 'lives that ended with something that was not flushed',
  openWrites: 'writes of which nobody knows',
  spaceRefusals: 'writes that were refused for space',
  sizeRefusals: 'commands that were refused for what they are: too large, for one',
  staleReads: 'reads that were allowed to be stale',
  snapshotsInstalled: 'snapshots that came from peers',
  storageFailures: 'disks that failed',
  heapDeaths: 'lives that ended at the limit of their heap; on real nodes',
  transfers: 'times that a leader was asked to hand over',
  framesLost: 'frames that did not arrive',
  replacements: 'nodes that began anew as other members, with an empty directory',
  quarantines: 'nodes that their supervisor gave up',
  openSends: 'of a queue: messages sent of which nobody knows',
  deliveries: 'of a queue: messages delivered for the first time',
  redeliveries: 'of a queue: messages delivered once more',
  acks: 'of a queue: acks that were accepted',
} as const

/**
 * Figures of a run, by name, each with what it means: the one list that scenario files, reports and metrics have.
 * Each is a list with one value for each time that it happened. Before, During and After the faults: by when it began.
 *
 * A leader is lost when it dies; or, where it lives on, at the last commit before somebody else was elected: of a leader that is
 * cut off nobody can say when it stopped being one, but from then on it led nowhere.
 */
const figures = {
  electionsBefore: 'leaders elected before the faults',
  electionsDuring: 'leaders elected while the faults last',
  electionsAfter: 'leaders elected after the healing',
  termGrowthDuring: 'how much the highest term rose while the faults last',
  termGrowthAfter: 'how much the highest term rose after the healing',
  termChangesPerMinuteBefore: 'how fast the highest term rose before the faults',
  termChangesPerMinuteDuring: 'how fast the highest term rose while the faults last',
  termChangesPerMinuteAfter: 'how fast the highest term rose after the healing',
  leadershipsPerNode: 'times that a node was elected, one value for each node',
  campaignsPerNode: 'times that a node asked for votes, one value for each node',
  leadersPerTerm: 'leaders of one term, at most',
  splitVotes: 'terms in which several asked for votes and nobody was elected',
  staleTermMessages: "messages of an earlier term than the receiver's",
  writesBefore: 'writes that were acknowledged before the faults',
  writesDuring: 'writes that were acknowledged while the faults last',
  writesAfter: 'writes that were acknowledged after the healing',
  readsBefore: 'reads that were answered before the faults',
  readsDuring: 'reads that were answered while the faults last',
  readsAfter: 'reads that were answered after the healing',
  resentBefore: 'commands that clients had sent once more, of those that ended before the faults',
  resentDuring: 'the same of those that ended while the faults last',
  resentAfter: 'the same of those that ended after the healing',
  failureRateBefore: 'share of operations before the faults that were refused, or whose outcome nobody knows',
  failureRateDuring: 'the same while the faults last, from 0 to 1',
  failureRateAfter: 'the same after the healing',
  timeToLeaderMs: 'from the death of a leader to the next one',
  timeToLeaderMsBefore: 'from the loss of a leader to the next one, lost before the faults',
  timeToLeaderMsDuring: 'from the loss of a leader to the next one, lost while the faults last',
  timeToLeaderMsAfter: 'from the loss of a leader to the next one, lost after the healing',
  timeToCommitMsBefore: 'from the loss of a leader to the first commit of the next one, before the faults',
  timeToCommitMsDuring:
    'from the loss of a leader to the first commit of the next one, while the faults last',
  timeToCommitMsAfter: 'from the loss of a leader to the first commit of the next one, after the healing',
  timeToReplicatedMsBefore:
    'from the loss of a leader until all members have applied that commit, before the faults',
  timeToReplicatedMsDuring: 'the same, lost while the faults last: it may take until after the healing',
  timeToReplicatedMsAfter: 'the same, lost after the healing',
  recoverySecondsBefore:
    'from the loss of a leader until a write of a client succeeds again, before the faults',
  recoverySecondsDuring:
    'from the loss of a leader until a write of a client succeeds again, while the faults last',
  recoverySecondsAfter:
    'from the loss of a leader until a write of a client succeeds again, after the healing',
  replicaLagMsBefore:
    'how long the slowest member that is up lags behind what is committed, looked at every 50 ms, before the faults',
  replicaLagMsDuring: 'the same while the faults last',
  replicaLagMsAfter: 'the same after the healing',
  longestGapMs: 'longest time between commits while the faults last',
  longestReadGapMs: 'longest time between answered reads while the faults last, where any read was answered',
  healToLeaderMs: 'from the healing to the next leader, where none was',
  healToCommitMs: 'from the healing to the next commit',
  healToReplicatedMs: 'from the healing until all members have all of it',
  uncommittedEntries: 'entries of a leader that were not committed, at most',
  uncommittedBytes: 'bytes of entries of a leader that were not committed, at most',
  inflightBytes: 'bytes on their way from a leader to one other node, at most',
  duplicateVotes: 'vote replies that came twice from the same node in the same term',
  rejectedAppends: 'appends that did not fit the log of their receiver',
  divergencePoints: 'indexes at which a log had parted from its leader, one for each repair',
  overwrittenEntries: 'entries that a repair removed from a log',
  repairRounds:
    'appends that a log refused until its leader had found where they parted, one for each repair',
  repairMs: 'from the first refused append until the log fits its leader, one for each repair',
  acknowledgedLost: 'writes that were acknowledged and are gone at the end of the run; in sim',
  refusedDeeds:
    'deeds that made sense and were refused: changes by nodes, damage by files where there is none to do; in sim by its budget',
  ...counted,
} as const

export type CountedFigure = keyof typeof counted
export const countedFigures = Object.keys(counted) as readonly CountedFigure[]

export type FigureName = keyof typeof figures
export const figureNames = Object.keys(figures) as readonly FigureName[]

/** What a figure is, in a few words. */
export const aboutFigure = (name: FigureName): string => figures[name]

/** What the three phases of a figure have in common. */
export const aboutPhases = (name: FigureName): string =>
  figures[name].replace(/,? (?:lost )?before the faults$/, '')

/** What was measured: of some things one value, of others one for each time. */
export type Figures = Readonly<Record<FigureName, readonly number[]>>
