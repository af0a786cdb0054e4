/** What a report has to draw, whoever draws it. */
import type { PercentilePoint } from '../latency.ts'
import type { Timeline } from '../timeline/timeline.ts'

export interface NamedDistribution {
  readonly label: string
  readonly points: readonly PercentilePoint[]
}

export type Picture =
  /** Throughput and latency over time, with what happened. */
  | { readonly kind: 'timeline'; readonly title: string; readonly timeline: Timeline }
  /** Latency by percentile. */
  | { readonly kind: 'distribution'; readonly title: string; readonly series: readonly NamedDistribution[] }
