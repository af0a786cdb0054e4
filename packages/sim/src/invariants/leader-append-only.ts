import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** Raft, figure 3: a leader never overwrites or deletes entries in its log; it only appends. */
export function leaderAppendOnly(): Invariant {
  const name = 'leader append-only'
  return {
    name,
    on: ['persisting'],
    check({ ledger }, event) {
      if (event.kind !== 'persisting') return
      const { node, request } = event
      const core = node.life?.core
      if (core?.role !== 'leader') return
      // What a drain truncated before the node was elected in the same turn belongs to the follower that it was.
      if (ledger.ledTerm(node) !== core.term) return
      const { reset, truncateFrom, repairs } = request
      const isAppend = reset === undefined && truncateFrom === undefined
      demand(
        isAppend,
        name,
        () => `${node.id}, leader of ${core.term}, truncates at ${truncateFrom ?? 'reset'}`,
      )
      for (const { index, term } of repairs) {
        const before = node.disk.log.seen.termAt(index)
        demand(term === before, name, () => `${node.id} leads and repairs ${index} of ${before} to ${term}`)
      }
    },
  }
}
