/** What charts are made of: plain values, embedded into the page as JSON and read there by its script. */

/** How a quantity is written beside its axis and at the pointer. */
export interface ChartAxis {
  /** With the unit: `throughput, commands/s`. */
  readonly label: string
  /** Each decade as long as the next; values must be above 0. @default false */
  readonly isLog?: boolean
}

export interface ChartSeries {
  readonly label: string
  /** One for each value of x; null where nothing was measured. */
  readonly values: readonly (number | null)[]
  /** On the axis at the right, where there is one. @default 'left' */
  readonly side?: 'left' | 'right'
}

/** Something that happened at an instant of a time series. */
export interface ChartMarker {
  /** In the unit of x. */
  readonly at: number
  readonly label: string
  /** Decides the colour: what was done to the cluster, what it did, or neither. */
  readonly kind: 'fault' | 'heal' | 'election' | 'recovery' | 'note'
}

/** Something that lasted. */
export interface ChartSpan {
  readonly from: number
  readonly to: number
  readonly label: string
  readonly kind: ChartMarker['kind']
}

export interface TimeSeriesData {
  readonly kind: 'time'
  readonly x: ChartAxis
  readonly y: ChartAxis
  readonly right?: ChartAxis
  /** Rising. */
  readonly xs: readonly number[]
  readonly series: readonly ChartSeries[]
  readonly markers: readonly ChartMarker[]
  readonly spans: readonly ChartSpan[]
}

export interface PercentilePoint {
  /** Below 100. */
  readonly percent: number
  readonly ms: number
}

export interface PercentileSeries {
  readonly label: string
  /** Rising. */
  readonly points: readonly PercentilePoint[]
}

export interface PercentilesData {
  readonly kind: 'percentiles'
  readonly y: ChartAxis
  readonly series: readonly PercentileSeries[]
}

export interface ScatterPoint {
  readonly x: number
  readonly y: number
  readonly title: string
  /** Said at the pointer below the title: names and values. */
  readonly details?: readonly (readonly [name: string, value: string])[]
}

export interface ScatterGroup {
  readonly label: string
  readonly points: readonly ScatterPoint[]
}

export interface ScatterData {
  readonly kind: 'scatter'
  readonly x: ChartAxis
  readonly y: ChartAxis
  readonly groups: readonly ScatterGroup[]
  /** Draws the Pareto front of all points, with more x and less y being better. */
  readonly hasFront: boolean
}

export type ChartData = TimeSeriesData | PercentilesData | ScatterData
