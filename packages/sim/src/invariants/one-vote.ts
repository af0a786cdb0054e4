import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** §5.2: each node votes for at most one candidate in a term, over crashes too. Counted by what it tells. */
export function oneVote(): Invariant {
  const name = 'one vote per term and incarnation'
  const votes = new Map<string, Map<number, string>>()
  return {
    name,
    on: ['sent'],
    check(_world, event) {
      if (event.kind !== 'sent') return
      const { node, message } = event
      const isVote = message.kind === 'voteRequest' || (message.kind === 'voteReply' && message.granted)
      if (!isVote) return
      const candidate = message.kind === 'voteRequest' ? node.id : message.to
      const voter = `${node.id}/${node.incarnation}`
      let ofVoter = votes.get(voter)
      if (ofVoter === undefined) {
        ofVoter = new Map()
        votes.set(voter, ofVoter)
      }
      const before = ofVoter.get(message.term) ?? candidate
      demand(
        before === candidate,
        name,
        () => `${voter} votes for ${before} and ${candidate} in ${message.term}`,
      )
      ofVoter.set(message.term, candidate)
    },
  }
}
