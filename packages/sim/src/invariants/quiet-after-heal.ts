import { demand } from '../contract.ts'
import type { Invariant, NodeView } from '../world-view.ts'

/**
 * Once all is healed and one leader is followed by everybody, nobody disturbs it: neither a member nor a removed node.
 * Watches from {@link QuietAfterHeal.begin} on.
 */
export interface QuietAfterHeal extends Invariant {
  begin(term: number, nodes: readonly NodeView[]): void
  end(): void
}

export function quietAfterHeal(): QuietAfterHeal {
  const name = 'quiet after heal'
  /** The term that each node may be in. A removed one may have begun a later term before. */
  let quietTerms: ReadonlyMap<number, number> | undefined
  return {
    name,
    on: ['turned'],
    begin(term, nodes) {
      quietTerms = new Map(nodes.map(({ index, life }) => [index, Math.max(term, life?.core.term ?? 0)]))
    },
    end() {
      quietTerms = undefined
    },
    check(_world, event) {
      if (quietTerms === undefined || event.kind !== 'turned') return
      const quietTerm = quietTerms.get(event.node.index) ?? 0
      const core = event.node.life?.core
      if (core === undefined || !core.configuration.voters.some(({ id }) => id === event.node.id)) return
      const { term } = core
      demand(term <= quietTerm, name, () => `${event.node.id} is in term ${term}, ${quietTerm} was led well`)
    },
  }
}
