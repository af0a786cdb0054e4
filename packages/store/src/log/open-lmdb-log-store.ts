/**
 * Opens the log of a group: reads it without LMDB, makes anew what LMDB must not open, flushes what it finds, and only
 * then lets LMDB have it.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Durability,
  type GroupId,
  INITIAL_HARD_STATE,
  invalidOption,
  type LogPosition,
  type LogStore,
  type StoreEvents,
} from '@troupe/core'
import { dataFileOf } from '../lmdb-database.ts'
import { storageFailed } from '../storage-errors.ts'
import { makeDirectory, syncPath } from '../sync-files.ts'
import { markUnsynced, refuseUnsynced, unmarkUnsynced } from '../unsynced-mark.ts'
import { LmdbLogStore } from './lmdb-log-store.ts'
import type { Failpoint } from './log-failpoints.ts'
import { type LogLimits, resolveLogLimits } from './log-limits.ts'
import { finishRebuilds, rebuildSegment } from './log-rebuild.ts'
import { type FoundLog, scanLog, WITNESS_FILE } from './log-scan.ts'
import { type Remembered, Witness } from './log-witness.ts'
import type { LogOwner } from './segment-records.ts'
import { SegmentedLog } from './segmented-log.ts'

export interface LmdbLogStoreOptions extends Partial<LogLimits> {
  /** Directory of the logs of all groups of a node; created where it is missing. */
  readonly path: string
  /** @default 0 */
  readonly group?: GroupId | undefined
  /** Whose log it is: another one's is refused, and so is a single file of another one. @default nobody's in particular */
  readonly owner?: Omit<LogOwner, 'group'> | undefined
  /**
   * - `flush-before-ack`: a token is reported after its commit was flushed.
   * - `acked-before-flush`: after its commit was handed to the operating system (LMDB's noSync). Survives the
   *   death of the process. A power loss may lose or garble the log: it is refused after a restart of the machine
   *   (STORAGE_DAMAGED) unless it was closed before. Where there is no boot id (not Linux) that goes unnoticed.
   * @default 'flush-before-ack'
   */
  readonly durability?: Exclude<Durability, 'memory'> | undefined
  readonly events: StoreEvents
  /** What a new log begins behind; ignored for one that has been written to. @default 0/0 */
  readonly base?: LogPosition | undefined
  /** For tests of crashes. */
  readonly failpoint?: Failpoint | undefined
}

const NOBODY = { clusterId: '', nodeId: '', incarnation: 0 }
const NEW_LOG: LogPosition = { index: 0, term: 0 }

/**
 * Opens the LogStore of a group.
 *
 * `base`, `lastIndex`, `termAt` and `read` know what is flushed: they change when a request completes,
 * just before `onPersisted`, and still show the old log while a persist is in flight. `hardState` is what was
 * handed over last. Records handed over are neither changed nor transferred until their token completes: LMDB
 * reads them from another thread. Entries that are read own their memory.
 *
 * Reads the whole log once: some 2 GB/s from the page cache.
 *
 * @throws RaftError STORAGE_DAMAGED where it is another one's or of another format, or term and vote are lost (damaged
 *   entries are reported by `damaged`, not thrown); STORAGE_FAILED where it cannot be read or written; INVALID_OPTIONS
 */
