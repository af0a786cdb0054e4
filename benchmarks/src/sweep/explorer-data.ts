/** What the page's explorer is given as JSON: the points with what is said of them. Types alone: pages share them. */
import type { Axis } from './axes.ts'
import type { Limit } from './explain.ts'
import type { SweepPoint } from './point.ts'

export interface ExplorerPoint extends SweepPoint {
  readonly limit: Limit
  readonly isWide: boolean
}

export interface ExplorerData {
  /** Those that tell points apart. */
  readonly axes: readonly Axis[]
  readonly points: readonly ExplorerPoint[]
  readonly limitNames: Readonly<Record<string, string>>
}
