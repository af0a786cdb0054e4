/**
 * Who of the nodes of a cluster is connected to whom. The main thread hands out the ports, by the topology and the list of
 * the nodes, and tells the nodes of another list; which way frames go is then up to their overlays.
 */
import { type ActorHandle, connect } from '@troupe/actor'
import { type NodeId, type OverlayTopology, plannedLinks, planOverlay } from '@troupe/core'
import type { NodeControl, OverlayBirth } from './node-control.ts'

type NodeHandles = ReadonlyMap<NodeId, ActorHandle<NodeControl>>

export class Wiring {
  readonly #topology: OverlayTopology
  readonly #nodes: NodeHandles
  /** The list that was last told. */
  #told: readonly NodeId[] = []

  /** @param nodes in the order of the list, those that come to it too */
  constructor(topology: OverlayTopology, nodes: NodeHandles) {
    this.#topology = topology
    this.#nodes = nodes
  }

  /** What a node begins with. Undefined: everybody is connected to everybody. */
  birth(): OverlayBirth | undefined {
    if (this.#topology === 'mesh') return undefined
    return { topology: this.#topology, nodes: [...this.#nodes.keys()] }
  }

  /** A node runs (again): connects it to those of its neighbours that run. */
  started(id: NodeId): void {
    for (const [a, b] of this.#links()) if (a === id || b === id) this.#connect(a, b)
  }

  /** The nodes are others than when this was last called. */
  changed(): void {
    const before = this.#told
    this.#told = [...this.#nodes.keys()]
    if (this.#topology === 'mesh') return
    for (const node of this.#nodes.values()) {
      // One that dies meanwhile is told when it starts.
      if (node.state === 'running') node.api.replan(this.#told).catch(() => {})
    }
    const had = new Set(plannedLinks(planOverlay(this.#topology, before)).map(String))
    for (const [a, b] of this.#links()) {
      // A node that has just come was connected when it started.
      const isNew = !had.has(String([a, b])) && before.includes(a) && before.includes(b)
      if (isNew) this.#connect(a, b)
    }
  }

  #links(): readonly (readonly [NodeId, NodeId])[] {
    return plannedLinks(planOverlay(this.#topology, [...this.#nodes.keys()]))
  }

  #connect(one: NodeId, other: NodeId): void {
    const [a, b] = [this.#nodes.get(one), this.#nodes.get(other)]
    if (a?.state === 'running' && b?.state === 'running') connect(a, b, { kind: 'peer' })
  }
}
