/**
 * What the main thread tells the inside of a node's worker about faults, over its control port: effects that are
 * switched on and off at the decorators of its ports, and what a thread can only do to itself. Plain values.
 */
import type { NodeId } from '@troupe/core'
import type { ClockEffect, LinkRule, StoreEffect } from '@troupe/faults'

/** Switches an effect on, at the node's transport, store or clock. */
export type EffectOrder =
  | { readonly kind: 'add'; readonly at: 'links'; readonly id: number; readonly effect: LinkRule }
  | { readonly kind: 'add'; readonly at: 'store'; readonly id: number; readonly effect: StoreEffect }
  | { readonly kind: 'add'; readonly at: 'clock'; readonly id: number; readonly effect: ClockEffect }

export type FaultOrder =
  | EffectOrder
  | { readonly kind: 'remove'; readonly at: EffectOrder['at']; readonly id: number }
  /** A clock that stands still after a jump back goes on from where it stands. */
  | { readonly kind: 'settle' }
  /** Believe no news of the end of that peer, until it is connected again. */
  | { readonly kind: 'silence'; readonly peer: NodeId }
  /** Stop the thread at the gate that was handed over at birth, right after the answer. */
  | { readonly kind: 'pause' }
  /** Keep the thread busy for so long, right after the answer. */
  | { readonly kind: 'stall'; readonly forMs: number }

/** What a node that can have faults is born with. */
export interface FaultBirth {
  /** Of a {@link PauseGate}. */
  readonly gate: SharedArrayBuffer
  /** What is on already when it starts. */
  readonly effects: readonly EffectOrder[]
  readonly seed: number
}
