/** A run with the queue machine instead of the kv: how its queue is, and what its clients do. */
import type { RaftKnobs } from '@troupe/core'
import type { Dice } from '../dice.ts'

/** The name of the only queue. */
export const QUEUE = 'q'

export interface QueueWorkload {
  /** Whether the nodes run the queue machine, and the clients use that. */
  readonly isOn: boolean
  readonly prefetch: number
  readonly leaseMs: number
  /** Failures after which a message is dead. */
  readonly attempts: number
  readonly backoffMs: number
  readonly maxMessages: number
  /** Share of the messages that have a key; and of those that have an id, by which they may be sent again. */
  readonly keyed: number
  readonly named: number
  /** Share of the sends that are delayed, and the mean of that. */
  readonly delayed: number
  readonly delayMs: number
}

/** Off; and as plain as it can be. */
export const plainQueue: QueueWorkload = {
  isOn: false,
  prefetch: 4,
  leaseMs: 1000,
  attempts: 3,
  backoffMs: 0,
  maxMessages: 100_000,
  keyed: 0.5,
  named: 0.5,
  delayed: 0,
  delayMs: 0,
}

/** So many leases of a message end at most: it is never dead of that, so that only its consumers decide about it. */
const MOST_LOSSES = 200

/** @param faultMs length of the phase with faults */
export function drawQueue(dice: Dice, faultMs: number): QueueWorkload {
  return {
    isOn: true,
    prefetch: dice.pick([1, 2, 8, 64]),
    leaseMs: Math.ceil(Math.max(dice.magnitude(50, 5000), faultMs / MOST_LOSSES)),
    attempts: dice.pick([1, 3, 255]),
    backoffMs: dice.pick([0, 100]),
    maxMessages: dice.pick([20, 100_000, 100_000]),
    keyed: dice.between(0, 1),
    named: dice.between(0, 1),
    delayed: dice.pick([0, 0.3]),
    delayMs: dice.magnitude(10, 2000),
  }
}

/** Of a piece of a snapshot, where snapshots are frequent: of most queues it takes several. */
const LEAST_CHUNK_BYTES = 4096

/**
 * The knobs of a cluster with a queue. The state of a queue grows beyond that of some keys, and clients make entries until it is
 * drained: where a snapshot is taken every few of them, and came in pieces of some bytes, a follower that needs one would be
 * behind again whenever it has one.
 */
export function knobsForQueue(knobs: RaftKnobs): RaftKnobs {
  const { snapshotEntries, snapshotBytes, snapshotChunkBytes } = knobs
  const areFrequent = isWithin(snapshotEntries, 20) || isWithin(snapshotBytes, 3000)
  if (!areFrequent) return knobs
  return { ...knobs, snapshotChunkBytes: Math.max(snapshotChunkBytes, LEAST_CHUNK_BYTES) }
}

/** Whether a bound is on, and no more than `most`. */
const isWithin = (bound: number, most: number): boolean => bound > 0 && bound <= most

/** Of its machine: segments so small that they are left, emptied and copied all the time. */
export const queueMachineOptions = { segmentBytes: 2048, maxMessageBytes: 512 } as const
