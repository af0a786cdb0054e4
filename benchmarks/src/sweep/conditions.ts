/** The conditions of a point that a running cluster can be given: a slow network, slow flushes. */
import type { TestedCluster } from '../engine/tested-cluster.ts'
import type { SweepSettings } from './axes.ts'

export type InjectableCluster = Pick<TestedCluster, 'inject' | 'heal'>

/** Keeps a cluster under the conditions of the point that is measured. */
export class Conditions {
  readonly #cluster: InjectableCluster
  #delayMs = 0
  #flushMs = 0

  constructor(cluster: InjectableCluster) {
    this.#cluster = cluster
  }

  /** Nothing where they are so already. */
  async set({ delayMs, flushMs }: Pick<SweepSettings, 'delayMs' | 'flushMs'>): Promise<void> {
    if (delayMs === this.#delayMs && flushMs === this.#flushMs) return
    await this.#cluster.heal()
    if (delayMs > 0) await this.#cluster.inject({ kind: 'delay', timeMs: delayMs })
    if (flushMs > 0)
      await this.#cluster.inject({ kind: 'storage', mode: 'slow', timeMs: flushMs, nodes: 'all' })
    this.#delayMs = delayMs
    this.#flushMs = flushMs
  }

  /** As it was: the check at the end need not wait for a slow network. */
  async clear(): Promise<void> {
    await this.set({ delayMs: 0, flushMs: 0 })
  }
}
