/** The page of a sweep: an explorer of its points, who wins within which budget, what limits where, what depth does. */

import {
  embeddedJson,
  type Html,
  headline,
  html,
  paragraph,
  renderPage,
  section,
  table,
  warning,
} from '@troupe/page'
import type { Environment } from '../environment.ts'
import { footerOf } from '../report/html.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import { byCondition, frontPoints, isWide, WIDE_SPREAD } from './aggregate.ts'
import { type Axis, amount, describe, variedAxes } from './axes.ts'
import { depthOf, pointColumns } from './columns.ts'
import { explain, limitNames } from './explain.ts'
import type { ExplorerData } from './explorer-data.ts'
import { type Comparison, depthSentences, winners } from './findings.ts'
import type { SweepPoint } from './point.ts'
import type { SweepProgress } from './sweep-run.ts'

/** The package ships its sources, so that this finds them when built, too. */
const source = (name: string): string =>
  import.meta.resolve(`@troupe/benchmarks/source/sweep/browser/${name}`)

/** The page as the text of its file. */
export function renderSweep(
  points: readonly SweepPoint[],
  environment: Environment | undefined,
  { command, progress }: { readonly command: string; readonly progress?: SweepProgress | undefined },
): string {
  const content = points.length === 0 ? [paragraph('Nothing has been measured yet.')] : contentOf(points)
  return renderPage({
    title: 'Sweep: throughput against p99',
    lead: 'Each point is a setting of the engine under one set of conditions. Where points compete, the front shows those that nothing beats: more throughput costs a longer tail.',
    content: [points.length > 0 && topOf(points), progress && unfinished(progress), ...content],
    footer: html`${paragraph('Latency is that of one command in a closed loop; medians where a point has several runs.')}${footerOf(environment ?? null, command)}`,
    styles: [source('explorer.css')],
    scripts: [source('explorer.ts')],
  })
}

function unfinished({ points, measured }: SweepProgress): Html | false {
  return (
    measured < points &&
    warning(`Not finished: ${formatNumber(measured)} of ${formatNumber(points)} points are measured.`)
  )
}

function topOf(points: readonly SweepPoint[]): Html {
  const fastest = points.reduce((best, point) => (point.opsPerSecond > best.opsPerSecond ? point : best))
  const quickest = points
    .filter(({ p99Ms }) => p99Ms !== null)
    .reduce((best, point) => ((point.p99Ms ?? 0) < (best.p99Ms ?? 0) ? point : best), fastest)
  const runs = points.reduce((sum, point) => sum + point.runs, 0)
  const varied = variedAxes(points)
  return headline([
    { value: formatNumber(points.length), label: `points, ${formatNumber(runs)} runs` },
    {
      value: formatNumber(fastest.opsPerSecond),
      unit: 'commands/s',
      label: describe(fastest, varied) || 'the fastest',
    },
    { value: formatMs(quickest.p99Ms), unit: 'ms p99', label: describe(quickest, varied) || 'the quickest' },
  ])
}

function contentOf(points: readonly SweepPoint[]): Html[] {
  const wide = points.filter(isWide).length
  const { comparisons, places } = depthOf(points)
  return [
    html`${
      wide > 0 &&
      warning(
        `At ${wide} of ${points.length} points runs differ by more than ${WIDE_SPREAD * 100} % in throughput or ${WIDE_SPREAD * 200} % in p99: read those as magnitudes.`,
      )
    }`,
    html`<section class="explorer" data-explorer><h2>Explorer</h2>
<noscript>The explorer needs JavaScript; all points stand in the table at the end.</noscript>
<div class="controls"></div>
<div class="stage"><div><div class="plot"></div><div class="keys"></div></div><aside aria-live="polite"></aside></div>
${embeddedJson(explorerData(points))}</section>`,
    budgetSection(points),
    limitSection(points),
    html`${comparisons.length > 0 && depthSection(comparisons, places)}`,
    section(
      'All points',
      html`<details><summary>${formatNumber(points.length)} points</summary>${allPoints(points)}</details>`,
    ),
  ]
}

function explorerData(points: readonly SweepPoint[]): ExplorerData {
  return {
    axes: variedAxes(points),
    points: points.map((point) => ({ ...point, limit: explain(point), isWide: isWide(point) })),
    limitNames,
  }
}

const conditionsOf = (points: readonly SweepPoint[]): Axis[] =>
  variedAxes(points).filter(({ role }) => role === 'condition')
const knobsOf = (points: readonly SweepPoint[]): Axis[] =>
  variedAxes(points).filter(({ role }) => role === 'knob')

