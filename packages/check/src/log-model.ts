/** An append-only log: records get positions, from 0, and are read from a position on. */
import type { Model } from './model.ts'
import { sameValue, showValue } from './values.ts'

/** What is asked of a log. */
export type LogInput =
  | { readonly op: 'append'; readonly record: unknown }
  | { readonly op: 'read'; readonly from: number; readonly limit: number }

/** What a read answers of one record. */
export interface LogReading {
  readonly position: number
  readonly record: unknown
}

/** `append`: the record's position; `read`: up to `limit` records in their order, from `from` on. */
export type LogOutput = number | readonly LogReading[] | undefined

/** A log by its last record: logs share what they have in common. */
export interface LogState {
  readonly length: number
  readonly record: unknown
  /** Undefined for the empty log. */
  readonly before: LogState | undefined
}

/**
 * The model of an append-only log. Begins empty. A log may forget its oldest records: a read may then begin behind
 * `from`, but it leaves no gap and answers whatever is newer.
 */
export const logModel: Model<LogState, LogInput, LogOutput> = {
  name: 'log',
  initial: { length: 0, record: undefined, before: undefined },
  step: (state, input, output, isOpen) => {
    if (input.op === 'read') return isOpen || isReadingOf(state, input, output) ? state : undefined
    if (!isOpen && output !== state.length) return undefined
    return { length: state.length + 1, record: input.record, before: state }
  },
  isRead: ({ op }) => op === 'read',
  equal: sameLog,
  describe: (input, output, isOpen) => {
    const answer = isOpen ? '?' : showValue(output)
    return input.op === 'append'
      ? `append ${showValue(input.record)} → ${answer}`
      : `read ${input.limit} from ${input.from} → ${answer}`
  },
  describeState: ({ length, record }) =>
    length === 0 ? 'empty' : `${length} records, the last ${showValue(record)}`,
}

function sameLog(left: LogState, right: LogState): boolean {
  if (left.length !== right.length) return false
  let mine: LogState | undefined = left
  let theirs: LogState | undefined = right
  while (mine !== theirs && mine !== undefined && theirs !== undefined) {
    if (!sameValue(mine.record, theirs.record)) return false
    mine = mine.before
    theirs = theirs.before
  }
  return true
}

function isReadingOf(
  state: LogState,
  { from, limit }: { from: number; limit: number },
  output: LogOutput,
): boolean {
  if (!Array.isArray(output)) return false
  const readings = output as readonly LogReading[]
  const first = readings[0]?.position
  if (first === undefined) return from >= state.length
  const end = first + readings.length
  if (first < from || end !== Math.min(first + limit, state.length)) return false
  let cell: LogState | undefined = state
  while (cell !== undefined && cell.length > end) cell = cell.before
  for (const { position, record } of readings.toReversed()) {
    if (cell === undefined || cell.length !== position + 1 || !sameValue(cell.record, record)) return false
    cell = cell.before
  }
  return true
}
