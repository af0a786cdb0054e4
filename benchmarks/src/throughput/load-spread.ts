/** The repeats of each load of a benchmark as one row. */
import type { Output } from '../report.ts'
import { formatNumber } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { type Spread, spreadOf } from './spread.ts'
import type { ThroughputRun } from './throughput-run.ts'

/** Of the operations per second of a load. */
export interface LoadSpread extends Spread {
  readonly window: number
  readonly batch: number
}

/** In the order in which the loads ran first. */
export function spreadsOf(
  runs: readonly Pick<ThroughputRun, 'window' | 'batch' | 'opsPerSecond'>[],
): readonly LoadSpread[] {
  const groups = Map.groupBy(runs, ({ window, batch }) => `${window}×${batch}`)
  return [...groups.values()].map((group) => {
    const [{ window, batch }] = group as [(typeof group)[number]]
    return { window, batch, ...spreadOf(group.map(({ opsPerSecond }) => opsPerSecond)) }
  })
}

export function spreadColumns(rows: readonly LoadSpread[]): Column<LoadSpread>[] {
  const columns: Column<LoadSpread>[] = [
    { title: 'outstanding', value: ({ window }) => formatNumber(window) },
    { title: 'batch', value: ({ batch }) => formatNumber(batch) },
    { title: 'runs', value: ({ runs }) => formatNumber(runs) },
    { title: 'median op/s', value: ({ median }) => formatNumber(median) },
    { title: 'least', value: ({ least }) => formatNumber(least) },
    { title: 'most', value: ({ most }) => formatNumber(most) },
    { title: 'spread %', value: ({ spread }) => formatNumber(spread * 100) },
  ]
  return rows.some(({ batch }) => batch !== 1) ? columns : columns.filter(({ title }) => title !== 'batch')
}

/** The medians of the repeats, and a word where they do not agree. Nothing where there was one run of each load. */
export function printSpreads(output: Output, spreads: readonly LoadSpread[]): void {
  const most = Math.max(0, ...spreads.map(({ runs }) => runs))
  if (most < 2) return
  output.line(`\nmedians of ${most} runs`)
  output.table(spreadColumns(spreads), spreads)
  for (const { window, spread, isTooWide } of spreads) {
    if (!isTooWide) continue
    const percent = Math.round(spread * 100)
    output.line(
      output.style.bad(`${window} outstanding: the runs differ by ${percent} %, too much to be trusted`),
    )
  }
}
