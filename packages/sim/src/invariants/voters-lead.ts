import { isVoter } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** Thesis §4.2.1, §4.2.2: only voters lead; a leader that a configuration leaves out is gone once that is committed. */
export function votersLead(): Invariant {
  const name = 'only voters lead'
  return {
    name,
    on: ['turned'],
    check(_world, event) {
      if (event.kind !== 'turned') return
      const { node } = event
      const core = node.life?.core
      if (core?.role !== 'leader' || core.configurationIndex > core.commitIndex) return
      demand(isVoter(core.configuration, node.id), name, () => {
        return `${node.id} leads term ${core.term}, but is no voter since ${core.configurationIndex}`
      })
    },
  }
}
