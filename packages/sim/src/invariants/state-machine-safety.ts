import { demand } from '../contract.ts'
import { checksumOf } from '../ledger.ts'
import type { Invariant } from '../world-view.ts'

/** Raft, figure 3: what one node has applied at an index is what every other applies there, in order, each once. */
export function stateMachineSafety(): Invariant {
  const name = 'state machine safety'
  const applied: { boot: number; index: number }[] = []
  return {
    name,
    on: ['applied'],
    check({ ledger }, event) {
      if (event.kind !== 'applied') return
      const { node, entries } = event
      let before = applied[node.index]
      if (before?.boot !== node.boot) {
        before = { boot: node.boot, index: -1 }
        applied[node.index] = before
      }
      for (const entry of entries) {
        const { index, term } = entry
        const committed = ledger.at(index)
        demand(committed !== undefined, name, () => `${node.id} applies ${index}, which is not committed`)
        const isSame = committed.entry.term === term && committed.checksum === checksumOf(entry)
        demand(isSame, name, () => `${node.id} applies ${index} of ${term}, not of ${committed.entry.term}`)
        // After a snapshot was installed it goes on behind that.
        const isNext = before.index < 0 || index === before.index + 1
        const isBehindSnapshot = index > before.index && node.disk.snapshots.latest?.index === index - 1
        demand(isNext || isBehindSnapshot, name, () => `${node.id} applies ${index} after ${before.index}`)
        before.index = index
      }
    },
  }
}
