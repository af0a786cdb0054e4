import { EntryKind, entryPayload, type ProposalRefusal } from '@troupe/core'
import { NEW_SESSION, readCommandFrames, Sessions } from '@troupe/machines'
import type { CommittedEntry } from '../ledger.ts'
import type { WorldView } from '../world-view.ts'
import { type Actor, type Hooks, type Situation, type SituationMaker, situation } from './situation.ts'

/** What clients' commands come to (Raft §8, thesis §6.3). */
export const sessions: readonly SituationMaker[] = [
  sessionStates,
  situation('proposal forwarded', 'by a follower to the leader', (reached) => ({
    sent: { proposal: reached },
  })),
  situation('forwarded proposal refused', 'who got it does not lead, or has no room', (reached) => ({
    sent: { proposalRefused: reached },
  })),
  situation('proposal refused for uncommitted bytes', 'BUSY: too much waits for a quorum', (reached) =>
    onRefusal('BUSY', (actor) => {
      if (actor.core.transferTarget === undefined) reached()
    }),
  ),
  situation('proposal refused during a transfer', 'BUSY: another is to lead soon', (reached) =>
    onRefusal('BUSY', (actor) => {
      if (actor.core.transferTarget !== undefined) reached()
    }),
  ),
  situation('proposal refused for space', 'NO_SPACE: the disk of the leader is full', (reached) =>
    onRefusal('NO_SPACE', reached),
  ),
]

type Change = 'expired' | 'evicted' | ReturnType<Sessions['admit']>['kind']

const changes: Readonly<Record<Exclude<Change, 'apply'>, readonly [name: string, about: string]>> = {
  expired: ['session expired', 'by log time'],
  evicted: ['session evicted', 'the least recently used one, for another'],
  duplicate: ['duplicate answered from its session', 'all of the frame was applied before'],
  gap: ['gap in a session refused', 'something before it was lost'],
  stale: ['frame of a forgotten session refused', 'its answer cannot be known any more'],
  full: ['too many unconfirmed commands refused', 'their results would have to be kept'],
}

/** The sessions as every replica has them, from what is committed. */
function sessionStates(world: WorldView): readonly Situation[] {
  const counters = new Map<Change, () => void>()
  const situations = Object.entries(changes).flatMap(([change, [name, about]], at) =>
    situation(name, about, (reached) => {
      counters.set(change as Change, reached)
      return at === 0 ? { committed: follow } : {}
    })(world),
  )
  const model = new Sessions(world.plan.sessions)
  const reach = (change: Change): void => counters.get(change)?.()

  function follow({ entry }: CommittedEntry): void {
    const { count } = model
    model.expire(entry.timeMs)
    if (model.count < count) reach('expired')
    if (entry.kind !== EntryKind.commands) return
    const frames = readCommandFrames(entryPayload(entry))
    if (typeof frames === 'string') return
    for (const frame of frames) {
      if (frame.session === NEW_SESSION) {
        const before = model.count
        model.open(entry.timeMs)
        if (model.count === before) reach('evicted')
        continue
      }
      // A connection that has closed leaves its session as it was.
      if (frame.count === 0) continue
      const admission = model.admit(frame, entry.timeMs)
      reach(admission.kind)
      if (admission.kind !== 'apply') continue
      const { skip } = admission
      const range = { first: frame.first + skip, count: frame.count - skip }
      model.record(frame.session, { ...range, results: undefined, errors: undefined })
    }
  }
  return situations
}

const COMMANDS_OFFSET = 8

/** Looks at leaders that refused commands: they came, nothing was appended, and nothing would be now. */
function onRefusal(code: ProposalRefusal, look: (actor: Actor) => void): Hooks {
  return {
    clientFrame: (bytes, actor) => {
      const { core, before } = actor
      if (core.role !== 'leader' || before.role !== 'leader' || core.lastIndex !== before.lastIndex) return
      const requestBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true)
      const hasCommands = bytes.byteLength > COMMANDS_OFFSET + requestBytes
      if (hasCommands && core.proposalRefusal === code) look(actor)
    },
  }
}
