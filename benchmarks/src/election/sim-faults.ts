/** The faults of elections, as the simulator does them. */
import type { Fault } from '@troupe/cluster'
import { invariant, type NodeId } from '@troupe/core'
import type { Deed, World } from '@troupe/sim'

/** Longer than any trial: what is not over by itself is healed. */
export const LASTING_MS = 10_000_000

/** What a flush takes. */
export const SLOW_FLUSH_MS = 1

/** Does it now. */
export function performFault(world: World, fault: Fault): void {
  for (const deed of deedsOf(fault, world.nodeIds)) {
    invariant(world.stage.perform(deed), `the simulator cannot do ${deed.do} now`)
  }
}

function deedsOf(fault: Fault, ids: readonly NodeId[]): readonly Deed[] {
  const forMs = LASTING_MS
  switch (fault.kind) {
    case 'crash':
      // Whether its peers are told is in the plan.
      return namesOf(fault.nodes, ids).map((node) => ({ do: 'crash', node, forMs }))
    case 'pause':
      return namesOf(fault.nodes, ids).map((node) => ({ do: 'pause', node, forMs }))
    case 'stall':
      return namesOf(fault.nodes, ids).map((node) => ({ do: 'pause', node, forMs: fault.forMs }))
    case 'partition':
      return [{ do: 'cut', links: cutLinks(fault, ids), forMs }]
    case 'loss':
    case 'delay':
      return [{ do: 'weather', effects: [fault], forMs }]
    case 'storage':
      return storageDeeds(fault, ids)
    case 'clock':
      invariant(fault.mode === 'rate', `no clocks ${fault.mode} here`)
      return namesOf(fault.nodes, ids).map((node) => ({ do: 'skew', node, rate: fault.rate, forMs }))
    default:
      throw new Error(`no deed for ${fault.kind}`)
  }
}

function storageDeeds(fault: Extract<Fault, { kind: 'storage' }>, ids: readonly NodeId[]): readonly Deed[] {
  const forMs = LASTING_MS
  const nodes = namesOf(fault.nodes, ids)
  if (fault.mode === 'stall') return nodes.map((node) => ({ do: 'stallDisk', node, forMs }))
  invariant(fault.mode === 'slow', `no disks ${fault.mode} here`)
  const by = 1 + fault.timeMs / SLOW_FLUSH_MS
  return nodes.map((node) => ({ do: 'slowDisk', node, by, forMs }))
}

function namesOf(
  nodes: Extract<Fault, { kind: 'crash' }>['nodes'],
  ids: readonly NodeId[],
): readonly NodeId[] {
  if (nodes === 'all') return ids
  invariant(typeof nodes !== 'string', `nodes are named here, not ${nodes}`)
  return nodes
}

/** Of one isolated node. */
function cutLinks(fault: Extract<Fault, { kind: 'partition' }>, ids: readonly NodeId[]): readonly string[] {
  invariant('groups' in fault, 'partitions have groups here')
  const near = fault.groups.flat()
  const { direction = 'both' } = fault
  const links: string[] = []
  for (const one of near) {
    for (const other of ids) {
      if (near.includes(other)) continue
      if (direction !== 'inbound') links.push(`${one}>${other}`)
      if (direction !== 'outbound') links.push(`${other}>${one}`)
    }
  }
  return links
}
