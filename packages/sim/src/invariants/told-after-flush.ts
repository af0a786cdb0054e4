import type { Message } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant, NodeView } from '../world-view.ts'

/**
 * DESIGN law 6: what a message promises is on the disk of its sender, and a node that starts again has not forgotten
 * any term that it told of.
 */
export function toldAfterFlush(): Invariant {
  const name = 'nothing told before its flush'
  /** By node: the highest term that it told of in this directory. */
  const told: { readonly incarnation: number; term: number }[] = []

  const toldOf = ({ index, incarnation }: NodeView): { term: number } => {
    let latest = told[index]
    if (latest?.incarnation !== incarnation) {
      latest = { incarnation, term: 0 }
      told[index] = latest
    }
    return latest
  }

  const checkSent = (node: NodeView, message: Message): void => {
    // Pre-votes speak of a term that nobody is in.
    if (message.kind === 'preVoteRequest' || (message.kind === 'preVoteReply' && message.granted)) return
    const { flushed } = node.disk.log
    const { term, vote } = flushed.hardState
    const who = (): string => `${message.kind} of ${node.id} in term ${message.term}`
    demand(message.term <= term, name, () => `${who()}: flushed is ${term}`)
    const latest = toldOf(node)
    if (message.term > latest.term) latest.term = message.term
    if (message.term !== term) return
    if (message.kind === 'voteRequest') {
      demand(vote === node.id, name, () => `${who()}: the own vote is not flushed, but one for ${vote}`)
      // Of a candidacy that was given up meanwhile nobody counts the answers, and its log may be truncated by now.
      const core = node.life?.core
      const isGivenUp = core?.role !== 'candidate' || core.term !== message.term
      demand(isGivenUp || flushed.lastIndex >= message.lastIndex, name, () => {
        return `${who()} tells of ${message.lastIndex}, flushed up to ${flushed.lastIndex}`
      })
    }
    if (message.kind === 'voteReply' && message.granted) {
      demand(vote === message.to, name, () => `${who()} to ${message.to}: flushed is a vote for ${vote}`)
    }
    if (message.kind === 'appendReply' && message.accepted) {
      demand(flushed.lastIndex >= message.matchIndex, name, () => {
        return `${who()} acknowledges ${message.matchIndex}, flushed up to ${flushed.lastIndex}`
      })
    }
  }

  return {
    name,
    on: ['sent', 'started'],
    check(_world, event) {
      if (event.kind === 'sent') checkSent(event.node, event.message)
      if (event.kind !== 'started') return
      const { node } = event
      const term = node.life?.core.term ?? 0
      const before = toldOf(node).term
      demand(term >= before, name, () => `${node.id} starts in term ${term}, and told of ${before} before`)
    },
  }
}
