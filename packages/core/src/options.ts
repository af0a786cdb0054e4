import type { Checksum } from './entry.ts'
import { invalidOption } from './errors.ts'
import type { KeptState } from './kept-state.ts'
import type { Random, Tracer } from './ports.ts'
import type { Configuration, Identity } from './types.ts'

/** The knobs of the protocol. All optional for users; resolved once into {@link RaftOptions}. */
export interface RaftKnobs {
  /** Shortest time without a leader before a follower asks for votes. @default 300 */
  readonly electionTimeoutMinMs: number
  /** Longest such time; each wait is drawn anew between the two (Raft §9.3). @default 600 */
  readonly electionTimeoutMaxMs: number
  /** Time between heartbeats of an idle leader. @default 50 */
  readonly heartbeatIntervalMs: number
  /** Longest random wait before a pre-vote when the leader is reported gone. @default 2 */
  readonly goneStaggerMs: number
  /** First wait before another pre-vote in that case; doubles up to the election timeout. @default 8 */
  readonly goneRetryMs: number
  /** Ask for pre-votes before a term is begun (thesis §9.6). @default true */
  readonly preVote: boolean
  /** A leader that hears from no quorum for an election timeout steps down (thesis §6.2). @default true */
  readonly checkQuorum: boolean
  /** Record bytes in one AppendEntries message; a single larger entry still goes. @default 1 MiB */
  readonly maxAppendBytes: number
  /**
   * Serve reads from a lease instead of a round of heartbeats, where clients ask for it (thesis §6.4.1). Needs
   * `checkQuorum`. Voters then protect a leader until a whole election timeout has passed or its death is proven: a
   * closed connection no longer shortens an election. @default false
   */
  readonly leaseReads: boolean
  /**
   * How much faster one node's clock may run than another's, as a fraction: the lease is shortened by it. Beyond it,
   * lease reads may be stale. @default 0.1
   */
  readonly maxClockDrift: number
  /**
   * From 0 to 100. A node with less waits longer before it asks for votes: half a maximal election timeout more at
   * 50, a whole one at 0. Safety and liveness do not depend on it. @default 100
   */
  readonly electionPriority: number
  /** Longest time for a leadership transfer, then it is given up. @default 1000 */
  readonly transferTimeoutMs: number
  /** A leader whose oldest write is not flushed after this time steps down. @default 2000 */
  readonly maxPersistStallMs: number
  /** Hand proposals made at a follower to the leader, instead of refusing them with NOT_LEADER. @default false */
  readonly forwardProposals: boolean
  /** Entries since the last snapshot after which another is taken; 0: never by their number. @default 20,000 */
  readonly snapshotEntries: number
  /**
   * Record bytes since the last snapshot after which another is taken; 0: never by them. A large state waits for more: see
   * `snapshotter.ts`. @default 256 MiB
   */
  readonly snapshotBytes: number
  /** Entries kept behind a snapshot, for followers that lag a little. @default 2000 */
  readonly keepEntries: number
  /** Bytes of a snapshot in one message, and taken from the application in one turn. @default 256 KiB */
  readonly snapshotChunkBytes: number
  /** AppendEntries messages on their way to one peer. @default 64 */
  readonly maxInflightMessages: number
  /** Record bytes on their way to one peer. @default 16 MiB */
  readonly maxInflightBytes: number
  /** Entries of a leader that are not yet committed; more proposals wait for the next drain. @default 64 */
  readonly maxUncommittedEntries: number
  /** Record bytes of a leader that are not yet committed; beyond, proposals get BUSY. @default 64 MiB */
  readonly maxUncommittedBytes: number
  /** Record bytes handed out for apply in one Ready. @default 4 MiB */
  readonly maxApplyBytes: number
  /** Record bytes of recent entries that a leader keeps in memory, at most, for peers that lag a little. @default 8 MiB */
  readonly maxTailBytes: number
}

/** Everything a core is made of. */
export interface RaftOptions extends RaftKnobs {
  readonly identity: Identity
  /**
   * The configuration that the log begins with (bootstrap); without voters in a node that joins: it is passive until
   * a leader brings it one.
   */
  readonly configuration: Configuration
  readonly random: Random
  readonly checksum: Checksum
  readonly tracer?: Tracer | undefined
  /** `Application.kept`: it goes on from there if the log does. Unless it was at rest, nothing that is not flushed here is handed out to it. */
  readonly kept?: KeptState | undefined
}