export async function openLmdbLogStore(options: LmdbLogStoreOptions): Promise<LogStore> {
  checkBase(options.base ?? NEW_LOG)
  const { group = 0, durability = 'flush-before-ack' } = options
  const { segmentBytes, segmentEntries, maxLogBytes } = resolveLogLimits(options)
  const path = join(options.path, String(group))
  const owner = { ...NOBODY, ...options.owner, group }
  makeDirectory(path)
  refuseUnsynced(path)
  finishRebuilds(path)
  const found = scanLog(path, owner)
  const isNew = found.segments.length === 0 && found.witness === undefined
  const base = isNew ? (options.base ?? NEW_LOG) : found.base
  if (durability === 'acked-before-flush') markUnsynced(path, group)
  await makeSound(path, found, owner, durability)
  const lastIndex = Math.max(base.index, found.lastIndex)
  const witness = openWitness(
    path,
    found,
    { ...rememberedOf(found, owner), base, knownIndex: lastIndex },
    durability,
  )
  // Only now: the witness no longer misses them.
  for (const dead of found.dead) rmSync(dead, { recursive: true, force: true })
  const limits = { path, owner, durability, segmentBytes, segmentEntries }
  const segments = new SegmentedLog(limits, found.segments, highestOf(found))
  if (found.spare !== undefined) segments.adoptSpare(found.spare)
  else if (segments.wantsSpare) witness.rememberNow({ newestSequence: segments.makeSpare().sequence })
  if (durability === 'flush-before-ack') unmarkUnsynced(path, group)
  return new LmdbLogStore({
    path,
    durability,
    events: options.events,
    segments,
    witness,
    hardState: found.hardState,
    owesHardState: owesHardState(found),
    base,
    lastIndex,
    damaged: found.damaged,
    maxLogBytes,
    failpoint: options.failpoint ?? (() => {}),
    onClosed: () => settle(path, group, durability, segments),
  })
}

/** @throws RaftError INVALID_OPTIONS */
function checkBase(base: LogPosition): void {
  for (const [field, value] of Object.entries({ index: base.index, term: base.term })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw invalidOption(`base.${field}`, value, 'an integer of at least 0')
    }
  }
}

/**
 * What is visible may have been written by a process that was killed before its flush: every file that counts is
 * flushed once, so that whatever is found counts as durable.
 */
async function makeSound(
  path: string,
  found: FoundLog,
  owner: LogOwner,
  durability: Exclude<Durability, 'memory'>,
): Promise<void> {
  try {
    for (const segment of found.segments) {
      if (segment.mustBeRebuilt) await rebuildSegment(segment, found, owner, durability)
      else syncPath(dataFileOf(segment.path))
    }
  } catch (error) {
    throw storageFailed(path, error)
  }
}

/** Whether a crash came after the witness was written and before its segment was. */
function owesHardState({ hardState, segments }: FoundLog): boolean {
  const stored = segments.at(-1)?.scanned?.hardState
  return hardState !== undefined && (stored?.term !== hardState.term || stored.vote !== hardState.vote)
}

/** The highest sequence that was ever used: none is used twice. */
const highestOf = ({ highestSequence, witness }: FoundLog): number =>
  Math.max(highestSequence, witness?.remembered.newestSequence ?? 0)

function rememberedOf({ witness, hardState }: FoundLog, owner: LogOwner): Remembered {
  const blank = {
    owner,
    hardState: INITIAL_HARD_STATE,
    base: NEW_LOG,
    knownIndex: 0,
    boundIndex: 0,
    newestSequence: 0,
    shadowing: undefined,
  }
  return { ...blank, ...witness?.remembered, ...(hardState === undefined ? {} : { hardState }) }
}

function openWitness(
  path: string,
  { witness, segments, spare }: FoundLog,
  remembered: Remembered,
  durability: LmdbLogStoreOptions['durability'],
): Witness {
  const opened = Witness.open(
    join(path, WITNESS_FILE),
    witness,
    remembered,
    durability === 'flush-before-ack',
  )
  const { knownIndex, boundIndex } = remembered
  const newestSequence = spare ?? segments.at(-1)?.sequence ?? 0
  opened.rememberNow({ ...remembered, newestSequence, boundIndex: Math.max(boundIndex, knownIndex) })
  return opened
}

/** Everything is closed: what was left to the operating system is flushed now. */
function settle(path: string, group: GroupId, durability: Durability, segments: SegmentedLog): void {
  if (durability !== 'acked-before-flush') return
  for (const segment of segments.paths) {
    const file = dataFileOf(segment)
    if (existsSync(file)) syncPath(file)
  }
  unmarkUnsynced(path, group)
}
