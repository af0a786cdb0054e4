/**
 * What the runs of all contestants come to: for each number of outstanding commands a row for each of them, with the
 * median of its repeats, how far they lie apart, and the ratio of ours to theirs. The ratio is the median of the ratios
 * within a repeat: what drifts from one to the next, as a disk's mood does, touches both sides of it.
 */
import { median } from '../latency.ts'
import { formatMs, formatNumber, formatRatio, rounded } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import type { ContestRun, Facts } from './contestant.ts'

/** Half of the range over the median: above, the repeats do not agree on a figure. */
const WIDE_SPREAD = 0.25

export interface ComparedRun extends ContestRun {
  /** The contestant's name. */
  readonly contestant: string
  readonly window: number
  readonly repeat: number
}

export interface ComparisonRow {
  readonly contestant: string
  readonly title: string
  readonly transport: Facts['transport']
  readonly isDurable: boolean
  /** What an acknowledgement means. */
  readonly acknowledgement: string
  readonly window: number
  readonly repeats: number
  readonly opsPerSecond: number
  /** Half of the range of the repeats over their median; null for one repeat. */
  readonly spread: number | null
  readonly isSpreadWide: boolean
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Of all repeats. */
  readonly lost: number
  readonly duplicated: number
  /** Null where nobody looked. */
  readonly reordered: number | null
  readonly unknown: number
  readonly refused: number
  /** Median; null if not known. */
  readonly clientUtilisation: number | null
  /** Our operations per second over theirs: above 1 we are faster. Null for our own row, and where there is none. */
  readonly troupeToPeer: number | null
  /** Their median latency over ours: above 1 we are faster. */
  readonly p50PeerToTroupe: number | null
}

/** @param contestants in the order of the table @param own name of the contestant that all are compared with */
export function compareRuns(
  runs: readonly ComparedRun[],
  contestants: readonly Facts[],
  own: string,
): ComparisonRow[] {
  const windows = [...new Set(runs.map(({ window }) => window))].sort((left, right) => left - right)
  return windows.flatMap((window) =>
    contestants.flatMap((facts) => {
      const group = runs.filter((run) => run.window === window && run.contestant === facts.name)
      if (group.length === 0) return []
      const ours = runs.filter((run) => run.window === window && run.contestant === own)
      return [rowOf(facts, window, group, facts.name === own ? [] : ours)]
    }),
  )
}

function rowOf(
  { name, title, transport, isDurable, acknowledgement }: Facts,
  window: number,
  group: readonly ComparedRun[],
  ours: readonly ComparedRun[],
): ComparisonRow {
  const opsPerSecond = medianOf(group, ({ opsPerSecond }) => opsPerSecond) ?? 0
  const spread = spreadOf(group.map((run) => run.opsPerSecond))
  const sum = (field: 'lost' | 'duplicated' | 'unknown' | 'refused'): number =>
    group.reduce((total, run) => total + run[field], 0)
  return {
    contestant: name,
    title,
    transport,
    isDurable,
    acknowledgement,
    window,
    repeats: group.length,
    opsPerSecond,
    spread,
    isSpreadWide: spread !== null && spread > WIDE_SPREAD,
    p50Ms: medianOf(group, ({ latencyMs }) => latencyMs.p50),
    p99Ms: medianOf(group, ({ latencyMs }) => latencyMs.p99),
    lost: sum('lost'),
    duplicated: sum('duplicated'),
    reordered: reorderedOf(group),
    unknown: sum('unknown'),
    refused: sum('refused'),
    clientUtilisation: medianOf(group, (run) => run.clientUtilisation),
    troupeToPeer: ratioOf(ours, group, (run) => run.opsPerSecond),
    p50PeerToTroupe: ratioOf(group, ours, (run) => run.latencyMs.p50),
  }
}

const reorderedOf = (runs: readonly ComparedRun[]): number | null =>
  runs.reduce<number | null>(
    (sum, { reordered }) => (sum === null || reordered === null ? null : sum + reordered),
    0,
  )

function medianOf(runs: readonly ComparedRun[], value: (run: ComparedRun) => number | null): number | null {
  const values = runs.map(value).filter((each) => each !== null)
  return values.length === 0 ? null : median(values)
}

function spreadOf(values: readonly number[]): number | null {
  if (values.length < 2) return null
  return rounded((Math.max(...values) - Math.min(...values)) / 2 / Math.max(1, median(values)))
}

/** Median over the repeats that both have. */
function ratioOf(
  above: readonly ComparedRun[],
  below: readonly ComparedRun[],
  value: (run: ComparedRun) => number | null,
): number | null {
  const ratios = above.flatMap((run) => {
    const other = below.find(({ repeat }) => repeat === run.repeat)
    const dividend = value(run)
    const divisor = other === undefined ? null : value(other)
    return dividend === null || !divisor ? [] : [dividend / divisor]
  })
  return ratios.length === 0 ? null : rounded(median(ratios))
}

const formatSpread = ({ spread, isSpreadWide }: ComparisonRow): string =>
  spread === null ? '–' : `±${formatNumber(spread * 100)} %${isSpreadWide ? ' wide' : ''}`

export const comparisonColumns: readonly Column<ComparisonRow>[] = [
  { title: 'outstanding', value: ({ window }) => formatNumber(window) },
  { title: 'contestant', value: ({ title }) => title, align: 'left' },
  { title: 'over', value: ({ transport }) => transport, align: 'left' },
  { title: 'durable', value: ({ isDurable }) => (isDurable ? 'yes' : 'no'), align: 'left' },
  { title: 'op/s', value: ({ opsPerSecond }) => formatNumber(opsPerSecond) },
  { title: 'spread', value: formatSpread },
  { title: 'p50 ms', value: ({ p50Ms }) => formatMs(p50Ms) },
  { title: 'p99 ms', value: ({ p99Ms }) => formatMs(p99Ms) },
  { title: 'lost', value: ({ lost }) => formatNumber(lost) },
  { title: 'twice', value: ({ duplicated }) => formatNumber(duplicated) },
  { title: 'unknown', value: ({ unknown }) => formatNumber(unknown) },
  { title: 'client busy', value: ({ clientUtilisation }) => formatRatio(clientUtilisation) },
  { title: 'troupe : peer op/s', value: ({ troupeToPeer }) => formatRatio(troupeToPeer) },
  { title: 'peer : troupe p50', value: ({ p50PeerToTroupe }) => formatRatio(p50PeerToTroupe) },
]

/** A table as Markdown has it. */
export function markdownTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ align }) => (align === 'left' ? '---' : '---:'))),
    ...rows.map((row) => line(columns.map(({ value }) => value(row)))),
  ]
}

const escapeCell = (text: string): string => text.replaceAll('|', '\\|')
