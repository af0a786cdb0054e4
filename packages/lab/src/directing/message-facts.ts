import type { Message } from '@troupe/core'
import type { MessageFacts } from '../events/run-event.ts'

/** What an event log says of a message. */
export function factsOf(message: Message): MessageFacts {
  const { kind: name, term } = message
  const head = { name, term }
  switch (message.kind) {
    case 'preVoteRequest':
    case 'voteRequest':
      return { ...head, index: message.lastIndex }
    case 'preVoteReply':
    case 'voteReply':
      return { ...head, isGranted: message.granted }
    case 'appendRequest': {
      const { prevIndex: index, entries, commit } = message
      return { ...head, index, entries: entries.length, commit }
    }
    case 'appendReply': {
      const { accepted: isGranted, matchIndex, rejected } = message
      return { ...head, isGranted, index: isGranted ? matchIndex : rejected }
    }
    case 'heartbeat':
      return { ...head, commit: message.commit }
    case 'snapshotOffer':
      return { ...head, index: message.meta.index }
    default:
      return head
  }
}
