/** What a topology comes to by its plan alone: connections, and how many of them frames cross. */
import { type NodeId, type OverlayTopology, plannedLinks, planOverlay, routesFrom } from '@troupe/core'

export interface PlannedHops {
  readonly connections: number
  /** Over all pairs that reach each other; null where there is none. */
  readonly hopsMean: number | null
  readonly hopsMax: number | null
  /** Pairs of nodes between which no way is left. */
  readonly cutPairs: number
}

/** @param lost a node that is down */
export function plannedHops(topology: OverlayTopology, nodes: readonly NodeId[], lost?: NodeId): PlannedHops {
  const plan = planOverlay(topology, nodes)
  const left = nodes.filter((id) => id !== lost)
  const isUp = (a: NodeId, b: NodeId): boolean => a !== lost && b !== lost
  const hops = left.flatMap((id) => [...routesFrom(plan, id, isUp).values()].map((route) => route.hops))
  return {
    connections: plannedLinks(plan).filter(([a, b]) => isUp(a, b)).length,
    hopsMean: hops.length === 0 ? null : hops.reduce((sum, one) => sum + one, 0) / hops.length,
    hopsMax: hops.length === 0 ? null : Math.max(...hops),
    cutPairs: (left.length * (left.length - 1) - hops.length) / 2,
  }
}

/** What a node is to the others, for the table: nobody relays in a mesh. */
export function placeOf(
  topology: OverlayTopology,
  nodes: readonly NodeId[],
  id: NodeId,
): 'relay' | 'leaf' | 'peer' {
  const { relays } = planOverlay(topology, nodes)
  if (relays.size === 0) return 'peer'
  return relays.has(id) ? 'relay' : 'leaf'
}
