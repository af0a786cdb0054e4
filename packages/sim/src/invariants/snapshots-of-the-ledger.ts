import type { SnapshotMeta } from '@troupe/core'
import { demand } from '../contract.ts'
import type { Invariant } from '../world-view.ts'

/** Raft §7: a snapshot stands for committed entries, and brings the configuration and the log time of the last of them. */
export function snapshotsOfTheLedger(): Invariant {
  const name = 'snapshots stand for what is committed'
  /** Per node the one that was looked at last. */
  const seen: (SnapshotMeta | undefined)[] = []
  return {
    name,
    on: ['turned'],
    check({ ledger }, event) {
      if (event.kind !== 'turned') return
      const { node } = event
      const { latest } = node.disk.snapshots
      if (latest === undefined || seen[node.index] === latest) return
      seen[node.index] = latest
      const { index, term, timeMs, configurationIndex } = latest
      const entry = ledger.at(index)?.entry
      const who = `${node.id} has a snapshot at ${index}`
      demand(entry !== undefined, name, () => `${who}, committed is ${ledger.commitIndex}`)
      const isSame = entry.term === term && entry.timeMs === timeMs
      demand(
        isSame,
        name,
        () => `${who} of term ${term}, time ${timeMs}: its entry is of ${entry.term}, ${entry.timeMs}`,
      )
      demand(configurationIndex === entry.configurationIndex, name, () => {
        return `${who} with the configuration at ${configurationIndex}, its entry goes by that at ${entry.configurationIndex}`
      })
    },
  }
}
