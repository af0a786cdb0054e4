/** Throughput before a fault, while it lasts, and after: what a timeline says in three figures. */
import type { Output } from '../report/output.ts'
import { formatNumber } from '../terminal/format.ts'
import type { Timeline, TimelinePoint } from './timeline.ts'

/** Operations per second; null where the timeline has no interval. */
export interface AroundFault {
  readonly before: number | null
  /** From the first fault to the last healing. */
  readonly during: number | null
  readonly after: number | null
}

/** Undefined where nothing was done to the cluster. Intervals in which a phase changes belong to neither. */
export function aroundFault({ points, events }: Timeline): AroundFault | undefined {
  const fromSeconds = events.find(({ kind }) => kind === 'fault')?.atSeconds
  if (fromSeconds === undefined) return undefined
  const untilSeconds = events.findLast(({ kind }) => kind === 'heal')?.atSeconds ?? Number.POSITIVE_INFINITY
  const intervals = points.map((point, index) => ({ ...point, from: points[index - 1]?.atSeconds ?? 0 }))
  const mean = (isIn: (interval: Interval) => boolean): number | null => {
    const found = intervals.filter(isIn)
    const seconds = found.reduce((sum, { from, atSeconds }) => sum + atSeconds - from, 0)
    const operations = found.reduce(
      (sum, { from, atSeconds, opsPerSecond }) => sum + opsPerSecond * (atSeconds - from),
      0,
    )
    return seconds === 0 ? null : Math.round(operations / seconds)
  }
  return {
    before: mean(({ atSeconds }) => atSeconds <= fromSeconds),
    during: mean(({ from, atSeconds }) => from >= fromSeconds && atSeconds <= untilSeconds),
    after: mean(({ from }) => from >= untilSeconds),
  }
}

type Interval = TimelinePoint & { readonly from: number }

export function printAroundFault(output: Output, around: AroundFault): void {
  const figure = (value: number | null): string => (value === null ? '–' : formatNumber(value))
  const { before, during, after } = around
  output.line(
    `op/s around the fault: ${figure(before)} before, ${figure(during)} during, ${figure(after)} after it was healed`,
  )
}
