/** All that can be told of one log from its files: what `inspect` shows, what `verify` judges. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  type Configuration,
  type HardState,
  type IndexRange,
  type LogPosition,
  RaftError,
  type SnapshotMeta,
} from '@troupe/core'
import { type FoundLog, type FoundSegment, LOG_FORMAT, type LogOwner, type Remembered } from '@troupe/store'
import { holderOf, type LogPlace, wasMade } from './places.ts'
import { type ListedEntry, type LogScan, type ScanTask, scanInThread } from './scan-task.ts'
import { type SnapshotRow, snapshotsOf } from './snapshots.ts'

export interface SegmentRow {
  readonly sequence: number
  /** Undefined where it holds none that count. */
  readonly firstIndex: number | undefined
  readonly lastIndex: number | undefined
  readonly entries: number
  readonly recordBytes: number
  readonly fileBytes: number
  readonly state: 'sealed' | 'active' | 'made ahead' | 'damaged' | 'missing' | 'left over'
}

export interface LogReport {
  readonly path: string
  readonly identity: {
    readonly clusterId: string | undefined
    readonly nodeId: string | undefined
    readonly incarnation: number | undefined
    readonly group: number
    readonly created: string | undefined
    readonly format: number
  }
  /** The process that has it open. */
  readonly openBy: number | undefined
  readonly hardState: HardState | undefined
  /** Where that stands: `witness`, `segment 4`. */
  readonly hardStateIn: readonly string[]
  readonly members: Configuration | undefined
  /** Where that stands, or why it is not known. */
  readonly membersFrom: string
  readonly base: LogPosition
  readonly lastIndex: number
  readonly segments: readonly SegmentRow[]
  readonly witness: (Remembered & { readonly writes: number }) | undefined
  readonly snapshots: readonly SnapshotRow[] | undefined
  /** Acknowledged before it was flushed, and not closed since. */
  readonly isUnsynced: boolean
  readonly damaged: readonly IndexRange[]
  readonly problems: readonly string[]
  readonly entries: readonly ListedEntry[]
  readonly seconds: number
}

/** Which entries are to be listed. */
export type Listing = Omit<ScanTask, 'path' | 'owner'>

export const NO_LISTING: Listing = { from: 0, to: 0, entries: 0 }

/** In the name of a segment. */
const SEQUENCE_DIGITS = 12
/** A running node changes what is read between two files. */
const ATTEMPTS = 5

/**
 * Reads the log at `place`. What is wrong with it stands in the report.
 * @throws RaftError STORAGE_FAILED where it cannot be read; an AbortError when `signal` aborts
 */
export async function reportOn(
  place: LogPlace,
  listing: Listing,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<LogReport> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === ATTEMPTS || holderOf(place) === undefined
    try {
      const task = { ...listing, path: place.path, owner: ownerOf(place) }
      const report = describe(place, await scanInThread(task, signal, onProgress))
      if (isLast || report.problems.length === 0) return report
    } catch (error) {
      if (RaftError.is(error, 'STORAGE_DAMAGED') && isLast) return unreadable(place, error.data.reason)
      if (isLast || !(error instanceof RaftError)) throw error
    }
  }
}

function ownerOf({ node, group }: LogPlace): LogOwner | undefined {
  if (node?.identity === undefined) return undefined
  const { clusterId, nodeId, incarnation } = node.identity
  return { clusterId, nodeId, incarnation, group }
}

/** Bytes of its segments' files. */
export function bytesAt({ path }: LogPlace): number {
  if (!existsSync(path)) return 0
  return readdirSync(path).reduce((sum, name) => sum + fileBytesAt(join(path, name)), 0)
}

const fileBytesAt = (segment: string): number =>
  statSync(join(segment, 'data.mdb'), { throwIfNoEntry: false })?.size ?? 0

function describe(place: LogPlace, { found, entries, configurations, seconds }: LogScan): LogReport {
  const { witness, hardState, base, lastIndex, damaged } = found
  const snapshots = place.node && snapshotsOf(place.node.path, place.group)
  return {
    path: place.path,
    identity: identityOf(place, found),
    openBy: holderOf(place),
    hardState,
    hardStateIn: placesOfHardState(found),
    ...membersOf(place, found, configurations, snapshots),
    base,
    lastIndex,
    segments: segmentRows(place.path, found),
    witness: witness && { ...witness.remembered, writes: witness.count },
    snapshots,
    isUnsynced: isUnsynced(place),
    damaged,
    problems: problemsOf(place, found, snapshots),
    // A segment may hold some that were compacted.
    entries: entries.filter(({ index }) => index > base.index),
    seconds,
  }
}

function isUnsynced({ path }: LogPlace): boolean {
  return existsSync(path) && readdirSync(path).some((name) => /^unsynced-\d+$/.test(name))
}

function identityOf(place: LogPlace, { witness, segments }: FoundLog): LogReport['identity'] {
  const owner: LogOwner | undefined =
    ownerOf(place) ?? witness?.remembered.owner ?? segments.at(-1)?.scanned?.header?.owner
  return {
    clusterId: owner?.clusterId,
    nodeId: owner?.nodeId,
    incarnation: owner?.incarnation,
    group: owner?.group ?? place.group,
    created: place.node?.identity?.created,
    format: LOG_FORMAT,
  }
}

