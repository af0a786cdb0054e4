import { FAILPOINTS, type FailpointName } from '@troupe/faults'
import { type SituationMaker, situation } from './situation.ts'

const about: Readonly<Record<Exclude<FailpointName, 'start'>, string>> = {
  'before-save': 'nothing of the turn was handed to the disk',
  'after-save': 'it is flushed, and nobody was told',
  'before-compact': 'the log was about to be cut behind a snapshot',
  'after-compact': 'the log is cut behind a snapshot, and nobody was told',
  'before-apply': 'entries are committed, and not applied here',
  'after-apply': 'entries are applied, and nobody was answered',
  'before-change': 'a change of the members is committed, and not applied here',
  'after-change': 'a change of the members is applied, and nobody was told',
  'before-snapshot': 'a snapshot of its own is whole, and not flushed',
  'after-snapshot': 'a snapshot of its own is flushed, and the log not cut',
  'after-receive': 'a fetched snapshot is flushed, and the log not reset',
  'before-install': 'a fetched snapshot is not the state yet',
  'after-install': 'a fetched snapshot is the state',
}

/** Deaths between two steps that belong together: only who asks for them gets there. A start has no life to end. */
export const deaths: readonly SituationMaker[] = FAILPOINTS.flatMap((name) =>
  name === 'start' ? [] : [diedAt(name)],
)

function diedAt(name: Exclude<FailpointName, 'start'>): SituationMaker {
  return situation(`died at ${name}`, about[name], (reached) => ({
    crashed: (_node, _before, at) => {
      if (at === name) reached()
    },
  }))
}
