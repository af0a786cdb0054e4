import type { Member } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant, WorldView } from '../world-view.ts'

/**
 * An entry is committed only when a majority of the voters has flushed it, of both halves in a joint configuration, and
 * by counting only an entry of the leader's own term (§5.4.2). What a voter of the configuration flushed before its
 * directory was wiped counts: it was acknowledged.
 */
export function committedOnQuorum(onCommit: (count: number) => void): Invariant {
  const name = 'committed on a quorum'
  let seen = 0

  const holders = (world: WorldView, voters: readonly Member[], index: number, term: number): number =>
    voters.filter((member) => {
      const content = world.contentOf(member)
      return content !== undefined && (content.base.index >= index || content.termAt(index) === term)
    }).length

  return {
    name,
    on: ['turned', 'applied'],
    check(world, event) {
      if (event.kind !== 'turned' && event.kind !== 'applied') return
      const { ledger } = world
      if (ledger.commitIndex === seen) return
      onCommit(ledger.commitIndex - seen)
      seen = ledger.commitIndex
      const last = ledger.at(seen)
      const core = event.node.life?.core
      if (last === undefined || core === undefined) return
      const { term } = last.entry
      demand(
        term === last.inTerm,
        name,
        () => `${seen} of ${term} is committed by counting in ${last.inTerm}`,
      )
      if (core.role !== 'leader') return
      for (const voters of [core.configuration.voters, core.configuration.outgoing]) {
        if (voters.length === 0) continue
        const count = holders(world, voters, seen, term)
        demand(count * 2 > voters.length, name, () => {
          return `${seen} is committed, but only ${count} of ${voters.length} voters have flushed it`
        })
      }
    },
  }
}
