/** Traces and profiles of nodes in processes of their own, as `Cluster.instruments` takes them of threads. */
import type { CpuProfile } from '@troupe/actor'
import type { NodeTrace } from '@troupe/cluster'
import type { NodeId } from '@troupe/core'
import type { InstrumentedCluster } from '../engine/tested-cluster.ts'
import type { BenchmarkNode } from './protocol.ts'

/** A trace is some ten megabytes, which go from process to process. */
const TAKE_TIMEOUT_MS = 60_000

export class ProcessInstruments implements InstrumentedCluster {
  readonly #running: () => Iterable<BenchmarkNode>

  constructor(running: () => Iterable<BenchmarkNode>) {
    this.#running = running
  }

  async startTraces(): Promise<void> {
    await this.#ask('startTrace')
  }

  async takeTraces(): Promise<Map<NodeId, NodeTrace>> {
    return (await this.#ask('takeTrace')) as Map<NodeId, NodeTrace>
  }

  async startProfiles(): Promise<void> {
    await this.#ask('startProfile')
  }

  async takeProfiles(): Promise<Map<NodeId, CpuProfile>> {
    return (await this.#ask('takeProfile')) as Map<NodeId, CpuProfile>
  }

  /** The answers of all running nodes that have one. */
  async #ask(
    name: 'startTrace' | 'takeTrace' | 'startProfile' | 'takeProfile',
  ): Promise<Map<NodeId, unknown>> {
    const answers = new Map<NodeId, unknown>()
    const ask = async (child: BenchmarkNode): Promise<void> => {
      const answer = await child.call(name, undefined, TAKE_TIMEOUT_MS)
      if (answer !== undefined && answer !== null) answers.set(child.id, answer)
    }
    await Promise.all(Array.from(this.#running(), ask))
    return answers
  }
}
