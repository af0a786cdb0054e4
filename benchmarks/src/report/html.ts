/** What a report prints, and its pictures, as one page that stands alone. */
import {
  type ChartMarker,
  facts,
  type Html,
  type HtmlPart,
  headline,
  html,
  paragraph,
  percentileChart,
  renderPage,
  section,
  table,
  timeSeriesChart,
  warning,
} from '../page/index.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import { plainStyle, type Style } from '../terminal/style.ts'
import type { Column } from '../terminal/table.ts'
import type { Timeline, TimelineEventKind } from '../timeline/timeline.ts'
import type { FullDocument } from './document.ts'
import { Output } from './output.ts'
import type { NamedDistribution, Picture } from './pictures.ts'

/** Marks text that `style.bad` was asked for: no report has this character. */
const BAD = '\u0000'

/** Collects sections: a title begins one. */
class HtmlOutput extends Output {
  readonly style: Style = { ...plainStyle, bad: (text) => `${BAD}${text}` }
  readonly #sections: { readonly title: string; readonly content: Html[] }[] = []

  get sections(): readonly Html[] {
    return this.#sections.map(({ title, content }) => section(title, ...content))
  }

  line(text = ''): void {
    const isBad = text.includes(BAD)
    const plain = text.replaceAll(BAD, '').trim()
    if (plain !== '') this.#content.push(isBad ? warning(plain) : paragraph(plain))
  }

  title(text: string): void {
    this.#sections.push({ title: text.trim(), content: [] })
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    if (rows.length > 0) this.#content.push(table('', columns, rows))
  }

  get #content(): Html[] {
    if (this.#sections.length === 0) this.title('Results')
    return this.#sections.at(-1)?.content as Html[]
  }
}

/** What of a report a page shows. */
export interface ShownReport {
  print(output: Output): void
  pictures?(): readonly Picture[]
}

export function htmlPage(report: ShownReport, document: FullDocument): string {
  const output = new HtmlOutput()
  report.print(output)
  const pictures = report.pictures?.() ?? []
  const content: HtmlPart[] = [headlineOf(document), ...output.sections]
  if (pictures.length > 0) content.push(section('Pictures', ...pictures.map(chartOf)))
  content.push(section('Conditions', facts(factsOf(document))))
  return renderPage({
    title: document.benchmark[0]?.toUpperCase() + document.benchmark.slice(1),
    lead: `troupe bench ${document.benchmark}: ${VERDICTS[document.verdict]}.`,
    content,
    footer: `Made ${document.environment?.date ?? ''} by troupe bench ${document.benchmark}.`,
  })
}

const VERDICTS = {
  pass: 'nothing was lost, applied twice or out of order, and all replicas are equal',
  fail: 'what was checked did not pass',
  unknown: 'not all could be checked',
} as const

function chartOf(picture: Picture): Html {
  return picture.kind === 'timeline'
    ? timelineChart(picture.title, picture.timeline)
    : distributionChart(picture.title, picture.series)
}

const MARKERS: Readonly<Record<TimelineEventKind, ChartMarker['kind']>> = {
  election: 'election',
  exit: 'fault',
  restart: 'recovery',
  snapshot: 'note',
  fault: 'fault',
  heal: 'heal',
}

function timelineChart(title: string, { points, events }: Timeline): Html {
  return timeSeriesChart({
    title,
    note: 'Throughput and latency over time; what happened is marked.',
    x: { label: 'time, s' },
    y: { label: 'operations/s' },
    right: { label: 'latency, ms' },
    xs: points.map(({ atSeconds }) => atSeconds),
    series: [
      { label: 'operations/s', values: points.map(({ opsPerSecond }) => opsPerSecond) },
      { label: 'p50, ms', values: points.map(({ p50Ms }) => p50Ms), side: 'right' },
      { label: 'p99, ms', values: points.map(({ p99Ms }) => p99Ms), side: 'right' },
    ],
    markers: events.map(({ atSeconds, kind, text }) => ({ at: atSeconds, label: text, kind: MARKERS[kind] })),
  })
}

/** The axis has no place for the maximum: it is no percentile. */
function distributionChart(title: string, series: readonly NamedDistribution[]): Html {
  return percentileChart({
    title,
    note: 'Each nine of the percentiles is as wide as the one before.',
    series: series.map(({ label, points }) => ({
      label,
      points: points.filter(({ percent, ms }) => percent < 100 && ms > 0),
    })),
  })
}

interface Figures {
  readonly opsPerSecond?: unknown
  readonly latencyMs?: { readonly p50?: unknown; readonly p99?: unknown; readonly p999?: unknown }
  readonly lost?: unknown
}

function headlineOf({ headline: given }: FullDocument): HtmlPart {
  const { throughput } = (given ?? {}) as { readonly throughput?: Figures | null }
  const { opsPerSecond, latencyMs = {} } = throughput ?? ((given ?? {}) as Figures)
  const list = [
    ...(typeof opsPerSecond === 'number'
      ? [{ value: formatNumber(opsPerSecond), unit: 'op/s', label: 'throughput' }]
      : []),
    ...(['p50', 'p99', 'p999'] as const).flatMap((name) => {
      const value = latencyMs[name]
      const label = name === 'p999' ? 'p99.9' : name
      return typeof value === 'number' ? [{ value: formatMs(value), unit: 'ms', label }] : []
    }),
  ]
  return list.length === 0 ? html`` : headline(list)
}

function factsOf({ configuration, environment, schema }: FullDocument): [name: string, value: string][] {
  const all = { ...(environment ?? {}), ...configuration, schema }
  return Object.entries(all)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)])
}
