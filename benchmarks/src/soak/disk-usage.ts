/** What a node's directory takes of the disk. */
import { type Dirent, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DiskUsage } from './soak-sample.ts'

const BLOCK_BYTES = 512
const SEGMENT_NAME = /^\d{12}$/

/** Blocks really taken below `directory`; what vanishes meanwhile counts for nothing. */
export function diskUsage(directory: string): DiskUsage {
  const usage = { logBytes: 0, snapshotBytes: 0, otherBytes: 0, segments: 0 }
  for (const entry of entriesOf(directory)) {
    const bytes = bytesBelow(join(directory, entry.name))
    if (entry.name === 'log') usage.logBytes += bytes
    else if (entry.name === 'snapshots') usage.snapshotBytes += bytes
    else usage.otherBytes += bytes
  }
  for (const group of entriesOf(join(directory, 'log'))) {
    const names = entriesOf(join(directory, 'log', group.name))
    usage.segments += names.filter((entry) => entry.isDirectory() && SEGMENT_NAME.test(entry.name)).length
  }
  return usage
}

/** Blocks really taken by a file, or by a directory and all that is in it; what vanishes meanwhile counts for nothing. */
export function bytesBelow(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false })
  const own = (found?.blocks ?? 0) * BLOCK_BYTES
  if (found?.isDirectory() !== true) return own
  return entriesOf(path).reduce((sum, child) => sum + bytesBelow(join(path, child.name)), own)
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw error
  }
}
