/**
 * What a scenario is played on, and what the director needs of it: the world of the simulator (sim/sim-world.ts) or a real
 * cluster (real/real-world.ts). Steps become deeds, which are data; a world does them.
 */
import type { Deed, Dice } from '@troupe/sim'
import type { ToxicOrder } from '../proxy/toxic.ts'

/** What only streams can have. */
export interface ToxicDeed {
  readonly do: 'toxic'
  /** Written `n1>n2`. */
  readonly links: readonly string[]
  readonly order: ToxicOrder
  readonly forMs: number
}

/** What only real nodes have: a heap, which is filled so far. */
export interface HeapDeed {
  readonly do: 'fillHeap'
  readonly node: string
  readonly percent: number
  readonly forMs: number
}

/** It dies of the limit of its heap; in virtual time it just dies. */
export interface OutOfMemoryDeed {
  readonly do: 'outOfMemory'
  readonly node: string
  /** How long it is down. */
  readonly forMs: number
}

/** A world is asked for no more than its engine has said that it can do. */
export type LabDeed = Deed | ToxicDeed | HeapDeed | OutOfMemoryDeed

export interface DirectedWorld {
  /** Since it began: virtual or real. */
  readonly nowMs: number
  /** All chance. */
  readonly dice: Dice
  readonly nodeIds: readonly string[]
  /** Who is a member now; empty before anything is known. */
  readonly memberIds: readonly string[]
  /** Who leads, in the latest term. */
  readonly leader: string | undefined
  /** Who believes to lead. */
  readonly primaries: readonly string[]
  readonly clientNames: readonly string[]
  /** Connections that stand. */
  readonly connected: readonly { readonly client: string; readonly node: string }[]
  readonly acknowledgedWrites: number
  /** Whether all members have all that is committed, and nothing else. */
  readonly isSettled: boolean
  /** Whether all members are up, and nothing of their logs is damaged. */
  readonly isWhole: boolean
  readonly isHealed: boolean
  isUp(node: string): boolean
  after(delayMs: number, run: () => void): void
  /**
   * Does it, where it makes sense; `then` is told whether it did, when it is in effect: perhaps within this call. `refused` is
   * told why it is not done although it makes sense: before `then`, or later of what was only begun.
   */
  perform(deed: LabDeed, then: (isDone: boolean) => void, refused: (why: string) => void): void
  /** For the timeline. */
  line(text: string): void
  /** All phases are over: everything is healed, for good. */
  heal(): void
  /** The run shows nothing: it ends now. */
  giveUp(): void
}
