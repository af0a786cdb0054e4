/** The faults that processes can have from outside: SIGKILL, and SIGSTOP until they are healed. */
import { hrtimeMs } from '@troupe/actor'
import type { Fault } from '@troupe/cluster'
import { invalidOption, type NodeId } from '@troupe/core'
import type { Death, TestedCluster } from '../engine/tested-cluster.ts'
import type { BenchmarkNode } from './protocol.ts'

interface FaultHost {
  leader(): NodeId | undefined
  ids(): readonly NodeId[]
  crash(id: NodeId): Promise<Death>
  restart(id: NodeId): Promise<void>
  child(id: NodeId): BenchmarkNode
}

interface ActiveFault {
  readonly id: number
  readonly heal: () => Promise<unknown>
}

const EXPECTED = 'crash or pause, of named nodes, all or the primaries: nodes are processes'

export class ProcessFaults {
  readonly #host: FaultHost
  readonly #active = new Map<number, ActiveFault>()
  #lastId = 0

  constructor(host: FaultHost) {
    this.#host = host
  }

  get active(): readonly ActiveFault[] {
    return [...this.#active.values()]
  }

  /** @throws RaftError INVALID_OPTIONS for what cannot be done to a process: then nothing has happened */
  async inject(fault: Fault): ReturnType<TestedCluster['inject']> {
    if (fault.kind !== 'crash' && fault.kind !== 'pause') throw invalidOption('fault', fault.kind, EXPECTED)
    const nodes = this.#nodesOf(fault.nodes)
    const id = ++this.#lastId
    const isCrash = fault.kind === 'crash'
    this.#active.set(id, { id, heal: () => Promise.all(nodes.map((node) => this.#bringBack(node))) })
    const instants = await Promise.all(nodes.map((node) => (isCrash ? this.#kill(node) : this.#stop(node))))
    const text = `${isCrash ? 'SIGKILL' : 'SIGSTOP'} of ${nodes.join(', ') || 'nobody'}`
    return { id, text, atMs: Math.max(...instants, instants.length === 0 ? hrtimeMs() : 0) }
  }

  /** Processes that were killed are started again, those that stand still go on. */
  async heal(id?: number): Promise<void> {
    const healed = id === undefined ? this.active : this.active.filter((fault) => fault.id === id)
    for (const fault of healed) this.#active.delete(fault.id)
    await Promise.all(healed.map(({ heal }) => heal()))
  }

  async #kill(node: NodeId): Promise<number> {
    const { diedAtMs, atMs } = await this.#host.crash(node)
    return diedAtMs ?? atMs
  }

  async #stop(node: NodeId): Promise<number> {
    return this.#host.child(node).freeze()
  }

  async #bringBack(node: NodeId): Promise<void> {
    const child = this.#host.child(node)
    child.resume()
    if (!child.isRunning) await this.#host.restart(node)
  }

  #nodesOf(selector: unknown): readonly NodeId[] {
    const { ids, leader } = this.#host
    if (Array.isArray(selector)) return selector as readonly NodeId[]
    if (selector === 'all') return ids()
    if (selector !== 'primaries') throw invalidOption('fault.nodes', selector, EXPECTED)
    const led = leader()
    return led === undefined ? [] : [led]
  }
}