function placesOfHardState({ hardState, witness, segments }: FoundLog): string[] {
  const isIt = (state: HardState | undefined): boolean =>
    state !== undefined &&
    state.term === hardState?.term &&
    state.vote === hardState.vote &&
    state.voteIncarnation === hardState.voteIncarnation
  const segment = segments.findLast(({ scanned }) => isIt(scanned?.hardState))
  return [
    ...(segment === undefined ? [] : [`segment ${segment.sequence}`]),
    ...(isIt(witness?.remembered.hardState) ? ['witness'] : []),
  ]
}

function membersOf(
  { node }: LogPlace,
  { segments, base }: FoundLog,
  configurations: ReadonlyMap<number, Configuration>,
  snapshots: readonly SnapshotRow[] | undefined,
): Pick<LogReport, 'members' | 'membersFrom'> {
  const snapshot = latestOf(snapshots)
  const index = configurationIndexAt(segments, base) ?? snapshot?.configurationIndex ?? 0
  const inLog = configurations.get(index)
  if (inLog !== undefined) return { members: inLog, membersFrom: `entry ${index}` }
  if (snapshot?.configurationIndex === index)
    return { members: snapshot.configuration, membersFrom: `the snapshot at entry ${snapshot.index}` }
  if (index > 0) return { members: undefined, membersFrom: `entry ${index}, which cannot be read` }
  const members = node?.identity?.configuration
  const membersFrom = members === undefined ? 'not known: there is no identity.json' : 'identity.json'
  return { members, membersFrom }
}

/** The one that a start would load. */
function latestOf(snapshots: readonly SnapshotRow[] = []): SnapshotMeta | undefined {
  const complete = snapshots.flatMap(({ kind, meta, damage }) =>
    kind === 'complete' && damage === undefined ? (meta ?? []) : [],
  )
  return complete.sort((a, b) => b.index - a.index)[0]
}

/** What the last entry that is whole says. */
function configurationIndexAt(segments: readonly FoundSegment[], base: LogPosition): number | undefined {
  const last = segments.findLast(({ scanned }) => (scanned?.last?.index ?? 0) > base.index)?.scanned?.last
  if (last === undefined) return undefined
  return new DataView(last.head.buffer, last.head.byteOffset, last.head.byteLength).getFloat64(40, true)
}

function segmentRows(path: string, { segments, dead, spare }: FoundLog): SegmentRow[] {
  const rows = segments.map((segment, at): SegmentRow => {
    const { sequence, firstIndex, lastIndex, bytes, entryCount, path } = segment
    return {
      sequence,
      firstIndex,
      lastIndex,
      entries: entryCount,
      recordBytes: bytes,
      fileBytes: fileBytesAt(path),
      state: stateOf(segment, at === segments.length - 1),
    }
  })
  const empty = { firstIndex: undefined, lastIndex: undefined, entries: 0, recordBytes: 0 }
  const others = dead.map((place): SegmentRow => {
    const sequence = Number(basename(place).slice(0, SEQUENCE_DIGITS))
    return { ...empty, sequence, fileBytes: fileBytesAt(place), state: 'left over' }
  })
  if (spare !== undefined) {
    const fileBytes = fileBytesAt(join(path, String(spare).padStart(SEQUENCE_DIGITS, '0')))
    others.push({ ...empty, sequence: spare, fileBytes, state: 'made ahead' })
  }
  return [...rows, ...others].sort((a, b) => a.sequence - b.sequence)
}

function stateOf({ scanned, mustBeRebuilt }: FoundSegment, isNewest: boolean): SegmentRow['state'] {
  if (scanned === undefined) return 'missing'
  if (mustBeRebuilt || scanned.problems.length > 0) return 'damaged'
  return isNewest ? 'active' : 'sealed'
}

/** Each in one line. What counts no more may be half gone: it was being unlinked. */
function problemsOf(
  place: LogPlace,
  { problems, dead, damaged, witness, segments, base }: FoundLog,
  snapshots: readonly SnapshotRow[] | undefined,
): string[] {
  const lines: string[] = []
  const { node, path } = place
  if (node?.problem !== undefined) lines.push(`${node.path}: ${node.problem}`)
  if (!existsSync(path) && wasMade(place)) lines.push('its log is gone')
  const hasBegun = segments.length > 0 || (existsSync(path) && wasMade(place))
  if (witness === undefined && hasBegun) lines.push('its witness is missing, or cannot be read')
  for (const problem of problems) {
    if (!dead.includes(problem.path))
      lines.push(`segment ${Number(basename(problem.path))}: ${problem.reason}`)
  }
  for (const { from, to } of damaged) {
    lines.push(
      from === to ? `entry ${from} is damaged or missing` : `entries ${from} to ${to} are damaged or missing`,
    )
  }
  for (const { kind, damage } of snapshots ?? []) {
    if (kind === 'complete' && damage !== undefined) lines.push(`snapshot: ${damage}`)
  }
  if (snapshots !== undefined && (latestOf(snapshots)?.index ?? 0) < base.index)
    lines.push(`the log begins behind entry ${base.index}, and no snapshot reaches that far`)
  return lines
}

/** A log that nothing can be told of. */
function unreadable(place: LogPlace, reason: string): LogReport {
  const nothing: FoundLog = {
    witness: undefined,
    segments: [],
    dead: [],
    hardState: undefined,
    base: { index: 0, term: 0 },
    lastIndex: 0,
    damaged: [],
    problems: [],
    spare: undefined,
    highestSequence: 0,
  }
  const scan = { found: nothing, entries: [], configurations: new Map(), seconds: 0 }
  const report = describe(place, scan)
  return { ...report, problems: [...report.problems, reason] }
}
