/** A log's report for people. */
import { type Configuration, type IndexRange, isJoint } from '@troupe/core'
import { aligned, counted, type paintFor, sized } from '../output.ts'
import type { Listing, LogReport, SegmentRow } from './log-report.ts'
import type { ListedEntry } from './scan-task.ts'
import type { SnapshotRow } from './snapshots.ts'

type Paint = ReturnType<typeof paintFor>

/** Its lines: a heading, what it is, its segments, its snapshots, what is wrong, its entries. */
export function describeReport(report: LogReport, listing: Listing, paint: Paint): string {
  const { identity, path, segments, snapshots = [], problems, entries } = report
  const heading = [identity.nodeId, path].filter((part) => part !== undefined).join('  ')
  const parts = [`${paint('bold', heading)}\n${facts(report)}`]
  if (segments.length > 0) parts.push(segmentTable(segments))
  if (snapshots.length > 0) parts.push(snapshotTable(snapshots))
  if (problems.length > 0)
    parts.push(problems.map((line) => `${paint('red', 'problem')}  ${line}\n`).join(''))
  if (listing.entries > 0) parts.push(entryTable(entries, report.damaged, listing))
  return parts.join('\n')
}

function facts(report: LogReport): string {
  const { identity, openBy, base, lastIndex, isUnsynced, snapshots } = report
  const { clusterId, nodeId, incarnation, group, created, format } = identity
  const rows: (readonly [string, string])[] = [
    ['cluster', clusterId ?? 'not known'],
    ['node', nodeId === undefined ? 'not known' : `${nodeId}, incarnation ${incarnation}`],
    ['group', String(group)],
    ['created', `${created ?? 'not known'}, format ${format}`],
    ['open', openBy === undefined ? 'no' : `by process ${openBy}: this may be a moment old`],
    ['hard state', hardStateText(report)],
    [
      'members',
      `${report.members === undefined ? 'not known' : membersText(report.members)}, from ${report.membersFrom}`,
    ],
    [
      'base',
      base.index === 0 ? 'none: it begins with entry 1' : `entry ${counted(base.index)}, term ${base.term}`,
    ],
    ['last index', `${counted(lastIndex)}, ${counted(lastIndex - base.index)} entries`],
    ['witness', witnessText(report)],
    ['durability', isUnsynced ? 'acknowledged before it is flushed, and not closed since' : 'flushed'],
  ]
  if (snapshots !== undefined && snapshots.length === 0) rows.push(['snapshots', 'none'])
  return aligned(rows)
}

function hardStateText({ hardState, hardStateIn }: LogReport): string {
  if (hardState === undefined) return 'none'
  const { term, vote, voteIncarnation } = hardState
  const votes = vote === '' ? 'no vote' : `vote for ${vote}, incarnation ${voteIncarnation}`
  return `term ${counted(term)}, ${votes}; in ${hardStateIn.join(' and ')}`
}

function membersText(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext } = configuration
  const lists = { voters, outgoing, learners, 'to be learners': learnersNext }
  const texts = Object.entries(lists).flatMap(([what, members]) =>
    members.length === 0 ? [] : [`${what} ${members.map(({ id }) => id).join(' ')}`],
  )
  return `${isJoint(configuration) ? 'joint: ' : ''}${texts.join(', ') || 'none yet'}`
}

function witnessText({ witness }: LogReport): string {
  if (witness === undefined) return 'none'
  const { knownIndex, boundIndex, newestSequence, writes } = witness
  const known = `known to ${counted(knownIndex)}, bound ${counted(boundIndex)}`
  return `${known}, newest segment ${newestSequence}, written ${counted(writes)} times`
}

function segmentTable(segments: readonly SegmentRow[]): string {
  const heads = ['segment', 'first', 'last', 'entries', 'records', 'file', 'state']
  const rows = segments.map((segment) => {
    const { sequence, firstIndex, lastIndex, entries, recordBytes, fileBytes, state } = segment
    const isEmpty = firstIndex === undefined || lastIndex === undefined || lastIndex < firstIndex
    const range = isEmpty ? ['–', '–'] : [counted(firstIndex), counted(lastIndex)]
    return [String(sequence), ...range, counted(entries), sized(recordBytes), sized(fileBytes), state]
  })
  return aligned([heads, ...rows], [0, 1, 2, 3, 4, 5])
}

function snapshotTable(snapshots: readonly SnapshotRow[]): string {
  const heads = ['snapshot', 'term', 'bytes', 'file', 'state']
  const rows = snapshots.map(({ meta, fileBytes, kind, damage }) => {
    const of =
      meta === undefined ? ['–', '–', '–'] : [counted(meta.index), counted(meta.term), sized(meta.bytes)]
    return [...of, sized(fileBytes), damage ?? kind.replace('-', ' ')]
  })
  return aligned([heads, ...rows], [0, 1, 2, 3])
}

const ENTRY_HEADS = ['index', 'term', 'kind', 'commands', 'bytes', 'log time ms', 'checksum', 'chain']

function entryTable(
  entries: readonly ListedEntry[],
  damaged: readonly IndexRange[],
  { from, to }: Listing,
): string {
  const rows = entries.map((entry, at): [number, string[]] => [entry.index, entryRow(entry, entries[at - 1])])
  for (const range of damaged) {
    const first = Math.max(range.from, from)
    const last = Math.min(range.to, to)
    if (first > last) continue
    const text = first === last ? counted(first) : `${counted(first)}–${counted(last)}`
    rows.push([first, [text, '–', 'damaged', '–', '–', '–', '–', '–']])
  }
  if (rows.length === 0) return 'no entries there\n'
  rows.sort(([a], [b]) => a - b)
  return aligned([ENTRY_HEADS, ...rows.map(([, row]) => row)], [0, 1, 3, 4, 5])
}

function entryRow(entry: ListedEntry, before: ListedEntry | undefined): string[] {
  const { index, term, kind, commands, bytes, logTimeMs, checksum } = entry
  return [
    counted(index),
    counted(term),
    kind,
    counted(commands),
    counted(bytes),
    logTimeMs.toFixed(1),
    checksum.toString(16).padStart(8, '0'),
    chainOf(entry, before),
  ]
}

/** Whether it follows on the one before it. What does not is damaged, and no entry here: this one looks again. */
function chainOf({ before: said, index }: ListedEntry, before: ListedEntry | undefined): string {
  if (said === undefined) return 'not known'
  if (before?.index !== index - 1) return `behind ${said.checksum.toString(16).padStart(8, '0')}`
  return said.term === before.term && said.checksum === before.checksum ? 'ok' : 'broken'
}
