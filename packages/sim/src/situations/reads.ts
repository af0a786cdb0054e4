import { decodeClientFrame } from '@troupe/machines'
import { codec } from '@troupe/wire'
import type { WorldView } from '../world-view.ts'
import { type Hooks, type SituationMaker, situation } from './situation.ts'

/** Reads without an entry: by a round of heartbeats, or by a lease (thesis §6.4). */
export const reads: readonly SituationMaker[] = [
  situation(
    'lease read in the last tenth of its lease',
    'a little later it would be wrong',
    (reached, world) => ({
      leaseRead: ({ node, core }) => {
        const { electionTimeoutMinMs, maxClockDrift } = world.plan.knobs
        const tenthMs = electionTimeoutMinMs / (1 + maxClockDrift) / 10
        if (!core.holdsLease(node.clock.nowMs() + tenthMs)) reached()
      },
    }),
  ),
  situation('lease read fell back to a round', 'the leader it came to held no lease', leaseReadFellBack),
  situation(
    'read waited for the first commit of a term',
    'before it a leader does not know enough',
    (reached) => ({
      got: {
        readIndexRequest: (_, { core }) => {
          if (core.role === 'leader' && core.termAt(core.commitIndex) !== core.term) reached()
        },
      },
    }),
  ),
  situation('read of a follower refused', 'who was asked does not lead, or no longer', (reached) => ({
    sent: {
      readIndexReply: ({ index }) => {
        if (index === 0) reached()
      },
    },
  })),
]

function leaseReadFellBack(reached: () => void, world: WorldView): Hooks {
  if (!world.plan.knobs.leaseReads) return {}
  return {
    clientFrame: (bytes, { node, core }) => {
      if (core.role !== 'leader' || core.leaseIndex(node.clock.nowMs()) !== undefined) return
      const frame = decodeClientFrame(bytes, codec)
      if (typeof frame === 'string') return
      if (frame.requests.some(([, , consistency]) => consistency === 'lease')) reached()
    },
  }
}
