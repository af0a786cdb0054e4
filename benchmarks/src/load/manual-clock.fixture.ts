/** A clock that a test sets forward. */
import type { LoopClock } from './open-loop.ts'

interface Alarm {
  readonly atMs: number
  readonly then: () => void
}

export class ManualClock implements LoopClock {
  #nowMs = 1000
  #alarms: Alarm[] = []

  now(): number {
    return this.#nowMs
  }

  after(ms: number, then: () => void): () => void {
    const alarm = { atMs: this.#nowMs + ms, then }
    this.#alarms.push(alarm)
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm)
    }
  }

  /** Lets time pass. Before each alarm, and at the end, whoever awaits something that is settled goes on. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      await new Promise(setImmediate)
      const next = this.#alarms.toSorted((left, right) => left.atMs - right.atMs)[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#alarms = this.#alarms.filter((other) => other !== next)
      // One that is overdue is late.
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.then()
    }
    this.#nowMs = untilMs
    await new Promise(setImmediate)
  }

  /** Time passes without anybody getting to do anything: the thread was busy, or was not run. */
  skip(ms: number): void {
    this.#nowMs += ms
  }
}
