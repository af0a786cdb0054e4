import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * What a core takes for flushed is on the disk, and is what its log holds there: a flush of entries that were overwritten
 * meanwhile says nothing of those that have taken their place (the ABA race of asynchronous appends).
 */
export function stableIsFlushed(): Invariant {
  const name = 'what counts as flushed is on the disk'
  return {
    name,
    on: ['turned'],
    check(_world, event) {
      if (event.kind !== 'turned') return
      const { node } = event
      const core = node.life?.core
      const { seen, flushed } = node.disk.log
      // A log that begins anew behind a snapshot is not written yet, but the snapshot is.
      if (core === undefined || core.stableIndex <= Math.max(seen.base.index, flushed.base.index)) return
      // Until a repair is written its place counts as damaged, so as not there.
      if (core.damaged.length > 0) return
      const { stableIndex: index } = core
      const [mine, stored] = [seen.termAt(index), flushed.termAt(index)]
      demand(mine === stored, name, () => {
        return `${node.id} takes ${index} of term ${mine} for flushed, on the disk there is term ${stored}`
      })
    },
  }
}
