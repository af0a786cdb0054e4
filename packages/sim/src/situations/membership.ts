import {
  type ChangeRefusal,
  type Configuration,
  EntryKind,
  isJoint,
  isVoter,
  membersOf,
  type NodeId,
} from '@troupe/core'
import { hasSteppedDown } from './elections.ts'
import { type Actor, type Hooks, type SituationMaker, situation } from './situation.ts'

/** Members that come, go and change what they are (Raft §6, thesis §4). */
export const membership: readonly SituationMaker[] = [
  ...(['NOT_READY', 'IN_PROGRESS', 'NOT_CAUGHT_UP', 'NO_QUORUM', 'INVALID'] as const).map(changeRefused),
  situation('change left in doubt', 'its leader lost its office before it was committed', (reached) => ({
    operated: ({ kind }, outcome) => {
      const isChange = kind === 'changeMembers' || kind === 'leaveJoint'
      if (isChange && outcome?.error?.code === 'INDETERMINATE') reached()
    },
  })),
  situation('change committed by a later leader', 'than the one that began it', (reached) => ({
    committed: ({ entry, inTerm }) => {
      if (entry.kind === EntryKind.configuration && entry.term !== inTerm) reached()
    },
  })),
  situation('uncommitted configuration taken back', 'with the entry that brought it', (reached) => ({
    truncating: (from, { before }) => {
      if (from <= before.configurationIndex) reached()
    },
  })),
  situation('leader elected in a joint configuration', 'by a majority of both halves', (reached) => ({
    became: ({ core }) => {
      if (core.role === 'leader' && isJoint(core.configuration)) reached()
    },
  })),
  situation('joint configuration left by itself', 'once it was committed', (reached) =>
    onLeaving((before) => {
      if (before.autoLeave) reached()
    }),
  ),
  situation('joint configuration left by an operator', 'who had entered it so', (reached) =>
    onLeaving((before) => {
      if (!before.autoLeave) reached()
    }),
  ),
  situation('joint configuration left by another leader', 'than the one that entered it', (reached) =>
    onLeaving((_before, { core, before }) => {
      const term = core.termAt(before.configurationIndex)
      if (term !== undefined && term < core.term) reached()
    }),
  ),
  situation('leader removed itself', 'and led on until that was committed (thesis §4.2.2)', (reached) => ({
    became: (actor) => {
      const { node, core } = actor
      const isVoter = core.configuration.voters.some(({ id }) => id === node.id)
      if (hasSteppedDown(actor) && !isVoter) reached()
    },
  })),
  situation(
    'voter that does not know it voted',
    'its promotion is not in its log (thesis §4.1)',
    (reached, world) => ({
      sent: {
        voteReply: ({ granted, to }, { node, core }) => {
          if (!granted || isVoter(core.configuration, node.id)) return
          const asker = world.nodes.find(({ id }) => id === to)?.life?.core
          if (asker !== undefined && isVoter(asker.configuration, node.id)) reached()
        },
      },
    }),
  ),
  situation('stranger asked for votes', 'who is no member here: removed, or not known yet', (reached) => {
    const look = ({ from }: { readonly from: NodeId }, { core }: Actor): void => {
      if (membersOf(core.configuration).every(({ id }) => id !== from)) reached()
    }
    return { got: { preVoteRequest: look, voteRequest: look } }
  }),
  situation(
    'new incarnation promoted',
    'a node that had lost its directory votes again',
    incarnationPromoted,
  ),
]

function changeRefused(reason: ChangeRefusal): SituationMaker {
  return situation(`change refused ${reason}`, 'of the members, or of the leader', (reached) => ({
    operated: (_, outcome) => {
      const data = outcome?.error?.data
      if (data !== undefined && 'detail' in data && data.reason === reason) reached()
    },
  }))
}

/** Looks where a leader appends the simple configuration that follows a joint one. */
function onLeaving(look: (before: Configuration, actor: Actor) => void): Hooks {
  return {
    configuring: (actor) => {
      const { core, before } = actor
      if (!isJoint(before.configuration) || isJoint(core.configuration)) return
      look(before.configuration, actor)
    },
  }
}

function incarnationPromoted(reached: () => void): Hooks {
  const first = new Map<NodeId, number>()
  return {
    started: ({ node }) => {
      if (!first.has(node.id)) first.set(node.id, node.incarnation)
    },
    configuring: ({ core, before }) => {
      for (const { id, incarnation } of core.configuration.voters) {
        if (first.get(id) === incarnation) continue
        const isNew = before.configuration.voters.every((voter) => voter.incarnation !== incarnation)
        if (isNew) reached()
      }
    },
  }
}
