/** What the queue benchmark measures, one row for each; what a row says of its conditions is part of it. */
import { type Spread, spreadOf } from '../throughput/spread.ts'

export type Contestant = 'troupe' | 'bullmq'

/** What a row must come to on the reference machine. */
export interface Goal {
  readonly what: 'messagesPerSecond' | 'p50Ms' | 'p99Ms' | 'longestGapMs' | 'timesPeer'
  readonly bound: number
}

export interface QueueRow {
  /** `sendMany`, `all the way`, `single sends`, `latency`, `leader crash`. */
  readonly what: string
  readonly contestant: Contestant
  readonly conditions: string
  readonly round: number
  readonly messages: number
  readonly seconds: number
  readonly messagesPerSecond: number | null
  /** End to end, from the moment at which it was to be sent. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Between two deliveries, around a crash. */
  readonly longestGapMs: number | null
  readonly goals: readonly Goal[]
}

/** A row without latencies. */
export function rateRow(
  about: Pick<QueueRow, 'what' | 'contestant' | 'conditions' | 'round' | 'goals'>,
  messages: number,
  seconds: number,
): QueueRow {
  const nothing = { p50Ms: null, p99Ms: null, longestGapMs: null }
  return { ...about, messages, seconds, messagesPerSecond: messages / seconds, ...nothing }
}

/** A row that stands for all rounds of its kind. */
export interface MedianRow extends QueueRow {
  /** How far the rounds lie apart, in what the row is about. */
  readonly spread: Spread
}

/** Rows of the same kind and contestant, by their median where there are several rounds. */
export function mediansOf(rows: readonly QueueRow[]): MedianRow[] {
  const kinds = Map.groupBy(rows, ({ what, contestant }) => `${what} ${contestant}`)
  return [...kinds.values()].map((group) => {
    const by = ({ messagesPerSecond, p50Ms, longestGapMs }: QueueRow): number =>
      messagesPerSecond ?? p50Ms ?? longestGapMs ?? 0
    const middle = group.toSorted((left, right) => by(left) - by(right))[group.length >> 1] as QueueRow
    return { ...middle, spread: spreadOf(group.map(by)) }
  })
}

/** How many times as fast as the peer; null where there is none to compare with. */
export function timesPeer(row: QueueRow, rows: readonly QueueRow[]): number | null {
  if (row.contestant !== 'troupe') return null
  const peer = rows.find(({ what, contestant }) => what === row.what && contestant === 'bullmq')
  if (peer?.messagesPerSecond == null || row.messagesPerSecond === null) return null
  return row.messagesPerSecond / peer.messagesPerSecond
}

/** A goal and whether it is reached; undefined where it was not measured. */
export interface Reached extends Goal {
  readonly row: string
  readonly value: number
  readonly isMet: boolean
}

export function reachedOf(rows: readonly QueueRow[]): Reached[] {
  return rows.flatMap((row) =>
    row.goals.flatMap(({ what, bound }) => {
      const value = what === 'timesPeer' ? timesPeer(row, rows) : row[what]
      if (value === null) return []
      const isAtLeast = what === 'messagesPerSecond' || what === 'timesPeer'
      return [{ row: row.what, what, bound, value, isMet: isAtLeast ? value >= bound : value <= bound }]
    }),
  )
}
