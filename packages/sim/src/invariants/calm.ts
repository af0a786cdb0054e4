import type { RaftCore } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Coverage } from '../coverage.ts'
import type { Invariant, NodeView, WorldView } from '../world-view.ts'

interface FirstLeader {
  readonly id: string
  readonly term: number
}

/**
 * The property of the whole: while nothing fails and nobody changes anything, the first leader that a quorum follows is
 * the last. Nobody asks for votes again, not even for pre-votes. Holds only in a calm plan.
 */
export function firstLeaderStays(): Invariant {
  const name = 'calm: the first leader stays'
  let first: FirstLeader | undefined
  /** Elections and pre-elections of each node until then, by its index. */
  let begun: number[] = []
  return {
    name,
    on: ['turned'],
    check(world, event) {
      if (event.kind !== 'turned') return
      const core = event.node.life?.core
      if (core === undefined) return
      if (first === undefined) {
        if (core.role !== 'leader' || !isFollowed(world, core)) return
        first = { id: core.id, term: core.term }
        begun = world.nodes.map(electionsOf)
        return
      }
      const { id, term } = first
      const who = event.node.id
      demand(core.term <= term, name, () => `${who} is in term ${core.term}, ${id} led ${term}`)
      demand(electionsOf(event.node) === begun[event.node.index], name, () => {
        return `${who} asks for votes, ${id} leads term ${term}`
      })
      demand(who !== id || core.role === 'leader', name, () => `${id} no longer leads term ${term}`)
    },
  }
}

const electionsOf = ({ life }: NodeView): number =>
  (life?.core.metrics.elections ?? 0) + (life?.core.metrics.preElections ?? 0)

function isFollowed(world: WorldView, { id, term, configuration: { voters } }: RaftCore): boolean {
  const followers = world.nodes.filter(({ id: other, life }) => {
    return voters.some((voter) => voter.id === other) && life?.core.leader === id && life.core.term === term
  })
  return followers.length * 2 > voters.length
}

/**
 * The other half of it: no frame is lost on the way or refused, and no client is told to wait, where bounds are sane. (A
 * full in-flight window drops nothing: what does not fit is sent later.) Holds only in a calm plan.
 */
export function nothingDropped(coverage: Coverage): Invariant {
  const name = 'calm: nothing is dropped'
  return {
    name,
    on: ['turned', 'frameRefused'],
    check(_world, event) {
      demand(event.kind !== 'frameRefused', name, () => 'a frame does not decode')
      const { framesLost, framesCorrupted } = coverage
      demand(framesLost + framesCorrupted === 0, name, () => `${framesLost} frames were lost`)
      if (event.kind !== 'turned') return
      const core = event.node.life?.core
      demand(core?.role !== 'leader' || core.proposalRefusal === undefined, name, () => {
        return `${event.node.id} would refuse a proposal: ${core?.proposalRefusal}`
      })
    },
  }
}
