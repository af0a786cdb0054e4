/**
 * What the inside of a node is told about faults, by the main thread over its control port or by the fault desk of its
 * process: effects that are switched on and off at the decorators of its ports, and what a thread can only do to itself.
 * Plain values.
 */
import type { NodeId } from '@troupe/core'
import type { ClockEffect, FailpointEffect, HeapEffect, LinkRule, StoreEffect } from '@troupe/faults'

/** Switches an effect on, at the node's transport, store or clock, at a place in it, in its heap. */
export type EffectOrder =
  | { readonly kind: 'add'; readonly at: 'links'; readonly id: number; readonly effect: LinkRule }
  | { readonly kind: 'add'; readonly at: 'store'; readonly id: number; readonly effect: StoreEffect }
  | { readonly kind: 'add'; readonly at: 'clock'; readonly id: number; readonly effect: ClockEffect }
  | {
      readonly kind: 'add'
      readonly at: 'failpoints'
      readonly id: number
      readonly effect: FailpointEffect
    }
  | { readonly kind: 'add'; readonly at: 'heap'; readonly id: number; readonly effect: HeapEffect }

export type FaultOrder =
  | EffectOrder
  | { readonly kind: 'remove'; readonly at: EffectOrder['at']; readonly id: number }
  /** A clock that stands still after a jump back goes on from where it stands. */
  | { readonly kind: 'settle' }
  /** Believe no news of the end of that peer, until it is connected again. */
  | { readonly kind: 'silence'; readonly peer: NodeId }
  /** Stop the thread right after the answer: for so long, or until the gate is opened that was handed over at birth. */
  | { readonly kind: 'pause'; readonly forMs?: number }
  /** Keep the thread busy for so long, right after the answer. */
  | { readonly kind: 'stall'; readonly forMs: number }

/** What a node that can have faults is born with. */
export interface FaultBirth {
  /** Of a {@link PauseGate}; undefined where no other thread is there that could open it. */
  readonly gate: SharedArrayBuffer | undefined
  /** What is on already when it starts. */
  readonly effects: readonly EffectOrder[]
  readonly seed: number
}
