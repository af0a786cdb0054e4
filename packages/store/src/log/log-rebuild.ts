/**
 * Segments that LMDB must not open are made anew from what is whole in them:
 *
 *     copy what counts into `<segment>-new` ─► flush ─► `<segment>` to `<segment>-damaged-N` ─► `-new` takes its place
 *
 * A crash leaves the old segment, or the new one beside the old one put away. What was damaged is never deleted: somebody
 * may want to look at it.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Durability, IndexRange } from '@troupe/core'
import { demandSpace } from '../disk-space.ts'
import { type Database, dataFileOf, openDatabase } from '../lmdb-database.ts'
import { readLmdbFile } from '../lmdb-file/read-lmdb-file.ts'
import { syncPath } from '../sync-files.ts'
import { type FoundLog, type FoundSegment, REBUILDING } from './log-scan.ts'
import {
  BASE_KEY,
  encodeHardState,
  encodeHeader,
  encodePosition,
  HARD_STATE_KEY,
  HEADER_KEY,
  indexOfKey,
  LOG_FORMAT,
  type LogOwner,
} from './segment-records.ts'

/** Takes up what a crash has interrupted: a new segment is whole once the old one is out of its way. */
export function finishRebuilds(path: string): void {
  if (!existsSync(path)) return
  for (const name of readdirSync(path)) {
    if (!name.endsWith(REBUILDING)) continue
    const place = join(path, name.slice(0, -REBUILDING.length))
    if (existsSync(place)) rmSync(join(path, name), { recursive: true })
    else renameSync(join(path, name), place)
  }
  syncPath(path)
}

/**
 * Makes a segment anew. The state that belongs to the newest stands in each of them: the later one counts.
 * @throws OutOfSpace
 */
export async function rebuildSegment(
  segment: FoundSegment,
  found: FoundLog,
  owner: LogOwner,
  durability: Exclude<Durability, 'memory'>,
): Promise<void> {
  const { path } = segment
  const fresh = `${path}${REBUILDING}`
  demandSpace(join(path, '..'))
  rmSync(fresh, { recursive: true, force: true })
  const database = openDatabase({ path: fresh, durability: 'flush-before-ack' })
  database.transactionSync(() => {
    putState(database, segment, found, owner)
    if (segment.entryCount > 0) copyWhole(database, segment, found.damaged)
  })
  await database.close()
  if (durability === 'flush-before-ack') syncPath(fresh)
  if (existsSync(path)) renameSync(path, asideOf(path))
  renameSync(fresh, path)
  syncPath(join(path, '..'))
}

function putState(database: Database, segment: FoundSegment, found: FoundLog, owner: LogOwner): void {
  const { sequence, firstIndex } = segment
  const before = found.segments
    .filter((other) => other.sequence < sequence)
    .map((other) => ({ sequence: other.sequence, firstIndex: other.firstIndex }))
  void database.put(HEADER_KEY, encodeHeader({ format: LOG_FORMAT, sequence, firstIndex, owner, before }))
  if (found.hardState !== undefined) void database.put(HARD_STATE_KEY, encodeHardState(found.hardState))
  void database.put(BASE_KEY, encodePosition(found.base))
}

function copyWhole(database: Database, segment: FoundSegment, damaged: readonly IndexRange[]): void {
  const { firstIndex, lastIndex, path } = segment
  readLmdbFile(dataFileOf(path), (key, value) => {
    const index = indexOfKey(key)
    if (index === undefined || index < firstIndex || index > lastIndex) return
    if (damaged.some(({ from, to }) => from <= index && index <= to)) return
    void database.put(Uint8Array.from(key), Uint8Array.from(value))
  })
}

function asideOf(path: string): string {
  for (let number = 1; ; number++) {
    const aside = `${path}-damaged-${number}`
    if (!existsSync(aside)) return aside
  }
}
