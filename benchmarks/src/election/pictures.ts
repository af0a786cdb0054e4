/** What of an election a page draws: throughput around the fault, and how the times are distributed. */

import type { ChartMarker } from '@troupe/page'
import { distributionOfValues } from '../latency.ts'
import type { Picture } from '../report/pictures.ts'
import { formatMs } from '../terminal/format.ts'
import { type CellResult, type Measure, measureTitles } from './cell-result.ts'

/** The first commit and as much again some times over: what comes later is as it was before. */
const SHOWN_COMMITS = 5
const MIN_SHOWN_MS = 300
/** With more cells than this only those of the bars are drawn. */
const MAX_CURVES = 24

export function picturesOf(results: readonly CellResult[]): Picture[] {
  const measured = results.filter(({ trials }) => trials.length > 0)
  const pictures: Picture[] = measured.length > 1 ? [comparison(measured)] : []
  const curves = measured.length > MAX_CURVES ? [] : measured
  return [...pictures, ...curves.flatMap((result) => [...failoverOf(result), distribution(result)])]
}

function comparison(results: readonly CellResult[]): Picture {
  return {
    kind: 'bars',
    title: 'From the fault to the first commit under another leader',
    note: 'Medians; the worst trial behind each.',
    bars: results.map((result) => {
      const { p50, max } = result.summary('timeToFirstCommitMs')
      const text = `${formatMs(p50)} ms, worst ${formatMs(max)}`
      return { label: result.cell.name, value: p50 ?? 0, text, group: result.cell.fault }
    }),
  }
}

/** Nothing in the simulator: virtual time has no throughput. */
function failoverOf(result: CellResult): Picture[] {
  const { cell, trials } = result
  const failover = result.failover.mean
  if (failover === undefined) return []
  const { binMs, fromMs } = failover
  const middle = (measure: Measure): number | null => result.summary(measure).p50
  const untilMs = Math.max(MIN_SHOWN_MS, SHOWN_COMMITS * (middle('timeToFirstCommitMs') ?? 0))
  const commandsPerSecond = failover.commandsPerSecond.slice(0, Math.ceil((untilMs - fromMs) / binMs))
  const markers: (ChartMarker | undefined)[] = [
    { at: 0, label: 'leader lost', kind: 'fault' },
    marker(middle('timeToLeaderMs'), 'another leads', 'election'),
    marker(middle('timeToFirstCommitMs'), 'first commit', 'recovery'),
    marker(middle('timeToFullRecoveryMs'), 'all caught up', 'heal'),
  ]
  return [
    {
      kind: 'failover',
      title: `${cell.name}: commands per second around the loss of the leader`,
      note: `Mean of ${trials.length} trials, in steps of ${binMs} ms; medians are marked.`,
      // In the middle of its bin.
      atMs: commandsPerSecond.map((_, bin) => fromMs + (bin + 0.5) * binMs),
      commandsPerSecond,
      markers: markers.filter((one) => one !== undefined && one.at <= untilMs) as ChartMarker[],
      spans: [],
    },
  ]
}

const marker = (at: number | null, label: string, kind: ChartMarker['kind']): ChartMarker | undefined =>
  at === null ? undefined : { at, label: `${label} ${formatMs(at)} ms`, kind }

const DRAWN: readonly Measure[] = [
  'timeToDetectionMs',
  'timeToLeaderMs',
  'timeToFirstCommitMs',
  'timeToFullRecoveryMs',
]

function distribution(result: CellResult): Picture {
  return {
    kind: 'distribution',
    what: 'time',
    title: `${result.cell.name}: times from the fault, by share of the trials`,
    note: 'How many trials took no longer. The axis gives the rare ones room: each nine is as wide as the one before.',
    series: DRAWN.map((measure) => ({
      label: measureTitles[measure],
      points: distributionOfValues(result.valuesOf(measure)),
    })),
  }
}
