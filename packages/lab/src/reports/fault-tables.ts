/** Tables for engineers: rows are cases, cells are what their files ask for of the runs. */
import { summaryOf } from '../assertions/statistics.ts'
import type { CaseRun } from '../engine.ts'
import type { FigureName } from '../figures.ts'
import type { Row } from '../scenario/parameters.ts'
import type { Scenario } from '../scenario/scenario.ts'
import type { Cell, Column } from '../scenario/table-spec.ts'

/** A row of a table. */
export interface TableRow {
  readonly title: string
  readonly about: string | undefined
  readonly cells: readonly (readonly [head: string, text: string])[]
}

/** By their titles: the columns of the first case that has any. */
export function columnsOf(scenarios: readonly Scenario[]): ReadonlyMap<string, readonly Column[]> {
  const columns = new Map<string, readonly Column[]>()
  for (const { table } of scenarios) {
    if (table?.columns !== undefined && !columns.has(table.title)) columns.set(table.title, table.columns)
  }
  return columns
}

/** The row of a case; undefined where it belongs to no table. */
export function tableRowOf(
  { table }: Scenario,
  row: Row,
  runs: readonly CaseRun[],
  columns: ReadonlyMap<string, readonly Column[]>,
): TableRow | undefined {
  const mine = table === undefined ? undefined : columns.get(table.title)
  if (table === undefined || mine === undefined) return undefined
  return {
    title: table.title,
    about: table.about,
    cells: mine.map(({ head, cell }) => [head, textOf(cell, row, runs)]),
  }
}

const NOTHING = '–'

function textOf(cell: Cell, row: Row, runs: readonly CaseRun[]): string {
  if ('row' in cell) return `${row[cell.row] ?? NOTHING}`
  if ('lost' in cell) return lostIn(runs)
  if ('situation' in cell) {
    const count = runs.filter(({ situations }) => (situations[cell.situation] ?? 0) > 0).length
    return `${count} of ${runs.length} runs`
  }
  if ('share' in cell) {
    const { name, within } = cell.share
    const values = valuesOf(runs, name as FigureName, undefined)
    if (values.length === 0) return NOTHING
    const met = values.filter((value) => value <= within).length
    return `${((100 * met) / values.length).toFixed(1)} % of ${values.length}`
  }
  const { name, of = 'max', at, unit } = cell.figure
  return measured(valuesOf(runs, name as FigureName, at), of, unit)
}

const valuesOf = (runs: readonly CaseRun[], name: FigureName, at: number | undefined): number[] =>
  runs.flatMap(({ figures }) => {
    const values = figures[name] ?? []
    return at === undefined ? values : values.slice(at - 1, at)
  })

type Unit = 'ms' | 's' | '%' | undefined

function measured(
  values: readonly number[],
  of: 'sum' | 'range' | keyof NonNullable<ReturnType<typeof summaryOf>>,
  unit: Unit,
): string {
  const summary = summaryOf(values)
  if (summary === undefined) return NOTHING
  if (of === 'sum') return withUnit(summary.mean * summary.count, unit)
  if (of !== 'range') return withUnit(summary[of], unit)
  if (summary.min === summary.max) return withUnit(summary.max, unit)
  return `${rounded(summary.min, unit)}–${withUnit(summary.max, unit)}`
}

const withUnit = (value: number, unit: Unit): string =>
  unit === undefined ? rounded(value, unit) : `${rounded(value, unit)} ${unit}`

function rounded(value: number, unit: Unit): string {
  const scaled = unit === '%' ? 100 * value : value
  return scaled >= 10 || Number.isInteger(scaled) ? `${Math.round(scaled)}` : scaled.toFixed(2)
}

/** Every acknowledged write is looked for at the end of each run, and invariants are checked at each event. */
function lostIn(runs: readonly CaseRun[]): string {
  const failed = runs.filter(({ verdict }) => verdict === 'fail')
  const unknown = runs.filter(({ verdict }) => verdict === 'unknown').length
  if (unknown > 0) return `not known: ${unknown} of ${runs.length} runs show nothing`
  if (failed.length === 0) return 'nothing'
  const names = [...new Set(failed.map(({ failure }) => failure?.invariant ?? 'unknown'))]
  return `${names.join(', ')}: in ${failed.length} of ${runs.length} runs`
}
