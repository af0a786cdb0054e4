import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * Thesis §6.4: a linearizable read sees everything that was committed anywhere before it was asked for, whether any
 * client knows of that or not: the index that it waits for is no lower.
 */
export function freshReads(): Invariant {
  const name = 'reads see what is committed'
  /** Per node and life: what was committed when a read was asked for. */
  const asked: { boot: number; readonly floors: Map<number, number> }[] = []
  return {
    name,
    on: ['readAsked', 'readGranted'],
    check({ ledger }, event) {
      if (event.kind !== 'readAsked' && event.kind !== 'readGranted') return
      const { node, read } = event
      let ofNode = asked[node.index]
      if (ofNode?.boot !== node.boot) {
        ofNode = { boot: node.boot, floors: new Map() }
        asked[node.index] = ofNode
      }
      if (event.kind === 'readAsked') {
        ofNode.floors.set(event.read, ledger.commitIndex)
        return
      }
      const { index } = event
      const floor = read === undefined ? ledger.commitIndex : (ofNode.floors.get(read) ?? 0)
      if (read !== undefined) ofNode.floors.delete(read)
      demand(index >= floor, name, () => {
        return `${node.id} answers ${read === undefined ? 'by its lease' : 'a read'} as of ${index}, ${floor} was committed before`
      })
    },
  }
}
