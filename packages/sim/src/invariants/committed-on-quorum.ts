import type { Configuration, Member } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant, NodeView, WorldView } from '../world-view.ts'

/**
 * An entry is committed only when a majority of the voters has flushed it, of both halves in a joint configuration, and
 * by counting only an entry of the leader's own term (§5.4.2). What a voter of the configuration flushed before its
 * directory was wiped counts: it was acknowledged.
 */
export function committedOnQuorum(onCommit: (count: number) => void): Invariant {
  const name = 'committed on a quorum'
  let seen = 0
  /** By node: the configuration after its last turn. */
  const before: (Configuration | undefined)[] = []

  const holders = (world: WorldView, voters: readonly Member[], index: number, term: number): number =>
    voters.filter((member) => {
      const content = world.contentOf(member)
      return content !== undefined && (content.base.index >= index || content.termAt(index) === term)
    }).length

  /** Why `seen` must not be committed in this configuration. */
  const lacking = (
    world: WorldView,
    { voters, outgoing }: Configuration,
    term: number,
  ): string | undefined => {
    for (const half of [voters, outgoing]) {
      if (half.length === 0) continue
      const count = holders(world, half, seen, term)
      if (count * 2 <= half.length) return `only ${count} of ${half.length} voters have flushed it`
    }
    return undefined
  }

  const check = (world: WorldView, node: NodeView): void => {
    const { ledger } = world
    if (ledger.commitIndex === seen) return
    onCommit(ledger.commitIndex - seen)
    seen = ledger.commitIndex
    const last = ledger.at(seen)
    const core = node.life?.core
    if (last === undefined || core === undefined) return
    const { term } = last.entry
    demand(term === last.inTerm, name, () => `${seen} of ${term} is committed by counting in ${last.inTerm}`)
    if (core.role !== 'leader') return
    // A turn that commits may go on to change the members: either configuration was in effect in it.
    const earlier = before[node.index]
    const why = lacking(world, core.configuration, term)
    const isFine = why === undefined || (earlier !== undefined && lacking(world, earlier, term) === undefined)
    demand(isFine, name, () => `${seen} is committed, but ${why}`)
  }

  return {
    name,
    on: ['turned', 'applied'],
    check(world, event) {
      if (event.kind !== 'turned' && event.kind !== 'applied') return
      check(world, event.node)
      if (event.kind === 'turned') before[event.node.index] = event.node.life?.core.configuration
    },
  }
}
