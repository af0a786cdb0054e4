/** Tables as lists of objects in YAML and JSON files. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { isRecord } from '../schema/schema.ts'
import type { DataSource } from './data-source.ts'

export const structuredSource: DataSource = {
  name: 'yaml',
  accepts: (file) => /\.(?:ya?ml|json)$/.test(file),
  load: async (file) => {
    const rows: unknown = parse(readFileSync(file, 'utf8'))
    if (!Array.isArray(rows) || !rows.every(isRecord)) throw new Error('it is no list of objects')
    return rows
  },
}
