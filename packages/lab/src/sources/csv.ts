/** Tables as RFC 4180 has them: a comma between cells, quotes where a cell needs them, the first line has the names. */
import { readBoundedText } from '../bounded-file.ts'
import type { DataSource } from './data-source.ts'

export const csvSource: DataSource = {
  name: 'csv',
  accepts: (file) => file.endsWith('.csv'),
  load: async (file) => rowsOfCsv(readBoundedText(file, 'file')),
}

/** @throws Error where a quote is not closed, or a line has another number of cells than the first */
export function rowsOfCsv(text: string): Record<string, string | number | boolean>[] {
  const [names, ...lines] = cellsOfCsv(text)
  if (names === undefined) throw new Error('it is empty: the first line has the names of the columns')
  return lines.map((cells, at) => {
    if (cells.length !== names.length) {
      throw new Error(`line ${at + 2} has ${cells.length} cells, the first has ${names.length}`)
    }
    return Object.fromEntries(names.map((name, column) => [name, valueIn(cells[column] ?? '')]))
  })
}

/** A cell without quotes that looks like a number is one. */
function valueIn(cell: string): string | number | boolean {
  if (cell === 'true' || cell === 'false') return cell === 'true'
  return /^-?\d+(?:\.\d+)?$/.test(cell) ? Number(cell) : cell
}

const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y

function cellsOfCsv(text: string): string[][] {
  const lines: string[][] = []
  let line: string[] = []
  CELL.lastIndex = 0
  const end = text.replace(/(?:\r?\n)+$/, '').length
  while (CELL.lastIndex < end || line.length > 0) {
    const match = CELL.exec(text)
    if (match === null) throw new Error(`line ${lines.length + 1}: a quote where none can be`)
    const [, quoted, plain = '', after] = match
    line.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (after === ',') continue
    lines.push(line)
    line = []
    if (after === '') break
  }
  return lines
}
