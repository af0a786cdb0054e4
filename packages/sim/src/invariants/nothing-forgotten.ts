import { demand } from '../contract.ts'
import type { Invariant, NodeView } from '../world-view.ts'

/**
 * What a node has acknowledged it has after every start, damaged or not (FAST 2018: damage is told from a torn tail). Only
 * what it removes itself, as a leader's log demands, is no longer its promise; whether it may, others decide.
 */
export function nothingForgotten(): Invariant {
  const name = 'nothing acknowledged is forgotten'
  /** By directory: up to where. */
  const acknowledged = new Map<string, number>()
  const directory = ({ id, incarnation }: NodeView): string => `${id}/${incarnation}`

  return {
    name,
    on: ['sent', 'persisting', 'started'],
    check(_world, event) {
      if (event.kind === 'sent') {
        const { node, message } = event
        if (message.kind !== 'appendReply' || !message.accepted || message.term !== node.life?.core.term)
          return
        const known = acknowledged.get(directory(node)) ?? 0
        if (message.matchIndex > known) acknowledged.set(directory(node), message.matchIndex)
      } else if (event.kind === 'persisting') {
        const { node, request } = event
        const cut = request.truncateFrom === undefined ? request.reset?.index : request.truncateFrom - 1
        if (cut === undefined) return
        const known = acknowledged.get(directory(node)) ?? 0
        if (cut < known) acknowledged.set(directory(node), cut)
      } else if (event.kind === 'started') {
        const { node } = event
        // Somebody else has done that to it, and nobody knows it yet.
        if (node.disk.log.isRolledBack) return
        const known = acknowledged.get(directory(node)) ?? 0
        const lastIndex = node.life?.core.lastIndex ?? known
        demand(lastIndex >= known, name, () => {
          return `${node.id} starts with a log up to ${lastIndex}, it has acknowledged ${known}`
        })
      }
    },
  }
}