export const defaultRaftKnobs: RaftKnobs = Object.freeze({
  electionTimeoutMinMs: 300,
  electionTimeoutMaxMs: 600,
  heartbeatIntervalMs: 50,
  goneStaggerMs: 2,
  goneRetryMs: 8,
  preVote: true,
  checkQuorum: true,
  leaseReads: false,
  maxClockDrift: 0.1,
  electionPriority: 100,
  transferTimeoutMs: 1000,
  maxPersistStallMs: 2000,
  forwardProposals: false,
  snapshotEntries: 20_000,
  snapshotBytes: 256 << 20,
  keepEntries: 2000,
  snapshotChunkBytes: 256 << 10,
  maxAppendBytes: 1 << 20,
  maxInflightMessages: 64,
  maxInflightBytes: 16 << 20,
  maxUncommittedEntries: 64,
  maxUncommittedBytes: 64 << 20,
  maxApplyBytes: 4 << 20,
  maxTailBytes: 8 << 20,
})

const POSITIVE_INTEGERS = [
  'maxAppendBytes',
  'maxInflightMessages',
  'maxInflightBytes',
  'maxUncommittedEntries',
  'maxUncommittedBytes',
  'maxApplyBytes',
  'maxTailBytes',
  'snapshotChunkBytes',
] as const

const COUNTS = ['snapshotEntries', 'snapshotBytes', 'keepEntries'] as const

const POSITIVE_NUMBERS = [
  'electionTimeoutMinMs',
  'electionTimeoutMaxMs',
  'heartbeatIntervalMs',
  'goneRetryMs',
  'transferTimeoutMs',
  'maxPersistStallMs',
] as const

const BOOLEANS = ['preVote', 'checkQuorum', 'leaseReads', 'forwardProposals'] as const

/**
 * Fills in the defaults and checks every field and the rules between them.
 * @throws RaftError INVALID_OPTIONS naming the field, its value and what is expected
 */
export function resolveRaftKnobs(given: Partial<RaftKnobs> = {}): RaftKnobs {
  for (const field of Object.keys(given)) {
    if (!Object.hasOwn(defaultRaftKnobs, field)) {
      const known = Object.keys(defaultRaftKnobs).join(', ')
      throw invalidOption(`raft.${field}`, given[field as keyof RaftKnobs], `one of the options ${known}`)
    }
  }
  const present = Object.entries(given).filter(([, value]) => value !== undefined)
  const knobs: RaftKnobs = { ...defaultRaftKnobs, ...Object.fromEntries(present) }
  for (const field of POSITIVE_INTEGERS) checkPositive(field, knobs[field], true)
  for (const field of POSITIVE_NUMBERS) checkPositive(field, knobs[field], false)
  for (const field of COUNTS) checkCount(field, knobs[field])
  checkBetween('goneStaggerMs', knobs.goneStaggerMs, 0, Number.MAX_VALUE)
  checkBetween('maxClockDrift', knobs.maxClockDrift, 0, 1)
  checkBetween('electionPriority', knobs.electionPriority, 0, 100)
  for (const field of BOOLEANS) {
    if (typeof knobs[field] !== 'boolean') throw invalidOption(`raft.${field}`, knobs[field], 'true or false')
  }
  checkTimeouts(knobs)
  if (knobs.leaseReads && !knobs.checkQuorum) {
    throw invalidOption('raft.leaseReads', true, 'checkQuorum to be true with it')
  }
  return Object.freeze(knobs)
}

function checkTimeouts(knobs: RaftKnobs): void {
  const { electionTimeoutMinMs: min, electionTimeoutMaxMs: max, heartbeatIntervalMs: heartbeat } = knobs
  if (max < min)
    throw invalidOption('raft.electionTimeoutMaxMs', max, `at least electionTimeoutMinMs (${min})`)
  if (heartbeat >= min) {
    throw invalidOption('raft.heartbeatIntervalMs', heartbeat, `less than electionTimeoutMinMs (${min})`)
  }
  for (const field of ['goneStaggerMs', 'goneRetryMs'] as const) {
    if (knobs[field] > min)
      throw invalidOption(`raft.${field}`, knobs[field], `at most electionTimeoutMinMs (${min})`)
  }
}

function checkPositive(field: keyof RaftKnobs, value: unknown, integer: boolean): void {
  const fits = integer ? Number.isSafeInteger(value) : typeof value === 'number' && Number.isFinite(value)
  if (!fits || (value as number) <= 0) {
    throw invalidOption(`raft.${field}`, value, integer ? 'a positive integer' : 'a positive number')
  }
}

function checkCount(field: keyof RaftKnobs, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw invalidOption(`raft.${field}`, value, 'an integer of at least 0')
  }
}

function checkBetween(field: keyof RaftKnobs, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return
  const range =
    most === Number.MAX_VALUE ? 'a number that is not negative' : `a number from ${least} to ${most}`
  throw invalidOption(`raft.${field}`, value, range)
}
