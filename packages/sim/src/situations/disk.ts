import type { NodeId } from '@troupe/core'
import { hasSteppedDown } from './elections.ts'
import { type Actor, type Hooks, type SituationMaker, situation } from './situation.ts'

/** Disks that are slow, full, or have lost something (FAST 2018), and crashes between a write and its flush. */
export const disks: readonly SituationMaker[] = [
  situation('stalled disk deposed a leader', 'its oldest write waited for too long', (reached) => ({
    became: (actor) => {
      const { core, before } = actor
      if (hasSteppedDown(actor) && core.metrics.persistStalls > before.persistStalls) reached()
    },
  })),
  situation(
    'leader went on over a stalled disk',
    'its heartbeats do not wait, nor do the others',
    (reached) => ({
      led: ({ node }) => {
        if (node.disk.isStalled) reached()
      },
    }),
  ),
  situation('disk was full while leading', 'entries wait, and go to the peers all the same', (reached) => ({
    persisting: ({ entries }, { node, core }) => {
      if (entries.length > 0 && core.role === 'leader' && node.disk.isFull) reached()
    },
  })),
  situation('vote lost before its flush', 'a crash took it back: nobody may have been told', voteLost),
  situation(
    'written without anyone being told',
    'a crash left entries that were never reported',
    (reached) => ({
      flushing: ({ entries }, node) => {
        if (node.life === undefined && entries.length > 0) reached()
      },
    }),
  ),
  situation(
    'damage found while nobody led',
    'it has to be decided without a leader, or to wait',
    (reached, world) => ({
      started: ({ core }) => {
        if (core.damaged.length === 0) return
        if (world.nodes.every(({ life }) => life?.core.role !== 'leader')) reached()
      },
    }),
  ),
  situation('state lost with its snapshot', 'the log begins behind what no snapshot covers', (reached) => ({
    started: ({ node }) => {
      const { log, snapshots } = node.disk
      if (log.flushed.base.index > (snapshots.latest?.index ?? 0)) reached()
    },
  })),
  situation('damaged node refused a vote', 'it does not know what its log holds', (reached) => {
    const look = ({ term }: { readonly term: number }, { core }: Actor): void => {
      if (core.damaged.length > 0 && term >= core.term && core.leader === undefined) reached()
    }
    return { got: { preVoteRequest: look, voteRequest: look } }
  }),
  situation('damage repaired from a peer', 'sound entries were written in their place', (reached) => ({
    persisting: ({ repairs }) => {
      if (repairs.length > 0) reached()
    },
  })),
  situation('damage repaired by a snapshot', 'it stands for the damaged entries', (reached) => ({
    persisting: ({ reset, compactTo }, { node }) => {
      const index = reset?.index ?? compactTo?.index
      const [first] = node.disk.log.damaged
      if (index !== undefined && first !== undefined && first.from <= index) reached()
    },
  })),
  situation('damaged end given up', 'the leader does not have it: it was not committed', (reached) => ({
    truncating: (from, { node }) => {
      const last = node.disk.log.damaged.at(-1)
      if (last !== undefined && last.to >= from) reached()
    },
  })),
  situation('rollback proven by a leader', 'what it counts on is not there any more', (reached) => ({
    started: ({ node }) => {
      if (node.disk.log.isProven) reached()
    },
  })),
  situation('damage that no voter vouches for', 'all have answered: only a leader can help', (reached) => {
    const told = new Set<string>()
    return {
      got: {
        repairReply: (_, { node, core }) => {
          const life = `${node.id} ${node.boot}`
          if (core.lost === undefined || told.has(life)) return
          told.add(life)
          reached()
        },
      },
    }
  }),
]

function voteLost(reached: () => void): Hooks {
  /** Tokens of requests with a vote that are not flushed, by node. */
  const waiting = new Map<NodeId, number>()
  return {
    started: ({ node }) => {
      waiting.delete(node.id)
    },
    persisting: ({ hardState, token }, { node }) => {
      if (hardState !== undefined && hardState.vote !== '') waiting.set(node.id, token)
    },
    flushing: ({ token }, { id }) => {
      if (waiting.get(id) === token) waiting.delete(id)
    },
    crashed: ({ id }) => {
      if (waiting.delete(id)) reached()
    },
  }
}
