/** Columns of the tables of a sweep, on the terminal and on its page. */
import { formatMs, formatNumber, formatRatio } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { isWide } from './aggregate.ts'
import { type Axis, amount, variedAxes } from './axes.ts'
import { explain, limitNames } from './explain.ts'
import { type Comparison, compareDepth } from './findings.ts'
import type { SweepPoint } from './point.ts'

/** @param all decides which axes are shown @param front is marked */
export function pointColumns(all: readonly SweepPoint[], front: readonly SweepPoint[]): Column<SweepPoint>[] {
  const knobs = variedAxes(all).filter(({ role }) => role === 'knob')
  return [
    { title: 'front', value: (point) => (front.includes(point) ? '★' : ''), align: 'left' },
    ...knobs.map(
      ({ label, name }): Column<SweepPoint> => ({
        title: label,
        value: (point) => amount(point[name]),
      }),
    ),
    { title: 'op/s', value: ({ opsPerSecond }) => formatNumber(opsPerSecond) },
    { title: 'p50 ms', value: ({ p50Ms }) => formatMs(p50Ms) },
    { title: 'p99 ms', value: ({ p99Ms }) => formatMs(p99Ms) },
    { title: 'runs', value: ({ runs }) => String(runs) },
    { title: 'spread', value: (point) => spreadText(point) },
    { title: 'limited by', value: (point) => limitNames[explain(point).kind], align: 'left' },
  ]
}

function spreadText(point: SweepPoint): string {
  const { opsSpread } = point
  return opsSpread === null ? '–' : `${Math.round(opsSpread * 100)} %${isWide(point) ? ' !' : ''}`
}

/** Comparisons of the smallest with the largest number of messages in flight, and the axes that tell them apart. */
export function depthOf(points: readonly SweepPoint[]): {
  readonly comparisons: readonly Comparison[]
  readonly places: readonly Axis[]
} {
  const places = variedAxes(points).filter(({ name }) => name !== 'maxInflightMessages')
  return { comparisons: compareDepth(points, 'maxInflightMessages'), places }
}

export function depthColumns(places: readonly Axis[]): Column<Comparison>[] {
  return [
    ...places.map(
      ({ label, unit, name }): Column<Comparison> => ({
        title: unit === '' ? label : `${label}, ${unit}`,
        value: ({ deep }) => amount(deep[name]),
      }),
    ),
    {
      title: 'in flight',
      value: ({ shallow, deep }) => `${shallow.maxInflightMessages} → ${deep.maxInflightMessages}`,
    },
    { title: 'op/s ×', value: ({ opsRatio }) => formatRatio(opsRatio) },
    { title: 'p99 ×', value: ({ p99Ratio }) => formatRatio(p99Ratio) },
    { title: '', value: ({ verdict }) => VERDICTS[verdict], align: 'left' },
  ]
}

const VERDICTS: Readonly<Record<Comparison['verdict'], string>> = {
  helps: 'helps',
  costs: 'more throughput, longer tail',
  ruins: 'ruins the tail',
  neither: '',
}
