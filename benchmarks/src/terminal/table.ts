/** Tables that line up: text to the left, numbers to the right. */

import type { Column } from '@troupe/page'

export type { Column }

/** The lines of a table: titles, a rule, a line for each row. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map((column) => column.value(row)))
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => (line[index] as string).length)),
  )
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => pad(text, widths[index] as number, columns[index]?.align ?? 'right'))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  return [line(columns.map(({ title }) => title)), rule, ...cells.map(line)]
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width)
}
