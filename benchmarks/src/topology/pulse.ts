import { hrtimeMs } from '@troupe/actor'
import type { Client } from '@troupe/cluster'
import { kv } from '@troupe/machines'

/** No key of a workload: those are counted. */
const KEY = 'pulse'
const TIMEOUT_MS = 60_000

/** One write after the other, each begun when the one before is acknowledged: what feels every pause. */
export class Pulse {
  readonly #client: Client
  readonly #times: number[] = []
  readonly #beating: Promise<void>
  #isStopped = false

  constructor(client: Client) {
    this.#client = client
    this.#beating = this.#beat()
    // Told by `stop`.
    this.#beating.catch(() => {})
  }

  async #beat(): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      await this.#client.propose(kv.set(KEY, count), { timeoutMs: TIMEOUT_MS })
      this.#times.push(hrtimeMs())
    }
  }

  /** Ends it; when writes were acknowledged, by the clock of all threads. @throws what a write was refused with */
  async stop(): Promise<readonly number[]> {
    this.#isStopped = true
    await this.#beating
    return this.#times
  }
}

/** The longest time without an acknowledgement that ended after `afterMs`; null where none came after it. */
export function longestPauseMs(times: readonly number[], afterMs: number): number | null {
  let longest: number | null = null
  for (let at = 1; at < times.length; at++) {
    const [before, now] = [times[at - 1] as number, times[at] as number]
    if (now >= afterMs) longest = Math.max(longest ?? 0, now - before)
  }
  return longest
}
