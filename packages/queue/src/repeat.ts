/**
 * Messages that come again and again. The schedule lives where its process lives, and goes by its clock; what enters the log are sends
 * with a delay, each occurrence under an id made of the schedule's name and its time: so as many processes as like may run the same
 * schedule, and each occurrence is there once.
 *
 *     next occurrence ─► a minute before ─► send { id: 'name@time', delayMs } ─► the next
 *                                             └─ failed: again, until its time is long past
 *
 * That holds as long as clocks differ by less than the window in which ids are remembered (5 minutes) without that minute. What comes
 * while no process with the schedule runs is left out.
 */
import { invalidOption } from '@troupe/core'
import { Cron } from './cron.ts'
import type { Outgoing, OutgoingOptions } from './producer.ts'
import { isPassing } from './queue-calls.ts'
import { isRefused } from './queue-errors.ts'
import { passed } from './rate-limit.ts'

export interface RepeatOptions extends Omit<OutgoingOptions, 'id' | 'at' | 'delayMs'> {
  /** Distance of occurrences, which are its multiples since 1970. Either this or `cron`. */
  readonly everyMs?: number
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly cron?: string
  /** Of `cron`. @default 'UTC' */
  readonly timeZone?: string
  /** The last one comes before. @default never */
  readonly until?: Date | number
}

const MAX_AHEAD_MS = 60_000
/** A longer timeout would fire at once. */
const MAX_SLEEP_MS = 2 ** 31 - 1
const RETRY_MS = 1000

export class Repeat<T> {
  readonly name: string
  readonly #send: (message: Outgoing<T>) => Promise<unknown>
  readonly #data: T | ((time: Date) => T)
  readonly #options: OutgoingOptions
  readonly #after: (timeMs: number) => number
  readonly #untilMs: number
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>

  /** @throws RaftError INVALID_OPTIONS */
  constructor(
    name: string,
    data: T | ((time: Date) => T),
    options: RepeatOptions,
    send: (message: Outgoing<T>) => Promise<unknown>,
  ) {
    const { everyMs, cron, timeZone, until = Number.POSITIVE_INFINITY, ...others } = options
    this.name = name
    this.#send = send
    this.#data = data
    this.#options = others
    this.#after = scheduleOf(everyMs, cron, timeZone)
    this.#untilMs = Number(until)
    this.#loop = this.#run()
    // Whoever wants to know asks by `done`.
    this.#loop.catch(() => {})
  }

  /** Rejects where the queue takes no such messages; resolves after the last one and after {@link stop}. */
  get done(): Promise<void> {
    return this.#loop
  }

  /** Sends no more; what was sent ahead comes. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop.catch(() => {})
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let timeMs = this.#after(Date.now())
    while (!signal.aborted && timeMs < this.#untilMs) {
      const following = this.#after(timeMs)
      const leadMs = Math.min(MAX_AHEAD_MS, following - timeMs)
      await this.#sleepUntil(timeMs - leadMs)
      if (signal.aborted) return
      await this.#sendAt(timeMs, following)
      // What was missed meanwhile stays so.
      timeMs = Math.max(following, this.#after(Date.now() - leadMs))
    }
  }

  async #sleepUntil(timeMs: number): Promise<void> {
    const { signal } = this.#stop
    for (;;) {
      const leftMs = timeMs - Date.now()
      if (leftMs <= 0 || signal.aborted) return
      await passed(Math.min(leftMs, MAX_SLEEP_MS), signal)
    }
  }

  /** Until it is there, or the next one has come. */
  async #sendAt(timeMs: number, following: number): Promise<void> {
    const { signal } = this.#stop
    const time = new Date(timeMs)
    const data = typeof this.#data === 'function' ? (this.#data as (time: Date) => T)(time) : this.#data
    const id = `${this.name}@${time.toISOString()}`
    while (!signal.aborted) {
      try {
        await this.#send({ ...this.#options, data, id, at: timeMs })
        return
      } catch (error) {
        if (!isPassing(error) && !isRefused(error, 'QUEUE_FULL')) throw error
        if (Date.now() > following) return
        await passed(RETRY_MS, signal)
      }
    }
  }
}

function scheduleOf(
  everyMs: number | undefined,
  cron: string | undefined,
  timeZone: string | undefined,
): (timeMs: number) => number {
  if ((everyMs === undefined) === (cron === undefined))
    throw invalidOption('repeat', { everyMs, cron }, 'either everyMs or cron')
  if (cron !== undefined) {
    const times = new Cron(cron, timeZone)
    return (timeMs) => times.after(timeMs)
  }
  if (!Number.isSafeInteger(everyMs) || (everyMs as number) < 1)
    throw invalidOption('everyMs', everyMs, 'a positive integer')
  const distanceMs = everyMs as number
  return (timeMs) => (Math.floor(timeMs / distanceMs) + 1) * distanceMs
}
