/** Templates: `${name}` in a scenario stands for a value of a row of its table of parameters. */
import { isRecord, type Path, type Report } from '../schema/schema.ts'

export type Value = string | number | boolean | null
/** One row of a table: its values by the names of the columns. */
export type Row = Readonly<Record<string, Value>>

/** A table in another file. */
export interface TableReference {
  readonly file: string
  readonly query?: string
}

const isValue = (value: unknown): value is Value =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

export const isTableReference = (value: unknown): value is TableReference =>
  isRecord(value) && typeof value['file'] === 'string'

/** Rows of `parameters`: a list of rows as they are, or every combination of the values of lists. */
export function rowsOf(parameters: unknown, path: Path, report: Report): readonly Row[] {
  if (parameters === undefined) return [{}]
  if (Array.isArray(parameters) && parameters.length > 0) {
    return parameters.map((row: unknown, at) => checkedRow(row, [...path, at], report))
  }
  if (isRecord(parameters)) return combinations(parameters, path, report)
  report({ path, value: parameters, expected: 'a list of rows, lists to combine, or { file, query? }' })
  return []
}

/** The row, where it is one: text, numbers, true and false by names. */
export function checkedRow(row: unknown, path: Path, report: Report): Row {
  if (!isRecord(row)) {
    report({ path, value: row, expected: 'a row: values by their names' })
    return {}
  }
  for (const [name, value] of Object.entries(row)) {
    if (!isValue(value)) report({ path: [...path, name], value, expected: 'a text, a number, true or false' })
  }
  return row as Row
}

function combinations(lists: Readonly<Record<string, unknown>>, path: Path, report: Report): readonly Row[] {
  let rows: Row[] = [{}]
  for (const [name, values] of Object.entries(lists)) {
    if (!Array.isArray(values) || values.length === 0 || !values.every(isValue)) {
      report({ path: [...path, name], value: values, expected: 'a list of texts, numbers, true or false' })
      continue
    }
    rows = rows.flatMap((row) => values.map((value): Row => ({ ...row, [name]: value })))
  }
  return rows
}

const PLACE = /\$\{([^}]*)\}/g

/** The value with those of the row in the places of their names. A text that is nothing but a name becomes the value itself. */
export function filledIn(value: unknown, row: Row, path: Path, report: Report): unknown {
  if (typeof value === 'string') return filledText(value, row, path, report)
  if (Array.isArray(value)) return value.map((one, at) => filledIn(one, row, [...path, at], report))
  if (!isRecord(value)) return value
  const entries = Object.entries(value)
  return Object.fromEntries(entries.map(([key, one]) => [key, filledIn(one, row, [...path, key], report)]))
}

function filledText(text: string, row: Row, path: Path, report: Report): unknown {
  const look = (name: string): Value => {
    const key = name.trim()
    if (Object.hasOwn(row, key)) return row[key] as Value
    const known = Object.keys(row).join(', ')
    report({ path, value: text, expected: `names of parameters: ${known === '' ? 'there are none' : known}` })
    return ''
  }
  const whole = /^\$\{([^}]*)\}$/.exec(text)
  if (whole !== null) return look(whole[1] ?? '')
  return text.replace(PLACE, (_, name: string) => String(look(name)))
}

/** For people: `nodes=3, heartbeatMs=50`. */
export const describeRow = (row: Row): string =>
  Object.entries(row)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
