/**
 * The faults that processes can have: from outside SIGKILL, and SIGSTOP until they are healed; what nodes do to themselves where
 * they were started for it.
 */
import { hrtimeMs } from '@troupe/actor'
import type { Fault } from '@troupe/cluster'
import { invalidOption, type NodeId } from '@troupe/core'
import type { Death, TestedCluster } from '../engine/tested-cluster.ts'
import type { NodeDeeds } from './node-deeds.ts'
import type { BenchmarkNode } from './protocol.ts'

interface FaultHost {
  /** Undefined where the nodes were not started for it. */
  readonly deeds: NodeDeeds | undefined
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

type Injected = Awaited<ReturnType<TestedCluster['inject']>>

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

  /** @throws RaftError INVALID_OPTIONS for what cannot be done to these processes: then nothing has happened */
  async inject(fault: Fault): Promise<Injected> {
    if (fault.kind === 'crash' || fault.kind === 'pause') return this.#signal(fault.kind, fault.nodes)
    const { deeds } = this.#host
    if (deeds === undefined) throw invalidOption('fault', fault.kind, EXPECTED)
    const { text, atMs, end } = await deeds.begin(fault)
    return { id: this.#begun(end), text, atMs }
  }

  /** Processes that were killed are started again, those that stand still go on, and the others are whole again. */
  async heal(id?: number): Promise<void> {
    const healed = id === undefined ? this.active : this.active.filter((fault) => fault.id === id)
    for (const fault of healed) this.#active.delete(fault.id)
    await Promise.all(healed.map(({ heal }) => heal()))
  }

  async #signal(kind: 'crash' | 'pause', selector: unknown): Promise<Injected> {
    const nodes = this.#nodesOf(selector)
    const id = this.#begun(() => Promise.all(nodes.map((node) => this.#bringBack(node))))
    const isCrash = kind === 'crash'
    const instants = await Promise.all(nodes.map((node) => (isCrash ? this.#kill(node) : this.#stop(node))))
    const text = `${isCrash ? 'SIGKILL' : 'SIGSTOP'} of ${nodes.join(', ') || 'nobody'}`
    return { id, text, atMs: Math.max(...instants, instants.length === 0 ? hrtimeMs() : 0) }
  }

  #begun(heal: ActiveFault['heal']): number {
    const id = ++this.#lastId
    this.#active.set(id, { id, heal })
    return id
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
