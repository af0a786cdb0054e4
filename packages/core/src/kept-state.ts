/** A state that an application has kept, and whether the log goes on from it. */
import type { LogReader } from './ports.ts'
import type { LogPosition } from './ready.ts'
import type { SnapshotMeta } from './types.ts'

/** What a state stands for: everything up to `index` is applied. 0, 0, 0 for an empty one. */
export interface KeptState extends LogPosition {
  /** Log time of that entry. */
  readonly timeMs: number
  /** It was left by a stop in good order and lives in memory from now on: what is handed out need not be flushed here. */
  readonly isAtRest?: boolean
}

/**
 * Whether a state that was kept is one that this log goes on from. Only what was flushed had been applied, or all was flushed
 * before it was left at rest; so it is, unless the snapshot is ahead (its loading was cut off) or another log took the place of that one.
 */
export function isPartOf(
  { index, term }: KeptState,
  log: LogReader,
  snapshot: SnapshotMeta | undefined,
): boolean {
  const from = snapshot?.index ?? 0
  // What the log begins behind is lost, and the configuration with it: both come back as a snapshot (see damageOf).
  if (from < log.base.index || index < from) return false
  if (index === from) return term === (snapshot?.term ?? 0)
  if (snapshot !== undefined && !goesOnFrom(log, snapshot)) return false
  return index <= log.lastIndex && log.termAt(index) === term
}

/** Otherwise the log will be reset to the snapshot. A damaged entry agrees with everything. */
function goesOnFrom(log: LogReader, { index, term }: SnapshotMeta): boolean {
  if (index > log.lastIndex) return false
  const found = log.termAt(index)
  return found === undefined || found === term
}
