/** The snapshots beside a log. */
import type { SnapshotMeta } from '@troupe/core'

/** A file of a snapshot. */
export interface SnapshotRow {
  readonly path: string
  /** `damaged`: was complete, and has been put aside by its node. */
  readonly kind: 'complete' | 'damaged' | 'own-draft' | 'received-draft'
  readonly fileBytes: number
  /** Undefined for a draft of the node's own, and where it is damaged. */
  readonly meta: SnapshotMeta | undefined
  readonly damage: string | undefined
}

/** Snapshots of a group in a node's directory; undefined where they cannot be told from here. */
export function snapshotsOf(_nodePath: string, _group: number): readonly SnapshotRow[] | undefined {
  return undefined
}

/** Reads all of it; what is wrong with it, undefined where nothing is. */
export async function whyUnsound(_snapshot: SnapshotRow): Promise<string | undefined> {
  return undefined
}
