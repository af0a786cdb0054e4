import type { VoteRequest } from '@troupe/core'
import { type Actor, type Hooks, type SituationMaker, situation } from './situation.ts'

/** Who leads, and who would like to (Raft §5.2, §5.4.1; thesis §3.10, §4.2.3, §6.2, §9.6). */
export const elections: readonly SituationMaker[] = [
  situation('rival candidates', 'two campaign in one term', rivalCandidates),
  situation('split vote', 'a term with several candidates had no leader', splitVote),
  situation('rival pre-candidates', 'one asks for a pre-vote of another that asks too', (reached) => ({
    got: {
      preVoteRequest: (_, { before }) => {
        if (before.role === 'preCandidate') reached()
      },
    },
  })),
  situation('two leaders at once', 'in different terms: one of them does not know yet', (reached, world) => ({
    became: ({ node, core }) => {
      if (core.role !== 'leader') return
      if (world.nodes.some(({ id, life }) => id !== node.id && life?.core.role === 'leader')) reached()
    },
  })),
  situation(
    'pre-vote refused for a leader',
    'the asker would have had it but for who is heard',
    (reached) => ({
      got: {
        preVoteRequest: (message, { core }) => {
          const isSound = message.term > core.term && core.damaged.length === 0
          if (isSound && core.leader !== undefined && !isBehind(message, core)) reached()
        },
      },
    }),
  ),
  situation('vote request ignored for a leader', 'of a later term, and no term was raised', (reached) => ({
    got: {
      voteRequest: ({ isTransfer, term }, { core }) => {
        if (!isTransfer && term > core.term) reached()
      },
    },
  })),
  situation('candidate behind was refused', 'its log is not up to date (§5.4.1)', (reached) => ({
    got: {
      voteRequest: (message, { core }) => {
        const isOfTheTerm = message.term === core.term && core.damaged.length === 0
        if (isOfTheTerm && isBehind(message, core)) reached()
      },
    },
  })),
  situation('leader inherited uncommitted entries', 'of earlier terms: where figure 8 begins', (reached) => ({
    became: ({ core }) => {
      if (core.role !== 'leader') return
      const term = core.termAt(core.commitIndex + 1)
      if (term !== undefined && term < core.term) reached()
    },
  })),
  situation('check-quorum deposed a leader', 'it heard no quorum for an election timeout', (reached) => ({
    became: (actor) => {
      const { node, core, before } = actor
      const isStalled = core.metrics.persistStalls > before.persistStalls
      const isVoter = core.configuration.voters.some(({ id }) => id === node.id)
      if (hasSteppedDown(actor) && !isStalled && isVoter) reached()
    },
  })),
  situation('deposed leader went on speaking', 'and was told that its term is over (§5.1)', (reached) => ({
    sent: {
      heartbeatReply: ({ round }) => {
        if (round === 0) reached()
      },
    },
  })),
  situation('transfer completed', 'who was told to campaign leads', transferCompleted),
  situation('transfer abandoned', 'the target did not take over in time, or another did', (reached) => ({
    operated: (_, outcome) => {
      const error = outcome?.error
      if (error?.code === 'REFUSED_CHANGE' && 'reason' in error.data && error.data.reason === 'ABANDONED') {
        reached()
      }
    },
  })),
  situation('order to campaign came too late', 'its sender no longer leads (thesis §3.10)', (reached) => ({
    got: {
      timeoutNow: ({ term }, { before }) => {
        if (term < before.term) reached()
      },
    },
  })),
]

/** Whether the turn has made a leader give up by itself, in its own term. */
export const hasSteppedDown = ({ core, before }: Actor): boolean =>
  before.role === 'leader' && core.role === 'follower' && core.term === before.term

function isBehind(
  { lastIndex, lastTerm }: Pick<VoteRequest, 'lastIndex' | 'lastTerm'>,
  core: Actor['core'],
): boolean {
  const ownTerm = core.termAt(core.lastIndex) ?? 0
  return lastTerm < ownTerm || (lastTerm === ownTerm && lastIndex < core.lastIndex)
}

/** Calls `onRival` when somebody campaigns in a term that another campaigns in, `onTerm` before a later one begins. */
function candidates(onRival: () => void, onTerm: (count: number, isLed: boolean) => void) {
  let latest = 0
  let isLed = false
  const asking = new Set<string>()
  return {
    sent: {
      voteRequest: ({ term }: VoteRequest, { node }: Actor) => {
        if (term > latest) {
          onTerm(asking.size, isLed)
          latest = term
          isLed = false
          asking.clear()
        }
        if (term < latest || asking.has(node.id)) return
        asking.add(node.id)
        if (asking.size === 2) onRival()
      },
    },
    became: ({ core }: Actor) => {
      if (core.role === 'leader' && core.term === latest) isLed = true
    },
  }
}

function rivalCandidates(reached: () => void): Hooks {
  return candidates(reached, () => {})
}

function splitVote(reached: () => void): Hooks {
  return candidates(
    () => {},
    (count, isLed) => {
      if (count > 1 && !isLed) reached()
    },
  )
}

function transferCompleted(reached: () => void): Hooks {
  let told = ''
  return {
    sent: {
      voteRequest: ({ isTransfer, term }, { node }) => {
        if (isTransfer) told = `${node.id} ${term}`
      },
    },
    became: ({ node, core }) => {
      if (core.role !== 'leader' || told !== `${node.id} ${core.term}`) return
      told = ''
      reached()
    },
  }
}
