import type { Entry } from '@troupe/core'
import { demand } from '../contract.ts'
import { checksumOf } from '../ledger.ts'
import type { Invariant, NodeView } from '../world-view.ts'

interface Known {
  readonly term: number
  readonly checksum: number
  readonly previousTerm: number
}

/**
 * Raft, figure 3: an index and a term name one entry, and by induction all that precede it. Each entry that reaches a
 * store is compared with all that ever stood at its place.
 */
export function logMatching(): Invariant {
  const name = 'log matching'
  /** By index. Few terms ever meet at one. */
  const known: Known[][] = []

  const compare = (node: NodeView, entry: Entry, previousTerm: number | undefined): void => {
    const { index, term } = entry
    demand(
      previousTerm === undefined || previousTerm <= term,
      name,
      () => `${node.id}: term ${term} at ${index} follows ${previousTerm}`,
    )
    const checksum = checksumOf(entry)
    known[index] ??= []
    const list = known[index] as Known[]
    const same = list.find((other) => other.term === term)
    if (same === undefined) {
      if (previousTerm !== undefined) list.push({ term, checksum, previousTerm })
      return
    }
    demand(same.checksum === checksum, name, () => `${node.id}: two entries ${index} of term ${term}`)
    const isSame = previousTerm === undefined || same.previousTerm === previousTerm
    demand(
      isSame,
      name,
      () => `${node.id}: ${index} of ${term} follows ${previousTerm} and ${same.previousTerm}`,
    )
  }

  return {
    name,
    on: ['persisting'],
    check(_world, event) {
      if (event.kind !== 'persisting') return
      const { node, request } = event
      const { seen } = node.disk.log
      for (const entry of request.repairs) compare(node, entry, undefined)
      const [first] = request.entries
      if (first === undefined) return
      const isReset = request.reset !== undefined && request.reset.index === first.index - 1
      let previous = isReset ? request.reset.term : seen.termAt(first.index - 1)
      for (const entry of request.entries) {
        compare(node, entry, previous)
        previous = entry.term
      }
    },
  }
}
