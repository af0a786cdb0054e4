import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** purged ≤ snapshot ≤ applied ≤ committed ≤ last, in every node after every turn. */
export function orderedIndexes(): Invariant {
  const name = 'ordered indexes'
  return {
    name,
    on: ['turned'],
    check(_world, event) {
      if (event.kind !== 'turned' || event.node.life === undefined) return
      const { core, driver } = event.node.life
      const { log, snapshots } = event.node.disk
      const purged = log.seen.base.index
      const snapshot = snapshots.latest?.index ?? 0
      const { applied } = driver
      const { commitIndex, lastIndex } = core
      // A received snapshot is on the disk before it is installed: until then it may be ahead.
      const isOrdered =
        (purged <= snapshot || core.damaged[0]?.from === 1) &&
        applied <= commitIndex &&
        commitIndex <= lastIndex &&
        lastIndex === log.seen.lastIndex
      demand(isOrdered, name, () => {
        const chain = `purged ${purged}, snapshot ${snapshot}, applied ${applied}, committed ${commitIndex}`
        return `${event.node.id}: ${chain}, last ${lastIndex} (stored ${log.seen.lastIndex})`
      })
    },
  }
}
