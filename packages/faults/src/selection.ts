/** Draws what a fault leaves open: nodes, groups, links. All from the given Random, so that a seed repeats it. */
import type { NodeId, Random } from '@troupe/core'
import type {
  Direction,
  Links,
  NODE_SETS,
  NodeSelector,
  PartitionFault,
  Split,
  Topology,
} from './vocabulary.ts'

/** Who is there. */
export interface Situation {
  readonly nodes: readonly NodeId[]
  /** Who believes to lead. */
  readonly primaries: readonly NodeId[]
}

/** What is sent from the one to the other; not the other way. */
export interface DirectedLink {
  readonly from: NodeId
  readonly to: NodeId
}

export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values]
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random.next() * (last + 1))
    const value = result[last] as T
    result[last] = result[other] as T
    result[other] = value
  }
  return result
}

/** Names are given back as they are, also those of clients and of nodes that are not there. */
export function selectNodes(selector: NodeSelector, situation: Situation, random: Random): readonly NodeId[] {
  const { nodes, primaries } = situation
  if (typeof selector !== 'string') return selector
  if (selector === 'all') return nodes
  if (selector === 'primaries') return primaries
  if (nodes.length === 0) return []
  return shuffled(nodes, random).slice(0, sizeOf(selector, nodes.length, random))
}

type SizedSet = Exclude<(typeof NODE_SETS)[number], 'all' | 'primaries'>

function sizeOf(set: SizedSet, total: number, random: Random): number {
  switch (set) {
    case 'random':
      return 1 + Math.floor(random.next() * total)
    case 'one':
      return 1
    case 'minority':
      return Math.max(1, Math.ceil(total / 2) - 1)
    case 'minority-third':
      return Math.max(1, Math.ceil(total / 3) - 1)
    case 'majority':
      return Math.floor(total / 2) + 1
  }
}

/** The links that a fault names, each once. */
export function selectLinks(links: Links, situation: Situation, random: Random): readonly DirectedLink[] {
  const near = selectNodes(links.from, situation, random)
  const far = selectNodes(links.to, situation, random)
  return between(near, far, links.direction ?? 'both')
}

/** What a partition cuts, and who is on which side where it has sides. */
export interface DrawnPartition {
  readonly cut: readonly DirectedLink[]
  /** For people: `n1 n2 | n3`. */
  readonly text: string
}

export function drawPartition(fault: PartitionFault, situation: Situation, random: Random): DrawnPartition {
  if ('topology' in fault) return drawTopology(fault.topology, shuffled(situation.nodes, random))
  const groups = 'split' in fault ? drawSplit(fault.split, situation, random) : fault.groups
  const named = new Set(groups.flat())
  const rest = situation.nodes.filter((node) => !named.has(node))
  return { cut: cutBetween([...groups, rest], fault.direction ?? 'both'), text: sides([...groups, rest]) }
}

const sides = (groups: readonly (readonly NodeId[])[]): string =>
  groups
    .filter(({ length }) => length > 0)
    .map((group) => group.join(' '))
    .join(' | ')

/** The isolated groups. */
function drawSplit(split: Split, situation: Situation, random: Random): readonly (readonly NodeId[])[] {
  if (split === 'primaries') return situation.primaries.map((node) => [node])
  if (split !== 'halves') return [selectNodes(split, situation, random)]
  return [shuffled(situation.nodes, random).slice(0, Math.floor(situation.nodes.length / 2))]
}

/** Cuts each group off from all others; the last one is not isolated itself. */
function cutBetween(groups: readonly (readonly NodeId[])[], direction: Direction): readonly DirectedLink[] {
  const cut: DirectedLink[] = []
  const rest = groups.at(-1)
  for (const [place, group] of groups.entries()) {
    for (const other of groups.slice(place + 1)) {
      // Between two isolated groups both ways leave one and reach the other.
      cut.push(...between(group, other, other === rest ? direction : 'both'))
    }
  }
  return cut
}

function drawTopology(topology: Topology, nodes: readonly NodeId[]): DrawnPartition {
  const hears = hearing(topology, nodes)
  const cut: DirectedLink[] = []
  for (const [to, node] of nodes.entries()) {
    for (const [from, other] of nodes.entries()) {
      if (from !== to && !hears(to, from)) cut.push({ from: other, to: node })
    }
  }
  return { cut, text: nodes.join(' ') }
}

/** Whether the node at one place still hears the one at another. */
function hearing(topology: Topology, { length }: readonly NodeId[]): (to: number, from: number) => boolean {
  switch (topology) {
    case 'star':
      return (to, from) => to === 0 || from === 0
    case 'chain':
      return (to, from) => Math.abs(to - from) === 1
    case 'bridge': {
      // The first one is the bridge.
      const half = (place: number): boolean => place <= Math.floor((length - 1) / 2)
      return (to, from) => to === 0 || from === 0 || half(to) === half(from)
    }
    case 'majorities-ring': {
      // Each hears the majority of consecutive nodes that it stands in the middle of.
      const majority = Math.floor(length / 2) + 1
      const before = Math.floor(majority / 2)
      return (to, from) => (from - to + before + length) % length < majority
    }
  }
}

function between(near: readonly NodeId[], far: readonly NodeId[], direction: Direction): DirectedLink[] {
  const links = new Map<NodeId, Map<NodeId, DirectedLink>>()
  const add = (from: NodeId, to: NodeId): void => {
    if (from === to) return
    const known = links.get(from) ?? new Map<NodeId, DirectedLink>()
    links.set(from, known.set(to, { from, to }))
  }
  for (const one of near) {
    for (const other of far) {
      if (direction !== 'inbound') add(one, other)
      if (direction !== 'outbound') add(other, one)
    }
  }
  return [...links.values()].flatMap((known) => [...known.values()])
}
