/** Pictures of a report as charts of a page. */
import {
  barChart,
  type ChartMarker,
  failoverChart,
  type Html,
  percentileChart,
  timeSeriesChart,
} from '@troupe/page'
import type { Timeline, TimelineEventKind } from '../timeline/timeline.ts'
import type { Picture } from './pictures.ts'

export function chartOf(picture: Picture): Html {
  const { title, note } = picture
  const texts = note === undefined ? { title } : { title, note }
  switch (picture.kind) {
    case 'timeline':
      return timelineChart(title, picture.timeline)
    case 'distribution':
      return distributionChart(picture)
    case 'bars':
      return barChart({ ...texts, bars: picture.bars })
    case 'amounts':
      return amountsChart(picture)
    case 'failover': {
      const { atMs, commandsPerSecond, markers, spans } = picture
      return failoverChart({ ...texts, atMs, commandsPerSecond, markers, spans })
    }
  }
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
function distributionChart({
  title,
  note,
  series,
  what = 'latency',
}: Picture & { readonly kind: 'distribution' }): Html {
  return percentileChart({
    title,
    note: note ?? 'Each nine of the percentiles is as wide as the one before.',
    y: { label: `${what}, ms`, isLog: true },
    series: series.map(({ label, points }) => ({
      label,
      points: points.filter(({ percent, ms }) => percent < 100 && ms > 0),
    })),
  })
}

function amountsChart(picture: Picture & { readonly kind: 'amounts' }): Html {
  const { title, note, left, right, atSeconds, series } = picture
  return timeSeriesChart({
    title,
    ...(note === undefined ? {} : { note }),
    x: { label: 'time, s' },
    y: { label: left },
    ...(right === undefined ? {} : { right: { label: right } }),
    xs: atSeconds,
    series,
  })
}
