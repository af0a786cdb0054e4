import { demand } from '../contract.ts'
import { checksumOf } from '../ledger.ts'
import type { Invariant, NodeView } from '../world-view.ts'

/** Raft, figure 3: what one node has applied at an index is what every other applies there, in order, each once. */
export function stateMachineSafety(): Invariant {
  const name = 'state machine safety'
  const applied: { boot: number; index: number }[] = []
  /** What this start of a node has applied so far; -1: it has not begun. */
  const appliedBy = (node: NodeView): { index: number } => {
    const known = applied[node.index]
    if (known?.boot === node.boot) return known
    const fresh = { boot: node.boot, index: -1 }
    applied[node.index] = fresh
    return fresh
  }
  return {
    name,
    on: ['applied', 'loaded'],
    check({ ledger }, event) {
      if (event.kind !== 'applied' && event.kind !== 'loaded') return
      const { node } = event
      const before = appliedBy(node)
      if (event.kind === 'loaded') {
        demand(
          event.index > before.index,
          name,
          () => `${node.id} loads ${event.index} after ${before.index}`,
        )
        before.index = event.index
        return
      }
      for (const entry of event.entries) {
        const { index, term } = entry
        const committed = ledger.at(index)
        demand(committed !== undefined, name, () => `${node.id} applies ${index}, which is not committed`)
        const isSame = committed.entry.term === term && committed.checksum === checksumOf(entry)
        demand(isSame, name, () => `${node.id} applies ${index} of ${term}, not of ${committed.entry.term}`)
        const isNext = before.index < 0 || index === before.index + 1
        demand(isNext, name, () => `${node.id} applies ${index} after ${before.index}`)
        before.index = index
      }
    },
  }
}
