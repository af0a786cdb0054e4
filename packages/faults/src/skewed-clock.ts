/**
 * A clock that runs too fast or too slow, or jumps, as seen by one node.
 *
 *     reading = anchor + rate × (true time since the anchor) + steps taken
 *
 * What a fault has added stays when it is healed: where a monotonic clock begins means nothing.
 */
import type { Clock } from '@troupe/core'
import type { Switchboard } from './ports.ts'
import type { ClockEffect } from './vocabulary.ts'

export interface SkewedClockOptions {
  /**
   * Whether a jump back shows. Otherwise the clock stands still until it has caught up, as a monotonic one would
   * have to. @default false
   */
  readonly mayRunBackwards?: boolean | undefined
}

type Rate = Extract<ClockEffect, { mode: 'rate' }>
type Step = Extract<ClockEffect, { mode: 'step' | 'strobe' }>

/** A step and when it began. */
interface StepState {
  readonly effect: Step
  readonly sinceMs: number
}

export class SkewedClock implements Clock, Switchboard<ClockEffect> {
  readonly #inner: Clock
  readonly #mayRunBackwards: boolean
  readonly #rates = new Map<number, Rate>()
  readonly #steps = new Map<number, StepState>()
  #anchorTrueMs: number
  #anchorMs: number
  /** The highest reading given out. */
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(inner: Clock, options: SkewedClockOptions = {}) {
    this.#inner = inner
    this.#mayRunBackwards = options.mayRunBackwards ?? false
    this.#anchorTrueMs = inner.nowMs()
    this.#anchorMs = this.#anchorTrueMs
  }

  nowMs(): number {
    const readingMs = this.#readingAt(this.#inner.nowMs())
    this.#lastMs = this.#mayRunBackwards ? readingMs : Math.max(this.#lastMs, readingMs)
    return this.#lastMs
  }

  /** A bump happens at once and is not kept; the other effects last until they are removed. */
  add(id: number, effect: ClockEffect): void {
    this.#anchor()
    if (effect.mode === 'bump') this.#anchorMs += effect.byMs
    else if (effect.mode === 'rate') this.#rates.set(id, effect)
    else this.#steps.set(id, { effect, sinceMs: this.#anchorTrueMs })
  }

  remove(id: number): void {
    this.#anchor()
    this.#rates.delete(id)
    const step = this.#steps.get(id)
    if (step === undefined) return
    this.#anchorMs += jumpedMs(step, this.#anchorTrueMs)
    this.#steps.delete(id)
  }

  /** Lets a clock that stands still after a jump back go on from where it stands. Tells whether it did stand still. */
  settle(): boolean {
    if (this.#mayRunBackwards) return false
    const behindMs = this.#lastMs - this.#readingAt(this.#inner.nowMs())
    if (behindMs > 0) this.#anchorMs += behindMs
    return behindMs > 0
  }

  /**
   * When to look again for a deadline of the node: the true time at which this clock reads `readingMs`, or the next
   * step where that comes before. The deadline is not missed, but may need another look.
   */
  trueMsOf(readingMs: number): number {
    const trueMs = this.#inner.nowMs()
    if (this.nowMs() >= readingMs) return trueMs
    let earliestMs = trueMs + (readingMs - this.#readingAt(trueMs)) / this.#rate()
    for (const { effect, sinceMs } of this.#steps.values()) {
      const taken = Math.floor((trueMs - sinceMs) / effect.everyMs)
      earliestMs = Math.min(earliestMs, sinceMs + (taken + 1) * effect.everyMs)
    }
    return earliestMs
  }

  /** The rates change: what the old ones have made of the time so far is kept. */
  #anchor(): void {
    const trueMs = this.#inner.nowMs()
    this.#anchorMs += (trueMs - this.#anchorTrueMs) * this.#rate()
    this.#anchorTrueMs = trueMs
  }

  #readingAt(trueMs: number): number {
    let readingMs = this.#anchorMs + (trueMs - this.#anchorTrueMs) * this.#rate()
    for (const step of this.#steps.values()) readingMs += jumpedMs(step, trueMs)
    return readingMs
  }

  #rate(): number {
    let rate = 1
    for (const effect of this.#rates.values()) rate *= effect.rate
    return rate
  }
}

function jumpedMs({ effect, sinceMs }: StepState, trueMs: number): number {
  const jumps = Math.floor((trueMs - sinceMs) / effect.everyMs)
  // Every second jump goes back.
  return (effect.mode === 'strobe' ? jumps % 2 : jumps) * effect.byMs
}
