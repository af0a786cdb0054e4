/** Looking into running nodes: where time goes. Off, and at no cost, until asked for. */
import type { CpuProfile } from '@troupe/actor'
import type { NodeId } from '@troupe/core'
import { exposition, joinedFamilies } from './metrics/exposition.ts'
import { nodeFamilies } from './metrics/node-reading.ts'
import type { NodeControl } from './node-control.ts'
import type { NodeTrace } from './stage-trace.ts'

/** A node that runs, and the part of its control plane that is used here. */
export interface InstrumentedNode {
  readonly id: NodeId
  readonly api: Pick<NodeControl, 'startTrace' | 'takeTrace' | 'startProfile' | 'takeProfile' | 'measures'>
}

/** Of the nodes that run in this process at the time of a call. */
export class Instruments {
  readonly #running: () => Iterable<InstrumentedNode>

  constructor(running: () => Iterable<InstrumentedNode>) {
    this.#running = running
  }

  /** The measures of all of them in the text format of Prometheus, each with the label `node`. */
  async metrics(): Promise<string> {
    const readings = await this.#collect((api) => api.measures())
    const families = Array.from(readings, ([id, reading]) => [id, nodeFamilies(reading)] as const)
    return exposition(joinedFamilies(new Map(families)))
  }

  /** Every node writes down its turns and flushes from now on: the latest ones are kept. */
  async startTraces(): Promise<void> {
    await Promise.all(Array.from(this.#running(), ({ api }) => api.startTrace()))
  }

  /** Ends the traces and hands them out; without the nodes that were started meanwhile. */
  takeTraces(): Promise<Map<NodeId, NodeTrace>> {
    return this.#collect((api) => api.takeTrace())
  }

  /** Every node's thread is sampled from now on. */
  async startProfiles(): Promise<void> {
    await Promise.all(Array.from(this.#running(), ({ api }) => api.startProfile()))
  }

  /** Ends the profiles and hands them out; without the nodes that were started meanwhile. */
  takeProfiles(): Promise<Map<NodeId, CpuProfile>> {
    return this.#collect((api) => api.takeProfile())
  }

  async #collect<Value>(
    take: (api: InstrumentedNode['api']) => Promise<Value | undefined>,
  ): Promise<Map<NodeId, Value>> {
    const taken = new Map<NodeId, Value>()
    const collect = async ({ id, api }: InstrumentedNode): Promise<void> => {
      const value = await take(api)
      if (value !== undefined) taken.set(id, value)
    }
    await Promise.all(Array.from(this.#running(), collect))
    return taken
  }
}
