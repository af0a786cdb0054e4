import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * What clients are told: each write is applied exactly once per session, an acknowledged one was applied, no answer that
 * must be fresh is older than what any client knew when it asked, and equal payloads lead to equal states. The oracle
 * compares; this is where its complaints end the run.
 */
export function answers(): Invariant {
  const name = 'exactly once, and fresh answers'
  return {
    name,
    on: ['answered'],
    check(_world, event) {
      if (event.kind !== 'answered') return
      demand(event.complaint === undefined, name, () => event.complaint ?? '')
    },
  }
}
