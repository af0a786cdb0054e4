import { scenario } from '../scenario/scenario.ts'
import { jsonSchemaOf } from './json-schema.ts'
import type { JsonSchema } from './schema.ts'

/** What stands in `schema/scenario.schema.json`: for editors. */
export const publishedSchema = (): JsonSchema =>
  jsonSchemaOf(scenario, {
    title: 'A scenario of the fault laboratory',
    description: 'What happens to a cluster, and what must be true of it: docs/scenarios.md.',
  })
