import { dirname, resolve } from 'node:path'
import type { TableReference } from '../scenario/parameters.ts'
import type { Path, Report } from '../schema/schema.ts'
import { csvSource } from './csv.ts'
import type { DataSource } from './data-source.ts'
import { sqliteSource } from './sqlite.ts'
import { structuredSource } from './structured.ts'

/** Those that are always there. */
export const dataSources: readonly DataSource[] = [csvSource, structuredSource, sqliteSource]

/** The rows of a table in another file, which is named from the folder of this one. */
export async function loadRows(
  { file: name, query }: TableReference,
  from: string,
  sources: readonly DataSource[],
  path: Path,
  report: Report,
): Promise<readonly unknown[]> {
  const file = resolve(dirname(from), name)
  // A plug-in's comes before ours.
  const source = [...sources, ...dataSources].find((one) => one.accepts(file))
  const place = [...path, 'file']
  if (source === undefined) {
    report({
      path: place,
      value: name,
      expected: 'a file of .csv, .yaml, .json or .sqlite, or a plug-in that reads it',
    })
    return []
  }
  try {
    const rows = await source.load(file, query)
    if (rows.length === 0) report({ path: place, value: name, expected: 'at least one row' })
    return rows
  } catch (error) {
    report({ path: place, value: name, expected: `a table: ${(error as Error).message}` })
    return []
  }
}
