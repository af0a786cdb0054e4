import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** Raft, figure 3: at most one leader can be elected in a term. */
export function electionSafety(onElection: () => void): Invariant {
  const name = 'election safety'
  const leaders = new Map<number, string>()
  return {
    name,
    on: ['turned'],
    check(_world, event) {
      if (event.kind !== 'turned') return
      const core = event.node.life?.core
      if (core?.role !== 'leader') return
      const who = `${event.node.id}/${event.node.incarnation}/${event.node.boot}`
      const known = leaders.get(core.term)
      if (known === who) return
      demand(known === undefined, name, () => `${who} leads term ${core.term}, and so does ${known}`)
      leaders.set(core.term, who)
      onElection()
    },
  }
}
