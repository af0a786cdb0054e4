/**
 * Faults that nodes in processes of their own have at their own ports: decorators of what they send, of their store, of their
 * clock. They are asked for as `troupe fault inject` does it, and end with the cluster at the latest.
 */
import { hrtimeMs } from '@troupe/actor'
import { type Fault, MAX_FAULT_MS, RemoteCluster } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import type { DialingSettings } from '../engine/tested-cluster.ts'

/** A fault that is in effect. */
export interface Deed {
  readonly text: string
  /** When the last of the nodes had said that it is. */
  readonly atMs: number
  /** @throws RaftError NODE_UNAVAILABLE where a node was not reached; Error where it was over before */
  readonly end: () => Promise<void>
}

export class NodeDeeds {
  readonly #seeds: readonly string[]
  readonly #dialing: DialingSettings
  #operator: Promise<RemoteCluster> | undefined

  /** Connects when the first is asked for. */
  constructor(seeds: readonly string[], dialing: DialingSettings) {
    this.#seeds = seeds
    this.#dialing = dialing
  }

  /** @throws RaftError INVALID_OPTIONS for what a process cannot do to itself, NODE_UNAVAILABLE; then nothing has happened */
  async begin(fault: Fault): Promise<Deed> {
    const { faults } = await this.#connected()
    const { id, text } = await faults.inject(fault, { forMs: MAX_FAULT_MS })
    const atMs = hrtimeMs()
    return { text, atMs, end: () => this.#end(id, text, atMs) }
  }

  /** Idempotent. */
  close(): void {
    this.#operator?.then((operator) => operator.close()).catch(() => {})
    this.#operator = undefined
  }

  async #end(id: string, text: string, atMs: number): Promise<void> {
    const { faults } = await this.#connected()
    const { missing } = await faults.destroy(id)
    const [first] = missing
    if (first !== undefined)
      throw new RaftError('NODE_UNAVAILABLE', `${text} goes on at ${first.node}: ${first.reason}`, first)
    // What was measured meanwhile was not measured under it.
    if (hrtimeMs() - atMs >= MAX_FAULT_MS) throw new Error(`${text}: it ended by itself after an hour`)
  }

  #connected(): Promise<RemoteCluster> {
    this.#operator ??= RemoteCluster.connect(this.#seeds, this.#dialing).catch((error) => {
      this.#operator = undefined
      throw error
    })
    return this.#operator
  }
}
