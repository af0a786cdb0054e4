/** Writes the published JSON Schema anew. A test says when that is due. */
import { writeFileSync } from 'node:fs'
import { publishedSchema } from '../src/schema/published.ts'

const file = new URL('scenario.schema.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(publishedSchema(), undefined, 2)}\n`)
