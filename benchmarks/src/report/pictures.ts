/** What a report has to draw, whoever draws it. */

import type { ChartMarker, ChartSeries, ChartSpan } from '@troupe/page'
import type { PercentilePoint } from '../latency.ts'
import type { Timeline } from '../timeline/timeline.ts'

export interface NamedDistribution {
  readonly label: string
  readonly points: readonly PercentilePoint[]
}

export interface Bar {
  readonly label: string
  /** At least 0. */
  readonly value: number
  /** As it is written beside the bar. */
  readonly text: string
  /** Bars of one group have one colour. */
  readonly group?: string
}

/** A large figure for the top of a page. */
export interface Figure {
  readonly value: string
  readonly unit?: string
  readonly label: string
}

interface Titled {
  readonly title: string
  /** What a reader should see in it. */
  readonly note?: string
}

export type Picture =
  /** Throughput and latency over time, with what happened. */
  | (Titled & { readonly kind: 'timeline'; readonly timeline: Timeline })
  /** Latency by percentile. */
  | (Titled & {
      readonly kind: 'distribution'
      readonly series: readonly NamedDistribution[]
      /** @default 'latency' */
      readonly what?: string
    })
  /** One amount each, to be compared. */
  | (Titled & { readonly kind: 'bars'; readonly bars: readonly Bar[] })
  /** Amounts over time. */
  | (Titled & {
      readonly kind: 'amounts'
      readonly left: string
      readonly right?: string
      readonly atSeconds: readonly number[]
      readonly series: readonly ChartSeries[]
    })
  /** Throughput around a fault. */
  | (Titled & {
      readonly kind: 'failover'
      readonly atMs: readonly number[]
      readonly commandsPerSecond: readonly (number | null)[]
      readonly markers: readonly ChartMarker[]
      readonly spans: readonly ChartSpan[]
    })
