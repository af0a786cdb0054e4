/** One run at a point. */
import type { LatencySummary } from '../latency.ts'
import type { StagesMs, SweepRates, SweepUtilisation } from './point.ts'

export interface SweepRun extends SweepRates {
  readonly opsPerSecond: number
  readonly latencyMs: LatencySummary
  readonly seconds: number
  readonly commands: number
  /** Begun while it ran: figures with elections in them are none of the steady state. */
  readonly elections: number
  readonly utilisation?: SweepUtilisation
  readonly stagesMs?: StagesMs
}
