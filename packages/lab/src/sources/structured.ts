/** Tables as lists of objects in YAML and JSON files. */
import { parse } from 'yaml'
import { readBoundedText } from '../bounded-file.ts'
import { isRecord } from '../schema/schema.ts'
import type { DataSource } from './data-source.ts'

export const structuredSource: DataSource = {
  name: 'yaml',
  accepts: (file) => /\.(?:ya?ml|json)$/.test(file),
  load: async (file) => {
    const rows: unknown = parse(readBoundedText(file, 'file'))
    if (!Array.isArray(rows) || !rows.every(isRecord)) throw new Error('it is no list of objects')
    return rows
  },
}
