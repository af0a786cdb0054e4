/** Tables in a database file, by a query. */
import { DatabaseSync } from 'node:sqlite'
import type { DataSource } from './data-source.ts'

export const sqliteSource: DataSource = {
  name: 'sqlite',
  accepts: (file) => /\.(?:sqlite3?|db)$/.test(file),
  load: async (file, query) => {
    if (query === undefined) throw new Error('a database needs a query, such as select * from cases')
    const database = new DatabaseSync(file, { readOnly: true })
    try {
      return database
        .prepare(query)
        .all()
        .map((row) => ({ ...row }))
    } finally {
      database.close()
    }
  },
}
