import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * Raft §6: the configuration in effect is the latest in the log, committed or not. Each entry says which one was in effect
 * where it was made, so a node's own and that of its last entry are the same one.
 */
export function configurationOfTheLog(): Invariant {
  const name = 'the configuration is the latest of the log'
  return {
    name,
    on: ['turned'],
    check(_world, event) {
      if (event.kind !== 'turned') return
      const { node } = event
      const core = node.life?.core
      const { seen } = node.disk.log
      const last = seen.at(seen.lastIndex)
      // Damage hides configurations; what was read over it is looked at once that is repaired.
      if (core === undefined || last === undefined || core.damaged.length > 0) return
      const inEffect = core.configurationIndex
      demand(inEffect === last.configurationIndex, name, () => {
        return `${node.id} goes by the configuration at ${inEffect}, its last entry ${last.index} by that at ${last.configurationIndex}`
      })
    },
  }
}
