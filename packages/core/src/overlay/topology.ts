/**
 * Topologies: which nodes have a connection, and who passes frames on. Everything follows from the list of the nodes and
 * its order, so that all nodes that know the same list plan the same.
 *
 *     mesh                ring                 star (layers of 2, 4, 8, …; two parents each)
 *     n1 ── n2            n1 ── n2                   n1 ──────── n2             hubs
 *      │ ╲╱ │              │     │                  ╱│ ╲╲      ╱╱ │╲
 *      │ ╱╲ │              │     │                 n3 n4 n5 n6 (each to both)   a layer
 *     n4 ── n3            n4 ── n3                 ╲│  ╲│  …                    leaves: relay nothing
 */
import type { NodeId } from '../types.ts'

export const overlayTopologies = ['mesh', 'ring', 'star'] as const

/**
 * - `mesh`: everybody is connected to everybody; nothing is relayed.
 * - `ring`: each node is connected to the one before and the one behind it in the list; all relay.
 * - `star`: layered. The first two nodes are the hubs, connected to each other; each further layer has twice the nodes of
 *   the one before, and each of its nodes two parents there. Whoever has children relays.
 */
export type OverlayTopology = (typeof overlayTopologies)[number]

/** Who is connected to whom, while nothing is broken. */
export interface OverlayPlan {
  readonly topology: OverlayTopology
  readonly nodes: readonly NodeId[]
  /** Of each node, in the order of the list. */
  readonly neighbours: ReadonlyMap<NodeId, readonly NodeId[]>
  /** Those that pass frames of others on. */
  readonly relays: ReadonlySet<NodeId>
}

/** A connection between two nodes. */
export type PlannedLink = readonly [NodeId, NodeId]

const HUBS = 2

/** The plan for these nodes, in this order. */
export function planOverlay(topology: OverlayTopology, nodes: readonly NodeId[]): OverlayPlan {
  const ends = linksOf[topology](nodes.length)
  const neighbours = nodes.map((_, self) =>
    nodes.filter((_, other) =>
      ends.some(([a, b]) => (a === self && b === other) || (b === self && a === other)),
    ),
  )
  return {
    topology,
    nodes: [...nodes],
    neighbours: new Map(nodes.map((id, at) => [id, neighbours[at] ?? []])),
    relays: new Set(nodes.filter((_, at) => relaysIn(topology, ends, at, nodes.length))),
  }
}

/** All connections of a plan, each once. */
export function plannedLinks({ nodes, neighbours }: OverlayPlan): PlannedLink[] {
  const place = new Map(nodes.map((id, at) => [id, at]))
  const isLater = (a: NodeId, b: NodeId): boolean => (place.get(a) ?? 0) < (place.get(b) ?? 0)
  return nodes.flatMap((id) =>
    (neighbours.get(id) ?? []).filter((other) => isLater(id, other)).map((other): PlannedLink => [id, other]),
  )
}

/** Links by the places of their ends, the earlier first: of a star's, that is the parent. */
type Ends = readonly (readonly [number, number])[]

const linksOf: Readonly<Record<OverlayTopology, (count: number) => Ends>> = {
  mesh: (count) =>
    places(count).flatMap((a) =>
      places(count)
        .slice(a + 1)
        .map((b) => [a, b] as const),
    ),
  ring: (count) =>
    places(count)
      .slice(1)
      .map((b) => [b - 1, b] as const)
      .concat(count > 2 ? [[0, count - 1]] : []),
  star: (count) =>
    places(count).flatMap((child) => parentsOf(child).map((parent) => [parent, child] as const)),
}

/** Layer `k` has 2^(k+1) nodes; of the pairs in the layer above each has its turn. */
function parentsOf(child: number): number[] {
  if (child < HUBS) return child === 0 ? [] : [0]
  let first = 0
  let size = HUBS
  while (child >= first + size + 2 * size) {
    first += size
    size *= 2
  }
  const parent = first + 2 * ((child - first - size) % (size / 2))
  return [parent, parent + 1]
}

/** In a small ring, or star, everybody is everybody's neighbour, and there is nothing to relay. */
function relaysIn(topology: OverlayTopology, ends: Ends, at: number, count: number): boolean {
  if (ends.length === (count * (count - 1)) / 2) return false
  return topology === 'ring' || ends.some(([parent, child]) => parent === at && child >= HUBS)
}

const places = (count: number): number[] => Array.from({ length: count }, (_, at) => at)
