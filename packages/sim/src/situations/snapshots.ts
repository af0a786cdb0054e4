import { isJoint, type SnapshotPull } from '@troupe/core'
import type { NodeView } from '../world-view.ts'
import { type Actor, type SituationMaker, situation } from './situation.ts'

/** Snapshots that are fetched, interrupted, displaced and installed (Raft §7, thesis §5.1). */
export const snapshots: readonly SituationMaker[] = [
  situation('snapshot replaced a longer log', 'that said something else (§7)', (reached) => ({
    persisting: ({ reset }, { node }) => {
      if (reset !== undefined && node.disk.log.seen.lastIndex >= reset.index) reached()
    },
  })),
  situation(
    'snapshot came during a joint configuration',
    'whatever configuration it brings',
    (reached, world) => ({
      event: {
        snapshotReceived: () => {
          const isLeaders = ({ life }: NodeView): boolean =>
            life?.core.role === 'leader' && isJoint(life.core.configuration)
          if (world.nodes.some(isLeaders)) reached()
        },
      },
    }),
  ),
  situation(
    'joint configuration came with a snapshot',
    'its entry is in no log of the receiver',
    (reached) => ({
      event: {
        snapshotReceived: ({ meta }) => {
          if (isJoint(meta.configuration)) reached()
        },
      },
    }),
  ),
  pulls('snapshot pull repeated', 'it, or its answer, was lost', (pull, last) => {
    return last !== undefined && isSame(pull, last) && pull.offset === last.offset && pull.to === last.to
  }),
  pulls('snapshot pull resumed after a restart', 'from where the disk had it', (pull, last) => {
    return last === undefined && pull.offset > 0
  }),
  pulls('snapshot pull went on with another sender', 'that has the same, byte for byte', (pull, last) => {
    return last !== undefined && isSame(pull, last) && pull.offset > 0 && pull.to !== last.to
  }),
  pulls('snapshot displaced by a newer one', 'before it was there', (pull, last) => {
    return last !== undefined && pull.index > last.index
  }),
  situation('snapshot gone while it was pulled', 'its sender has later ones', (reached) => ({
    sent: {
      snapshotChunk: ({ data }) => {
        if (data.byteLength === 0) reached()
      },
    },
  })),
  situation(
    'restart found a snapshot ahead of its log',
    'a crash came before the log was reset',
    (reached) => ({
      started: ({ node }) => {
        const { log, snapshots } = node.disk
        if ((snapshots.latest?.index ?? 0) > log.flushed.lastIndex) reached()
      },
    }),
  ),
]

const isSame = (left: SnapshotPull, right: SnapshotPull): boolean =>
  left.index === right.index && left.checksum === right.checksum

/** A situation of a pull and the one before it in the same life, unless what that was for has arrived. */
function pulls(
  name: string,
  about: string,
  isIt: (pull: SnapshotPull, last: SnapshotPull | undefined) => boolean,
): SituationMaker {
  return situation(name, about, (reached) => {
    const last = new Map<number, SnapshotPull>()
    const forget = ({ node }: Actor): void => {
      last.delete(node.index)
    }
    return {
      started: forget,
      event: { snapshotReceived: (_, actor) => forget(actor) },
      sent: {
        snapshotPull: (pull, { node }) => {
          if (isIt(pull, last.get(node.index))) reached()
          last.set(node.index, pull)
        },
      },
    }
  })
}
