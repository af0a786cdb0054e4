import type { Member } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant, NodeView } from '../world-view.ts'

/**
 * §5.2: whoever leads has the flushed votes of a majority of the voters, its own among them where it is one; of both halves
 * in a joint configuration (§6). Votes are taken from what reaches the disks, not from what is told. But who has gone on to a later
 * term before its disk had the vote has flushed that term instead: it cannot vote in the earlier one again.
 */
export function electedByQuorum(): Invariant {
  const name = 'elected by a quorum'
  /** By voter, then by term: for whom. */
  const votes = new Map<string, Map<number, string>>()
  /** Per node the last term that it was seen to lead in. */
  const led: number[] = []

  const note = ({ id, incarnation }: NodeView, term: number, candidate: string): void => {
    const voter = `${id}/${incarnation}`
    const ofVoter = votes.get(voter) ?? new Map<number, string>()
    votes.set(voter, ofVoter.set(term, candidate))
  }

  const hasVote = ({ id, incarnation }: Member, term: number, candidate: string): boolean =>
    votes.get(`${id}/${incarnation}`)?.get(term) === candidate

  return {
    name,
    on: ['flushing', 'sent', 'turned'],
    check(_world, event) {
      if (event.kind === 'flushing') {
        const { hardState } = event.request
        if (hardState !== undefined && hardState.vote !== '') note(event.node, hardState.term, hardState.vote)
        return
      }
      if (event.kind === 'sent') {
        const { message, node } = event
        if (message.kind !== 'voteReply' || !message.granted) return
        if (message.term < node.disk.log.flushed.hardState.term) note(node, message.term, message.to)
        return
      }
      if (event.kind !== 'turned') return
      const { node } = event
      const core = node.life?.core
      if (core?.role !== 'leader' || led[node.index] === core.term) return
      led[node.index] = core.term
      const { configuration, term } = core
      for (const voters of [configuration.voters, configuration.outgoing]) {
        if (voters.length === 0) continue
        const count = voters.filter((member) => hasVote(member, term, node.id)).length
        demand(count * 2 > voters.length, name, () => {
          return `${node.id} leads term ${term} by ${count} flushed votes of ${voters.length} voters`
        })
      }
    },
  }
}
