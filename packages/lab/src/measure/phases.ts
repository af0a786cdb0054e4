import type { RunPhase } from '../events/run-event.ts'

/** When the faults began, and when they were over. */
export class Phases {
  current: RunPhase = 'before'
  duringMs = Number.POSITIVE_INFINITY
  afterMs = Number.POSITIVE_INFINITY

  turnTo(phase: 'during' | 'after', atMs: number): void {
    this.current = phase
    if (phase === 'after') this.afterMs = atMs
    this.duringMs = Math.min(this.duringMs, atMs)
  }

  at(ms: number): RunPhase {
    if (ms >= this.afterMs) return 'after'
    return ms >= this.duringMs ? 'during' : 'before'
  }
}
