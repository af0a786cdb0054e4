import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * Committed never changes: nobody whose term has reached the one that an entry was committed in removes it from its log,
 * or writes another one in its place. (Who still lives in an earlier term may: it did not count.)
 */
export function committedNeverLost(): Invariant {
  const name = 'committed never changes'
  return {
    name,
    on: ['persisting'],
    check({ ledger }, event) {
      if (event.kind !== 'persisting') return
      const { node, request } = event
      const { truncateFrom, reset, repairs } = request
      for (const { index, term } of repairs) {
        const committed = ledger.at(index)?.entry.term
        if (committed === undefined || node.disk.log.seen.termAt(index) !== committed) continue
        demand(term === committed, name, () => {
          return `${node.id} repairs committed ${index} of term ${committed} with an entry of ${term}`
        })
      }
      if (truncateFrom === undefined && reset === undefined) return
      const { seen } = node.disk.log
      // A reset removes what its snapshot covers, and what does not belong behind it.
      const from = truncateFrom ?? (reset?.index as number) + 1
      const to = Math.min(seen.lastIndex, ledger.commitIndex)
      const term = node.life?.core.term ?? 0
      for (let index = from; index <= to; index++) {
        const committed = ledger.at(index)
        if (committed === undefined || seen.termAt(index) !== committed.entry.term) return
        if (reset !== undefined && index > reset.index && committed.inTerm <= term) {
          demand(
            false,
            name,
            () => `${node.id} drops committed ${index} behind the snapshot at ${reset.index}`,
          )
        }
        demand(term < committed.inTerm, name, () => {
          return `${node.id}, in term ${term}, truncates ${index}, committed in ${committed.inTerm}`
        })
      }
    },
  }
}
