/** Shortest routes over the connections of a plan that are up. */
import type { NodeId } from '../types.ts'
import type { OverlayPlan } from './topology.ts'

/** The way to a node: whom to hand a frame to, and how many connections it crosses. */
export interface Route {
  readonly next: NodeId
  readonly hops: number
}

/** Whether a planned connection between two nodes can be used, from the first to the second. */
export type IsUp = (from: NodeId, to: NodeId) => boolean

/**
 * The routes of `self` to everybody that it can reach. Of equally short ones the pair of both ends decides, so that what
 * is relayed spreads over the relays, and goes both ways over the same one.
 */
export function routesFrom(plan: OverlayPlan, self: NodeId, isUp: IsUp): Map<NodeId, Route> {
  const routes = new Map<NodeId, Route>()
  const place = plan.nodes.indexOf(self)
  plan.nodes.forEach((target, at) => {
    if (target === self) return
    const hops = hopsTo(plan, target, isUp)
    const own = hops.get(self)
    if (own === undefined) return
    const candidates = (plan.neighbours.get(self) ?? []).filter((neighbour) => {
      const mayPass = neighbour === target || plan.relays.has(neighbour)
      return mayPass && isUp(self, neighbour) && hops.get(neighbour) === own - 1
    })
    const next = candidates[(place + at) % candidates.length]
    if (next !== undefined) routes.set(target, { next, hops: own })
  })
  return routes
}

/** How many connections each node is away from `target`; those that cannot reach it are not in there. */
function hopsTo(plan: OverlayPlan, target: NodeId, isUp: IsUp): Map<NodeId, number> {
  const hops = new Map([[target, 0]])
  // A map is walked through in the order in which it grows: breadth first.
  for (const [node, away] of hops) {
    if (node !== target && !plan.relays.has(node)) continue
    for (const neighbour of plan.neighbours.get(node) ?? []) {
      if (!hops.has(neighbour) && isUp(neighbour, node)) hops.set(neighbour, away + 1)
    }
  }
  return hops
}
