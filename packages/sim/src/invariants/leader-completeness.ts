import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** Raft, figure 3: what was committed in a term is in the logs of the leaders of all later terms. */
export function leaderCompleteness(): Invariant {
  const name = 'leader completeness'
  const checked = new Map<string, number>()
  return {
    name,
    on: ['turned'],
    check({ ledger }, event) {
      if (event.kind !== 'turned') return
      const { node } = event
      const core = node.life?.core
      if (core?.role !== 'leader' || checked.get(node.id) === core.term) return
      checked.set(node.id, core.term)
      // By log matching it is enough to look at the last entry that was committed before.
      let index = ledger.commitIndex
      while (index > 0 && (ledger.at(index)?.inTerm as number) >= core.term) index--
      if (index === 0) return
      const expected = ledger.at(index)?.entry.term
      const { seen } = node.disk.log
      const isThere = index < seen.base.index || seen.termAt(index) === expected
      demand(isThere, name, () => {
        return `${node.id}, leader of ${core.term}, has term ${seen.termAt(index)} at committed ${index} of ${expected}`
      })
    },
  }
}
