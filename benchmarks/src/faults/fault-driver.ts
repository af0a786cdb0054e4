/** Puts a sustained fault on a cluster, and takes it off again; what it does is marked in a timeline. */
import { hrtimeMs } from '@troupe/actor'
import type { Fault } from '@troupe/cluster'
import type { TestedCluster } from '../engine/tested-cluster.ts'
import type { TimelineEventKind } from '../timeline/timeline.ts'
import type { SustainedFault } from './sustained-faults.ts'

export type FaultyCluster = Pick<TestedCluster, 'inject' | 'heal'>

export interface Marks {
  mark(kind: TimelineEventKind, text: string, atMs?: number): void
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resume) => {
    if (signal.aborted) return resume()
    const timer = setTimeout(resume, ms)
    const wake = (): void => {
      clearTimeout(timer)
      resume()
    }
    signal.addEventListener('abort', wake, { once: true })
  })

export class FaultDriver {
  readonly #cluster: FaultyCluster
  readonly #marks: Marks
  readonly #fault: SustainedFault
  readonly #ending = new AbortController()
  #recurring: Promise<void> = Promise.resolve()
  #strikes = 0

  constructor(cluster: FaultyCluster, fault: SustainedFault, marks: Marks) {
    this.#cluster = cluster
    this.#fault = fault
    this.#marks = marks
  }

  /** How often the fault that recurs has struck. */
  get strikes(): number {
    return this.#strikes
  }

  /** Resolves when what lasts is in effect. @throws what the cluster has against it */
  async begin(): Promise<void> {
    const { lasting, help, recurring } = this.#fault
    for (const fault of lasting) await this.#cluster.inject(fault)
    if (lasting.length > 0) this.#marks.mark('fault', help)
    if (recurring !== undefined) this.#recurring = this.#strikeAgainAndAgain(recurring)
  }

  /** Heals everything. @throws what went wrong meanwhile */
  async end(): Promise<void> {
    this.#ending.abort()
    await this.#recurring
    await this.#cluster.heal()
    if (this.#fault.lasting.length > 0) this.#marks.mark('heal', 'healed')
  }

  async #strikeAgainAndAgain(recurring: NonNullable<SustainedFault['recurring']>): Promise<void> {
    const { fault, everyMs, healAfterMs } = recurring
    const { signal } = this.#ending
    // By the clock, not by pauses: what takes long to heal must not make strikes rarer.
    let nextMs = hrtimeMs() + everyMs / 2
    await pause(everyMs / 2, signal)
    while (!signal.aborted) {
      const injected = await this.#strike(fault)
      await pause(healAfterMs, signal)
      await this.#cluster.heal(injected.id)
      this.#marks.mark('heal', 'healed')
      nextMs += everyMs
      await pause(Math.max(0, nextMs - hrtimeMs()), signal)
    }
  }

  async #strike(fault: Fault): ReturnType<TestedCluster['inject']> {
    const injected = await this.#cluster.inject(fault)
    this.#strikes++
    this.#marks.mark('fault', injected.text, injected.atMs)
    return injected
  }
}
