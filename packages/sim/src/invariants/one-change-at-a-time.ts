import { type Configuration, decodeConfiguration, EntryKind, entryPayload, isJoint } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/**
 * Thesis §4.1: a leader begins a change of the members only when the one before is committed, and in its own term
 * something was committed. Single changes differ by one voter; everything else goes through a joint configuration (Raft §6).
 */
export function oneChangeAtATime(onChange: (isJoint: boolean) => void): Invariant {
  const name = 'one change at a time'
  /** By index and term of its entry. */
  const known = new Map<string, Configuration>()
  return {
    name,
    on: ['persisting'],
    check(_world, event) {
      if (event.kind !== 'persisting') return
      const { node, request } = event
      const core = node.life?.core
      for (const entry of request.entries) {
        if (entry.kind !== EntryKind.configuration) continue
        const key = `${entry.index}/${entry.term}`
        if (known.has(key)) continue
        const configuration = decodeConfiguration(entryPayload(entry))
        demand(configuration !== undefined, name, () => `${key} holds no configuration`)
        known.set(key, configuration)
        onChange(isJoint(configuration))
        const { seen } = node.disk.log
        const before =
          request.entries.find(({ index }) => index === entry.index - 1) ?? seen.at(entry.index - 1)
        if (core?.role !== 'leader' || before === undefined) continue
        const isReady = seen.termAt(core.commitIndex) === core.term
        demand(isReady, name, () => {
          return `${node.id} changes the members at ${entry.index}, and has committed nothing in term ${core.term}`
        })
        const previous = before.configurationIndex
        demand(previous <= core.commitIndex, name, () => {
          return `${node.id} changes the members at ${entry.index}, ${previous} is not committed yet`
        })
        const previousTerm = seen.termAt(previous)
        const from = known.get(`${previous}/${previousTerm}`)
        if (from !== undefined) checkStep(from, configuration, entry.index)
      }
    },
  }

  function checkStep(from: Configuration, to: Configuration, index: number): void {
    const ids = (configuration: Configuration): string[] =>
      configuration.voters.map(({ id, incarnation }) => `${id}/${incarnation}`)
    if (isJoint(from)) {
      const isLeft = !isJoint(to) && sameSet(ids(from), ids(to))
      demand(isLeft, name, () => `${index}: a joint configuration is not left, but changed`)
    } else if (isJoint(to)) {
      const outgoing = to.outgoing.map(({ id, incarnation }) => `${id}/${incarnation}`)
      demand(
        sameSet(outgoing, ids(from)),
        name,
        () => `${index}: the old half is not the configuration before`,
      )
    } else {
      const before = new Set(ids(from))
      const after = new Set(ids(to))
      const changed = before.symmetricDifference(after).size
      demand(changed <= 1, name, () => `${index}: ${changed} voters come or go at once`)
    }
  }
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return new Set(left).symmetricDifference(new Set(right)).size === 0
}
