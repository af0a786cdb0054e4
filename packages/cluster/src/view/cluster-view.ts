/** The views of several nodes as one. */
import type { NodeId } from '@troupe/core'
import type { MemberView } from './status-board.ts'

/** A member, as whoever has heard of it last tells of it. */
export interface ClusterMember extends MemberView {
  /** The nodes that answered and suspect it. */
  readonly suspectedBy: readonly NodeId[]
}

/** A node's answer, as far as it matters here. */
export interface ViewedNode {
  readonly id: NodeId
  readonly term: number
  readonly commit: number
  readonly view: readonly MemberView[]
}

/** Of each member the latest word; who is a member is told by whoever is furthest. By name. */
export function mergeViews(nodes: readonly ViewedNode[]): ClusterMember[] {
  const [furthest] = [...nodes].sort((a, b) => b.term - a.term || b.commit - a.commit)
  const latest = new Map<NodeId, MemberView>()
  const suspectedBy = new Map<NodeId, NodeId[]>()
  for (const node of nodes) {
    for (const member of node.view) {
      const known = latest.get(member.id)
      if (known === undefined || ageOf(member) < ageOf(known)) latest.set(member.id, member)
      const suspecting = suspectedBy.get(member.id) ?? []
      suspectedBy.set(member.id, suspecting)
      if (member.suspicion !== null) suspecting.push(node.id)
    }
  }
  return Array.from(latest.values(), (member): ClusterMember => {
    const { standing } = furthest?.view.find(({ id }) => id === member.id) ?? member
    return { ...member, standing, suspectedBy: suspectedBy.get(member.id) ?? [] }
  }).sort((a, b) => (a.id < b.id ? -1 : 1))
}

const ageOf = ({ ageMs }: MemberView): number => ageMs ?? Number.POSITIVE_INFINITY
