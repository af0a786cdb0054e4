/** Grids and points for tests. */
import { aggregate } from './aggregate.ts'
import { pointsOf, type SweepGrid, type SweepSettings } from './axes.ts'
import type { SweepPoint } from './point.ts'
import type { SweepRun } from './run.ts'

const defaults: SweepGrid = {
  window: [1024],
  maxBatchCommands: [65_536],
  maxBatchBytes: [1 << 20],
  lingerMs: [0],
  maxInflightMessages: [64],
  sizeBytes: [64],
  nodes: [3],
  delayMs: [0],
  flushMs: [0],
}

export const gridOf = (given: Partial<SweepGrid>): SweepGrid => ({ ...defaults, ...given })

export const settingsOf = (given: Partial<SweepSettings> = {}): SweepSettings => ({
  ...(pointsOf(defaults)[0] as SweepSettings),
  ...given,
})

export const runOf = (opsPerSecond: number, p99: number | null, more: Partial<SweepRun> = {}): SweepRun => ({
  opsPerSecond,
  latencyMs: { p50: p99 === null ? null : p99 / 2, p99, max: p99, mean: p99, samples: 1000 },
  seconds: 1,
  commands: opsPerSecond,
  elections: 0,
  commandsPerEntry: 10,
  entriesPerFlush: 1,
  flushesPerSecond: 100,
  entriesPerSecond: 100,
  appendsPerSecond: 100,
  entriesPerAppend: 1,
  ...more,
})

export const pointOf = (
  given: Partial<SweepSettings>,
  opsPerSecond: number,
  p99: number | null,
  runs = 1,
): SweepPoint =>
  aggregate(
    settingsOf(given),
    Array.from({ length: runs }, () => runOf(opsPerSecond, p99)),
  )
