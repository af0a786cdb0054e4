/**
 * Charts as blocks of a page. Each is a figure with its data embedded and, for those who do not see it, the same data as a
 * table behind a disclosure; the page's script draws it.
 */
import { table } from './blocks.ts'
import type {
  ChartAxis,
  ChartData,
  ChartMarker,
  ChartSeries,
  ChartSpan,
  PercentileSeries,
  PercentilesData,
  ScatterData,
  ScatterGroup,
  ScatterPoint,
  TimeSeriesData,
} from './chart-data.ts'
import type { Column } from './column.ts'
import { formatMs, formatNumber } from './format.ts'
import { embeddedJson, type Html, html } from './html.ts'

interface ChartTexts {
  /** What the chart shows, as a heading. */
  readonly title: string
  /** What a reader should see in it. */
  readonly note?: string
}

export interface TimeSeriesChart extends ChartTexts {
  readonly x: ChartAxis
  readonly y: ChartAxis
  /** A second axis, for series with `side: 'right'`. */
  readonly right?: ChartAxis
  /** Rising; the same for all series. */
  readonly xs: readonly number[]
  readonly series: readonly ChartSeries[]
  readonly markers?: readonly ChartMarker[]
  readonly spans?: readonly ChartSpan[]
}

/** Quantities over time, with what happened meanwhile. */
export function timeSeriesChart(chart: TimeSeriesChart): Html {
  const { x, y, xs, series, markers = [], spans = [] } = chart
  const right = chart.right === undefined ? {} : { right: chart.right }
  const data: TimeSeriesData = { kind: 'time', x, y, ...right, xs, series, markers, spans }
  return figure(chart, data, timeTable(data))
}

export interface FailoverChart extends ChartTexts {
  /** Milliseconds, 0 where the fault begins. */
  readonly atMs: readonly number[]
  readonly commandsPerSecond: readonly (number | null)[]
  /** Beside it on an axis of its own. */
  readonly latencyMs?: readonly (number | null)[]
  readonly markers: readonly ChartMarker[]
  /** As detection, election, first commit and recovery. */
  readonly spans?: readonly ChartSpan[]
}

/** Throughput around a fault, with the fault, the elections and the phases until recovery marked. */
export function failoverChart(chart: FailoverChart): Html {
  const { atMs, commandsPerSecond, latencyMs, markers, spans = [], ...texts } = chart
  const hasLatency = latencyMs !== undefined
  return timeSeriesChart({
    ...texts,
    x: { label: 'time since the fault, ms' },
    y: { label: 'commands/s' },
    ...(hasLatency ? { right: { label: 'latency, ms' } } : {}),
    xs: atMs,
    series: [
      { label: 'commands/s', values: commandsPerSecond },
      ...(hasLatency ? [{ label: 'latency, ms', values: latencyMs, side: 'right' as const }] : []),
    ],
    markers,
    spans,
  })
}

export interface PercentileChart extends ChartTexts {
  readonly series: readonly PercentileSeries[]
  /** @default latency in ms, on a log axis */
  readonly y?: ChartAxis
}

/** Latency by percentile, on an axis on which each further nine is as long as the one before. */
export function percentileChart(chart: PercentileChart): Html {
  const { series, y = { label: 'latency, ms', isLog: true } } = chart
  const data: PercentilesData = { kind: 'percentiles', y, series }
  return figure(chart, data, percentileTable(data))
}

export interface ScatterChart extends ChartTexts {
  readonly x: ChartAxis
  readonly y: ChartAxis
  readonly groups: readonly ScatterGroup[]
  /** Draws the Pareto front, with more x and less y being better. @default false */
  readonly hasFront?: boolean
}

/** Points, in groups by colour, each with its details at the pointer. */
export function scatterChart(chart: ScatterChart): Html {
  const { x, y, groups, hasFront = false } = chart
  const data: ScatterData = { kind: 'scatter', x, y, groups, hasFront }
  return figure(chart, data, scatterTable(data))
}

function figure({ title, note }: ChartTexts, data: ChartData, values: Html): Html {
  return html`<figure class="chart" data-chart>
<figcaption><strong>${title}</strong>${note === undefined ? '' : html`<span>${note}</span>`}</figcaption>
<div class="plot" role="img" aria-label="${title}; the data stand in the table below"></div>
${embeddedJson(data)}
<details><summary>Data</summary>${values}</details>
</figure>`
}

/** A longer series is thinned out: the table is there to be read. */
const MAX_TABLE_ROWS = 120

function timeTable({ x, xs, series, markers, spans }: TimeSeriesData): Html {
  const every = Math.ceil(xs.length / MAX_TABLE_ROWS)
  const columns: Column<number>[] = [
    { title: x.label, value: (row) => shortNumber(xs[row]) },
    ...series.map(({ label, values }) => ({
      title: label,
      value: (row: number) => shortNumber(values[row]),
    })),
  ]
  const rows = xs.map((_, row) => row).filter((row) => row % every === 0)
  const caption = every > 1 ? `Every ${every}th value` : 'All values'
  const events = [
    ...markers.map(({ at, label }) => ({ at, text: label })),
    ...spans.map(({ from, to, label }) => ({ at: from, text: `${label}, until ${shortNumber(to)}` })),
  ].sort((left, right) => left.at - right.at)
  const happened: Column<(typeof events)[number]>[] = [
    { title: x.label, value: ({ at }) => shortNumber(at) },
    { title: 'what happened', value: ({ text }) => text, align: 'left' },
  ]
  return html`${events.length > 0 && table('What happened', happened, events)}${table(caption, columns, rows)}`
}

function percentileTable({ y, series }: PercentilesData): Html {
  const percents = [...new Set(series.flatMap(({ points }) => points.map(({ percent }) => percent)))].sort(
    (left, right) => left - right,
  )
  const at = series.map(({ points }) => new Map(points.map(({ percent, ms }) => [percent, ms])))
  const columns: Column<number>[] = [
    { title: 'percentile', value: (percent) => `${Number(percent.toFixed(3))} %` },
    ...series.map(({ label }, index) => ({
      title: label,
      value: (percent: number) => formatMs(at[index]?.get(percent)),
    })),
  ]
  return table(y.label, columns, percents)
}

function scatterTable({ x, y, groups }: ScatterData): Html {
  const rows = groups.flatMap(({ label, points }) => points.map((point) => ({ ...point, group: label })))
  const columns: Column<ScatterPoint & { readonly group: string }>[] = [
    { title: 'group', value: ({ group }) => group, align: 'left' },
    { title: 'point', value: ({ title }) => title, align: 'left' },
    { title: x.label, value: (point) => shortNumber(point.x) },
    { title: y.label, value: (point) => shortNumber(point.y) },
  ]
  return table('All points', columns, rows)
}

function shortNumber(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  return Number.isInteger(value) ? formatNumber(value) : formatMs(value)
}
