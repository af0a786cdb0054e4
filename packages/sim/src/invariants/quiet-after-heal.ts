import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * Once all is healed and one leader is followed by everybody, nobody disturbs it: neither a member nor a removed node.
 * Watches from {@link QuietAfterHeal.begin} on.
 */
export interface QuietAfterHeal extends Invariant {
  begin(term: number): void
  end(): void
}

export function quietAfterHeal(): QuietAfterHeal {
  const name = 'quiet after heal'
  let quietTerm: number | undefined
  return {
    name,
    on: ['turned'],
    begin(term) {
      quietTerm = term
    },
    end() {
      quietTerm = undefined
    },
    check(_world, event) {
      if (quietTerm === undefined || event.kind !== 'turned') return
      const core = event.node.life?.core
      if (core === undefined || !core.configuration.voters.some(({ id }) => id === event.node.id)) return
      const { term } = core
      demand(term <= quietTerm, name, () => `${event.node.id} is in term ${term}, ${quietTerm} was led well`)
    },
  }
}
