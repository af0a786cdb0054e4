/**
 * What waits to be sent over a connection: a queue for each lane, the more urgent lane first, each bounded.
 */
import { invalidOption, type MessageKind } from '@troupe/core'

/** From the most urgent on. The first two share one connection, the last two the other. */
export const LANES = ['votes', 'acknowledgements', 'appends', 'snapshots'] as const

export type Lane = (typeof LANES)[number]

/** The lane of each kind of message. */
export const LANE_OF: Readonly<Record<MessageKind, Lane>> = Object.freeze({
  preVoteRequest: 'votes',
  preVoteReply: 'votes',
  voteRequest: 'votes',
  voteReply: 'votes',
  heartbeat: 'votes',
  heartbeatReply: 'votes',
  timeoutNow: 'votes',
  appendReply: 'acknowledgements',
  readIndexRequest: 'acknowledgements',
  readIndexReply: 'acknowledgements',
  proposalRefused: 'acknowledgements',
  snapshotOffer: 'acknowledgements',
  snapshotPull: 'acknowledgements',
  repairRequest: 'acknowledgements',
  // Those without entries too: they would overtake the ones before them, and be refused.
  appendRequest: 'appends',
  proposal: 'appends',
  repairReply: 'appends',
  snapshotChunk: 'snapshots',
})

/** How much may wait in one lane for one peer. */
export interface LaneLimits {
  readonly maxFrames: number
  readonly maxBytes: number
}

/** Above what a leader's in-flight bounds allow, so that those never meet them. */
export const defaultLaneLimits: Readonly<Record<Lane, LaneLimits>> = Object.freeze({
  votes: Object.freeze({ maxFrames: 1024, maxBytes: 1 << 20 }),
  acknowledgements: Object.freeze({ maxFrames: 4096, maxBytes: 8 << 20 }),
  appends: Object.freeze({ maxFrames: 4096, maxBytes: 256 << 20 }),
  snapshots: Object.freeze({ maxFrames: 64, maxBytes: 64 << 20 }),
})

/** @throws RaftError INVALID_OPTIONS for an unknown lane or a bound that is no number above 0 */
export function resolveLaneLimits(
  given: Partial<Record<Lane, Partial<LaneLimits>>> = {},
): Readonly<Record<Lane, LaneLimits>> {
  for (const [lane, limits] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLaneLimits, lane)) {
      throw invalidOption(`lanes.${lane}`, limits, `one of the lanes ${LANES.join(', ')}`)
    }
    for (const [field, value] of Object.entries(limits)) {
      if (!(value > 0)) throw invalidOption(`lanes.${lane}.${field}`, value, 'a number above 0')
    }
  }
  const resolved = LANES.map((lane) => [lane, { ...defaultLaneLimits[lane], ...given[lane] }])
  return Object.fromEntries(resolved) as Record<Lane, LaneLimits>
}

/** One lane. A frame larger than the whole bound is taken where nothing waits: it goes alone. */
export class LaneQueue {
  readonly #limits: LaneLimits
  /** Those before `#head` are gone. */
  #frames: Uint8Array[] = []
  #head = 0
  #bytes = 0

  constructor(limits: LaneLimits) {
    this.#limits = limits
  }

  get frameCount(): number {
    return this.#frames.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether there was room. */
  push(frame: Uint8Array): boolean {
    const { maxFrames, maxBytes } = this.#limits
    const { frameCount } = this
    if (frameCount >= maxFrames) return false
    if (frameCount > 0 && this.#bytes + frame.byteLength > maxBytes) return false
    this.#frames.push(frame)
    this.#bytes += frame.byteLength
    return true
  }

  /** The oldest frame, taken out. */
  shift(): Uint8Array | undefined {
    const frame = this.#frames[this.#head]
    if (frame === undefined) return undefined
    this.#head++
    this.#bytes -= frame.byteLength
    // Given free in one go: shifting an array for each frame would be quadratic.
    if (this.#head === this.#frames.length || this.#head >= 1024) {
      this.#frames = this.#frames.slice(this.#head)
      this.#head = 0
    }
    return frame
  }
}
