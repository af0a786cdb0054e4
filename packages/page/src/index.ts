/**
 * Pages of HTML that stand alone: tables and charts, light and dark, without a network.
 *
 *     writeFileSync('report.html', renderPage({
 *       title: 'Throughput',
 *       lead: '64-byte writes on three nodes.',
 *       content: [
 *         headline([{ value: '412,000', unit: 'commands/s', label: '1,024 outstanding' }]),
 *         facts([['Node', process.version]]),
 *         section('Runs', table('By window', columns, runs)),
 *         section('Latency', percentileChart({ title: 'By percentile', series })),
 *       ],
 *     }))
 *
 * Text is escaped wherever it goes; markup of one's own is made by the tag `html`.
 */
export { type BarChart, barChart } from './bars.ts'
export { facts, headline, type PageColumn, paragraph, section, shellLine, table, warning } from './blocks.ts'
export type {
  ChartAxis,
  ChartMarker,
  ChartSeries,
  ChartSpan,
  PercentilePoint,
  PercentileSeries,
  ScatterGroup,
  ScatterPoint,
} from './chart-data.ts'
export {
  type FailoverChart,
  failoverChart,
  type PercentileChart,
  percentileChart,
  type ScatterChart,
  scatterChart,
  type TimeSeriesChart,
  timeSeriesChart,
} from './charts.ts'
export type { Column } from './column.ts'
export { formatDuration, formatMiB, formatMs, formatNumber, formatRatio, rounded } from './format.ts'
export { frontOf, isNearFront, type Tradeoff } from './front.ts'
export { embeddedJson, escapeHtml, type Html, type HtmlPart, html } from './html.ts'
export {
  type Lane,
  type LaneBand,
  type LaneMark,
  type LaneRule,
  type LaneSegment,
  type LanesPicture,
  lanesPicture,
  type Tone,
  type Weight,
} from './lanes.ts'
export { type PageOptions, renderPage } from './page.ts'
export { percentilePoints } from './percentile-points.ts'
export { type PageVerdict, verdictBanner, verdictMark } from './verdict.ts'
