/** Columns of a table with a line for each cell. */
import { formatMs, formatNumber } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { type CellResult, WITHIN_MS } from './cell-result.ts'

/** A share as a percentage; a dash for none. */
export const percent = (share: number | null): string => (share === null ? '–' : formatNumber(share * 100, 1))

export const cellColumns: readonly Column<CellResult>[] = [
  { title: 'cell', value: ({ cell }) => cell.name, align: 'left' },
  { title: 'fault', value: ({ cell }) => cell.fault, align: 'left' },
  { title: 'nodes', value: ({ cell }) => `${cell.nodes}` },
  { title: 'timeouts ms', value: ({ cell: { timeouts: t } }) => `${t.minMs}–${t.maxMs}/${t.heartbeatMs}` },
  { title: 'load', value: ({ cell }) => cell.load, align: 'left' },
  { title: 'n', value: ({ trials }) => formatNumber(trials.length) },
  { title: 'detected p50', value: (result) => formatMs(result.summary('timeToDetectionMs').p50) },
  { title: 'leader p50', value: (result) => formatMs(result.summary('timeToLeaderMs').p50) },
  { title: 'p99', value: (result) => formatMs(result.summary('timeToLeaderMs').p99) },
  { title: 'worst', value: (result) => formatMs(result.summary('timeToLeaderMs').max) },
  { title: `≤ ${WITHIN_MS} ms %`, value: (result) => percent(result.ledWithin(WITHIN_MS)) },
  { title: 'commit p50', value: (result) => formatMs(result.summary('timeToFirstCommitMs').p50) },
  { title: 'p99', value: (result) => formatMs(result.summary('timeToFirstCommitMs').p99) },
  { title: 'worst', value: (result) => formatMs(result.summary('timeToFirstCommitMs').max) },
  { title: 'recovered p50', value: (result) => formatMs(result.summary('timeToFullRecoveryMs').p50) },
  { title: 'worst', value: (result) => formatMs(result.summary('timeToFullRecoveryMs').max) },
  { title: 'wasted', value: (result) => formatNumber(result.total('wastedElections')) },
  { title: 'contested', value: (result) => formatNumber(result.total('contestedTerms')) },
  { title: 'spurious', value: ({ spuriousElections }) => formatNumber(spuriousElections) },
  { title: 'op/s before', value: ({ commandsPerSecond: rates }) => rate(rates?.before) },
  { title: 'during', value: ({ commandsPerSecond: rates }) => rate(rates?.during) },
  { title: 'after', value: ({ commandsPerSecond: rates }) => rate(rates?.after) },
  { title: 'checked', value: ({ verification }) => verification?.verdict ?? '–', align: 'left' },
]

const rate = (value: number | undefined): string => (value === undefined ? '–' : formatNumber(value))
