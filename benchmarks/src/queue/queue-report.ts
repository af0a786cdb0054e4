/** What `bench queue` shows: a row for each measurement, what it stands under, and which goals are reached. */
import type { Environment } from '../environment.ts'
import { configurationOf } from '../options.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatMs, formatNumber, formatRatio } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import type { Verdict } from '../verify.ts'
import { type MedianRow, mediansOf, type QueueRow, reachedOf, timesPeer } from './queue-rows.ts'

export class QueueReport implements Report {
  readonly rows: QueueRow[] = []
  /** What was skipped, and why. */
  readonly notes: string[] = []
  environment: Environment | undefined
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values
  }

  add(row: QueueRow): void {
    this.rows.push(row)
  }

  /** Speeds are no matter of right and wrong: what was measured passes. */
  get verdict(): Verdict {
    return this.rows.length === 0 ? 'unknown' : 'pass'
  }

  says(): string {
    return 'speeds alone: nothing is looked for that could fail'
  }

  print(output: Output): void {
    output.title('The replicated queue')
    if (this.environment !== undefined) output.environment(this.environment)
    const medians = mediansOf(this.rows)
    if (medians.length > 0) output.table(columnsOf(medians), medians)
    for (const { what, contestant, conditions } of medians)
      output.line(output.style.dim(`${what}, ${contestant}: ${conditions}`))
    for (const { what, contestant, spread } of medians) {
      if (!spread.isTooWide) continue
      const percent = Math.round(spread.spread * 100)
      output.line(output.style.bad(`${what}, ${contestant}: the rounds differ by ${percent} %`))
    }
    for (const note of this.notes) output.line(note)
    for (const { row, what, bound, value, isMet } of reachedOf(medians)) {
      const text = `${row}: ${GOALS[what]} ${formatNumber(value, value < 100 ? 1 : 0)}, wanted ${formatNumber(bound)}`
      output.line(isMet ? output.style.good(text) : output.style.bad(`${text}: missed`))
    }
  }

  pictures(): readonly Picture[] {
    return []
  }

  document(): ReportDocument {
    const medians = mediansOf(this.rows)
    return {
      benchmark: 'queue',
      headline: medians.length === 0 ? null : { goals: reachedOf(medians), medians },
      verification: null,
      configuration: configurationOf(this.#values),
      environment: this.environment ?? null,
      runs: this.rows,
      notes: this.notes,
    }
  }
}

const GOALS = {
  messagesPerSecond: 'messages/s',
  p50Ms: 'p50 in ms',
  p99Ms: 'p99 in ms',
  longestGapMs: 'longest gap in ms',
  timesPeer: 'times BullMQ',
} as const

const columnsOf = (rows: readonly MedianRow[]): readonly Column<MedianRow>[] => [
  { title: 'what', value: ({ what }) => what, align: 'left' },
  { title: 'who', value: ({ contestant }) => contestant, align: 'left' },
  {
    title: 'messages/s',
    value: ({ messagesPerSecond }) => (messagesPerSecond === null ? '–' : formatNumber(messagesPerSecond)),
  },
  { title: '× BullMQ', value: (row) => formatRatio(timesPeer(row, rows)) },
  { title: 'p50 ms', value: ({ p50Ms }) => formatMs(p50Ms) },
  { title: 'p99 ms', value: ({ p99Ms }) => formatMs(p99Ms) },
  { title: 'longest gap ms', value: ({ longestGapMs }) => formatMs(longestGapMs) },
  { title: 'spread %', value: ({ spread }) => formatNumber(spread.spread * 100) },
]
