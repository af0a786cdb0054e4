/** The snapshots beside a log. */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { RaftError } from '@troupe/core'
import { type ListedSnapshot, listSnapshots, verifySnapshotFile } from '@troupe/store'

/** A file of a snapshot. */
export type SnapshotRow = ListedSnapshot

/**
 * Snapshots of a group in a node's directory, by their names.
 * @throws RaftError STORAGE_FAILED where they cannot be read
 */
export function snapshotsOf(nodePath: string, group: number): readonly SnapshotRow[] {
  return listSnapshots(join(nodePath, 'snapshots')).filter((snapshot) => snapshot.group === group)
}

/** Reads all of it; what is wrong with it, undefined where nothing is, or where its node has removed it meanwhile. */
export async function whyUnsound({ path }: SnapshotRow): Promise<string | undefined> {
  try {
    await verifySnapshotFile(path)
    return undefined
  } catch (error) {
    if (RaftError.is(error, 'STORAGE_DAMAGED')) return `${basename(path)}: ${error.data.reason}`
    if (!existsSync(path)) return undefined
    throw error
  }
}
