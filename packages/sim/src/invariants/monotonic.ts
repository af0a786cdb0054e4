import { demand } from '../contract.ts'
import type { Invariant, NodeView } from '../world-view.ts'

interface Seen {
  boot: number
  incarnation: number
  term: number
  vote: string
  commit: number
  applied: number
}

/**
 * Term, and the vote in it, never go back in the life of a directory; commit, applied and what a leader knows of its
 * peers never in one life of a node.
 */
export function monotonic(): Invariant {
  const name = 'monotonic'
  const seen: (Seen | undefined)[] = []
  /** Who comes back as a member begins anew, with a progress of its own. */
  const matches = new WeakMap<object, number>()

  const check = (node: NodeView, what: string, before: number, now: number): void => {
    demand(now >= before, name, () => `${node.id}: ${what} goes from ${before} to ${now}`)
  }

  return {
    name,
    on: ['turned'],
    check(_world, event) {
      if (event.kind !== 'turned' || event.node.life === undefined) return
      const { node } = event
      const { core, driver } = event.node.life
      let last = seen[node.index]
      if (last?.incarnation !== node.incarnation) {
        last = newlySeen(node, 0)
        seen[node.index] = last
      } else if (last.boot !== node.boot) {
        // What was not flushed before a crash may be gone: how much may, says `nothing told before its flush`.
        last = newlySeen(node, 0)
        seen[node.index] = last
      }
      check(node, 'term', last.term, core.term)
      if (core.term === last.term && last.vote !== '') {
        const isSame = core.vote === last.vote
        demand(isSame, name, () => `${node.id}: vote in ${core.term} goes from ${last.vote} to ${core.vote}`)
      }
      check(node, 'commit index', last.commit, core.commitIndex)
      check(node, 'applied index', last.applied, driver.applied)
      last.term = core.term
      last.vote = core.vote
      last.commit = core.commitIndex
      last.applied = driver.applied
      if (core.role !== 'leader') return
      for (const [id, progress] of core.progress) {
        const before = matches.get(progress) ?? 0
        if (progress.match === before) continue
        check(node, `match index of ${id}`, before, progress.match)
        matches.set(progress, progress.match)
      }
    },
  }
}

const newlySeen = ({ boot, incarnation }: NodeView, term: number): Seen => ({
  boot,
  incarnation,
  term,
  vote: '',
  commit: 0,
  applied: 0,
})
