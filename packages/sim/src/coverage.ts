/** How often what a run is about has happened: proof that it reached the dangerous places. */
export interface Coverage {
  /** Events handed to nodes. */
  coreEvents: number
  turns: number
  framesSent: number
  framesLost: number
  framesCorrupted: number
  elections: number
  commits: number
  snapshotsSaved: number
  snapshotsInstalled: number
  crashes: number
  /** Crashes that lost requests which were not flushed. */
  lostWrites: number
  wipes: number
  rejoins: number
  flips: number
  rollbacks: number
  /** Nodes that went down because of what they read from their disk. */
  damageCrashes: number
  storageFailures: number
  /** Nodes that died at the limit of their heap, where they have one of their own. */
  heapDeaths?: number
  configurations: number
  jointConfigurations: number
  transfers: number
  faults: number
  writes: number
  /** Writes of which nobody knows. */
  openWrites: number
  reads: number
  staleReads: number
  refusals: number
  /** Writes whose clients were told that a leader's disk is full. */
  spaceRefusals: number
  /** Commands whose clients were told that they are no commands: too large, for one. */
  sizeRefusals?: number
  /** Commands that clients have sent once more, of those that are over. */
  resentCommands?: number
  /** Histories that the checker of linearizability gave up on. */
  undecidedHistories: number
  /** Nodes that their supervisor gave up. */
  quarantines?: number
  /** Of runs with a queue alone. */
  sends?: number
  repeatedSends?: number
  openSends?: number
  deliveries?: number
  redeliveries?: number
  acks?: number
  /** Of messages that the consumer did not hold any more. */
  lateSettlements?: number
  otherSettlements?: number
}

/** Nothing has happened to a queue yet. */
export const noQueueCoverage = (): Partial<Coverage> => ({
  sends: 0,
  repeatedSends: 0,
  openSends: 0,
  deliveries: 0,
  redeliveries: 0,
  acks: 0,
  lateSettlements: 0,
  otherSettlements: 0,
})

/** Nothing has happened yet. */
export const noCoverage = (): Coverage => ({
  coreEvents: 0,
  turns: 0,
  framesSent: 0,
  framesLost: 0,
  framesCorrupted: 0,
  elections: 0,
  commits: 0,
  snapshotsSaved: 0,
  snapshotsInstalled: 0,
  crashes: 0,
  lostWrites: 0,
  wipes: 0,
  rejoins: 0,
  flips: 0,
  rollbacks: 0,
  damageCrashes: 0,
  storageFailures: 0,
  configurations: 0,
  jointConfigurations: 0,
  transfers: 0,
  faults: 0,
  writes: 0,
  openWrites: 0,
  reads: 0,
  staleReads: 0,
  refusals: 0,
  spaceRefusals: 0,
  undecidedHistories: 0,
})
