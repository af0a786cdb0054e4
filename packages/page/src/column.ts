/** A column of a table, wherever the table is shown. */
export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string
  /** @default 'right', as numbers stand */
  readonly align?: 'left' | 'right'
}