/** A table with a row for each set of conditions and cells of markup. */
function matrix<Key>(
  caption: string,
  corner: string,
  columns: readonly { readonly key: Key; readonly title: string }[],
  rows: readonly { readonly title: string; readonly cell: (key: Key) => Html }[],
): Html {
  return html`<div class="table" role="region" aria-label="${caption}" tabindex="0"><table class="matrix">
<caption>${caption}</caption><thead><tr><th scope="col" class="left">${corner}</th>${columns.map(
    ({ title }) => html`<th scope="col">${title}</th>`,
  )}</tr></thead><tbody>${rows.map(
    ({ title, cell }) =>
      html`<tr><th scope="row" class="left">${title}</th>${columns.map(({ key }) => cell(key))}</tr>`,
  )}</tbody></table></div>`
}

function budgetSection(points: readonly SweepPoint[]): Html {
  const conditions = conditionsOf(points)
  const knobs = knobsOf(points)
  const groups = byCondition(points).map((group) => ({ group, found: winners(group) }))
  const budgets = [...new Set(groups.flatMap(({ found }) => found.map(({ budgetMs }) => budgetMs)))]
  budgets.sort((left, right) => left - right)
  const rows = groups.map(({ group }) => ({
    title: describe(group[0] as SweepPoint, conditions) || 'all points',
    cell: (budgetMs: number): Html => {
      const { point } = winners(group, [budgetMs])[0] ?? {}
      if (point === undefined) return html`<td class="none">–</td>`
      const settings = knobs.map(({ name, label }) => html`<br>${label} ${amount(point[name])}`)
      return html`<td><b>${formatNumber(point.opsPerSecond)}</b><small>p99 ${formatMs(point.p99Ms)} ms${settings}</small></td>`
    },
  }))
  return section(
    'The winner for each budget of latency',
    paragraph('The most commands per second with a p99 within the budget, and the settings that reach it.'),
    matrix(
      'Commands per second',
      'conditions',
      budgets.map((key) => ({ key, title: `p99 ≤ ${amount(key)} ms` })),
      rows,
    ),
  )
}

function limitSection(points: readonly SweepPoint[]): Html {
  const conditions = conditionsOf(points)
  const windows = [...new Set(points.map(({ window }) => window))].sort((left, right) => left - right)
  const rows = byCondition(points).map((group) => ({
    title: describe(group[0] as SweepPoint, conditions) || 'all points',
    cell: (window: number): Html => {
      const candidates = group.filter((point) => point.window === window)
      const best = candidates.toSorted((left, right) => right.opsPerSecond - left.opsPerSecond)[0]
      if (best === undefined) return html`<td class="none">–</td>`
      const { kind, why } = explain(best)
      return html`<td class="limit ${kind}" title="${why}"><b>${limitNames[kind]}</b><small>${formatNumber(best.opsPerSecond)}/s</small></td>`
    },
  }))
  return section(
    'What limits where',
    paragraph(
      'Of each window the fastest setting. “Window” means that nothing is busy all the time: more commands outstanding would get more. Everything else is a resource that is never idle; the reasons stand at each cell and in the explorer.',
    ),
    matrix(
      'The limit of the fastest setting, by commands outstanding',
      'conditions',
      windows.map((key) => ({ key, title: `${amount(key)}` })),
      rows,
    ),
  )
}

function depthSection(comparisons: readonly Comparison[], places: readonly Axis[]): Html {
  const windows = [...new Set(comparisons.map(({ deep }) => deep.window))].sort((left, right) => left - right)
  const others = places.filter(({ name }) => name !== 'window')
  const groups = Map.groupBy(comparisons, ({ deep }) => describe(deep, others) || 'all points')
  const rows = [...groups].map(([title, group]) => ({
    title,
    cell: (window: number): Html => {
      const found = group.find(({ deep }) => deep.window === window)
      if (found === undefined) return html`<td class="none">–</td>`
      const { opsRatio, p99Ratio, verdict } = found
      return html`<td class="depth ${verdict}"><b>× ${formatMs(opsRatio).slice(0, 4)}</b><small>p99 × ${formatMs(p99Ratio).slice(0, 4)}</small></td>`
    },
  }))
  return section(
    'Where deep pipelines help, and where they ruin the tail',
    depthSentences(comparisons, others.length > 0 ? places : []).map((sentence) => paragraph(sentence)),
    matrix(
      'Throughput and p99 with the most messages in flight, as multiples of those with the fewest, by commands outstanding',
      'conditions',
      windows.map((key) => ({ key, title: amount(key) })),
      rows,
    ),
  )
}

function allPoints(points: readonly SweepPoint[]): Html {
  const fronts = new Set(byCondition(points).flatMap(frontPoints))
  const conditions = conditionsOf(points).map(({ name, label, unit }) => ({
    title: unit === '' ? label : `${label}, ${unit}`,
    value: (point: SweepPoint) => amount(point[name]),
  }))
  return table('Medians of the runs', [...conditions, ...pointColumns(points, [...fronts])], points)
}
