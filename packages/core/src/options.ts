import type { Checksum } from './entry.ts'
import { invalidOption } from './errors.ts'
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
  /** Record bytes of recent entries kept in memory for peers that lag a little. @default 8 MiB */
  readonly maxTailBytes: number
}

/** Everything a core is made of. */
export interface RaftOptions extends RaftKnobs {
  readonly identity: Identity
  readonly configuration: Configuration
  readonly random: Random
  readonly checksum: Checksum
  readonly tracer?: Tracer | undefined
}

export const defaultRaftKnobs: RaftKnobs = Object.freeze({
  electionTimeoutMinMs: 300,
  electionTimeoutMaxMs: 600,
  heartbeatIntervalMs: 50,
  goneStaggerMs: 2,
  goneRetryMs: 8,
  preVote: true,
  checkQuorum: true,
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
] as const

const POSITIVE_NUMBERS = ['electionTimeoutMinMs', 'electionTimeoutMaxMs', 'heartbeatIntervalMs'] as const

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
  checkNotNegative('goneStaggerMs', knobs.goneStaggerMs)
  checkPositive('goneRetryMs', knobs.goneRetryMs, false)
  for (const field of ['preVote', 'checkQuorum'] as const) {
    if (typeof knobs[field] !== 'boolean') throw invalidOption(`raft.${field}`, knobs[field], 'true or false')
  }
  checkTimeouts(knobs)
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

function checkNotNegative(field: keyof RaftKnobs, value: unknown): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw invalidOption(`raft.${field}`, value, 'a number that is not negative')
  }
}
