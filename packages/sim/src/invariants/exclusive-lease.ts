import { demand } from '../contract.ts'
import type { Invariant, NodeView } from '../world-view.ts'

/** Thesis §6.4.1: while a leader has a lease nobody else can have been elected. Each clock is asked for its own time. */
export function exclusiveLease(): Invariant {
  const name = 'a lease excludes other leaders'
  /** The highest term that anybody was seen to lead in, and who did. */
  let term = 0
  let leader = ''

  const check = (node: NodeView): void => {
    const core = node.life?.core
    if (core?.role !== 'leader' || core.term >= term) return
    demand(!core.holdsLease(node.clock.nowMs()), name, () => {
      return `${node.id} has a lease of term ${core.term}, and ${leader} leads term ${term}`
    })
  }

  return {
    name,
    on: ['turned'],
    check({ nodes }, event) {
      if (event.kind !== 'turned') return
      const core = event.node.life?.core
      if (core?.role !== 'leader') return
      if (core.term <= term) return check(event.node)
      term = core.term
      leader = event.node.id
      for (const node of nodes) check(node)
    },
  }
}
