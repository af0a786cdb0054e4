/**
 * Tasks at their time, over the timers of a worker: a queue in order and one timer for its first task. Timers alone would
 * not keep the order: they count whole milliseconds from when each was set.
 */
import type { Clock } from '@troupe/core'
import type { Scheduler } from '@troupe/faults'

interface Task {
  readonly atMs: number
  readonly run: () => void
}

export class TimerScheduler implements Scheduler {
  readonly #clock: Clock
  /** Ascending; of the same time in the order they were given. */
  readonly #tasks: Task[] = []
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY

  /** @param clock the true one */
  constructor(clock: Clock) {
    this.#clock = clock
  }

  schedule(atMs: number, task: () => void): void {
    // Most tasks come behind all others: looked for from the end.
    let place = this.#tasks.length
    while (place > 0 && (this.#tasks[place - 1] as Task).atMs > atMs) place--
    this.#tasks.splice(place, 0, { atMs, run: task })
    this.#arm()
  }

  /** Drops what waits. */
  close(): void {
    this.#tasks.length = 0
    clearTimeout(this.#timer)
  }

  #arm(): void {
    const first = this.#tasks[0]
    if (first === undefined || first.atMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = first.atMs
    const delayMs = Math.max(0, Math.ceil(first.atMs - this.#clock.nowMs()))
    this.#timer = setTimeout(() => this.#fire(), delayMs)
  }

  #fire(): void {
    this.#dueMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.nowMs()
    let count = 0
    while (count < this.#tasks.length && (this.#tasks[count] as Task).atMs <= nowMs) count++
    for (const { run } of this.#tasks.splice(0, count)) run()
    this.#arm()
  }
}
