/** What was measured: before, during and after beside each other, and the rest. */
import { formatNumber, type Html, html, table } from '@troupe/page'
import type { Summary } from '../assertions/statistics.ts'
import { aboutFigure, aboutPhases, type FigureName, type Figures, figureNames } from '../figures.ts'

/** Lags are many values, of which the typical and the worst are told; others are few. */
const FEW = 4

/** `12`, `12, 40, 7`, `2.0 (greatest 88, of 120)`. */
function valueText(values: readonly number[] | undefined): string {
  if (values === undefined || values.length === 0) return '–'
  if (values.length <= FEW) return values.map(short).join(', ')
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] as number
  return `${short(middle)} (greatest ${short(sorted.at(-1) as number)}, of ${sorted.length})`
}

export const short = (value: number): string =>
  Number.isInteger(value) ? formatNumber(value) : formatNumber(value, Math.abs(value) < 10 ? 3 : 1)

const phases = ['Before', 'During', 'After'] as const

interface PhasedRow {
  readonly stem: string
  readonly names: readonly FigureName[]
}

const phased: readonly PhasedRow[] = figureNames.flatMap((name) => {
  if (!name.endsWith('During')) return []
  const stem = name.slice(0, -'During'.length)
  return [{ stem, names: phases.map((phase) => `${stem}${phase}` as FigureName) }]
})
const ofPhases = new Set(phased.flatMap(({ names }) => names))

export function figureTables(figures: Partial<Figures>): Html {
  const rows = phased.filter(({ names }) => names.some((name) => figures[name] !== undefined))
  const others = figureNames.filter((name) => !ofPhases.has(name) && figures[name] !== undefined)
  const columns = [
    { title: 'figure', value: ({ stem }: PhasedRow) => stem, align: 'left' as const },
    ...phases.map((title, at) => ({
      title: title.toLowerCase(),
      value: ({ names }: PhasedRow) => valueText(figures[names[at] as FigureName]),
    })),
    {
      title: 'what it is',
      value: ({ names }: PhasedRow) => aboutOf(names),
      align: 'left' as const,
      isWrapped: true,
    },
  ]
  const rest = [
    { title: 'figure', value: (name: FigureName) => name, align: 'left' as const },
    { title: 'value', value: (name: FigureName) => valueText(figures[name]) },
    { title: 'what it is', value: aboutFigure, align: 'left' as const, isWrapped: true },
  ]
  return html`${table('Before, during and after the faults', columns, rows)}${table('Over the whole run', rest, others)}`
}

/** Of the three the first; what is only the same for another phase says nothing. */
const aboutOf = (names: readonly FigureName[]): string =>
  aboutPhases(names.find((name) => figureNames.includes(name)) as FigureName)

export function summaryTable(figures: Readonly<Record<string, Summary>>): Html {
  type Row = readonly [name: string, summary: Summary]
  const number = (title: keyof Summary) => ({ title, value: ([, summary]: Row) => short(summary[title]) })
  return table(
    'Over all runs of the case',
    [
      { title: 'figure', value: ([name]: Row) => name, align: 'left' as const },
      ...(['count', 'min', 'mean', 'p50', 'p99', 'max'] as const).map(number),
    ],
    Object.entries(figures),
  )
}
