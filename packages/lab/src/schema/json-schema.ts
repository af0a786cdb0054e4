import type { JsonSchema, Schema } from './schema.ts'

/** The JSON Schema (draft 2020-12) of what `schema` reads; parts with names stand once, under `$defs`. */
export function jsonSchemaOf(schema: Schema<unknown>, head: JsonSchema): JsonSchema {
  const $defs: Record<string, JsonSchema> = {}
  const define = (name: string, part: Schema<unknown>): JsonSchema => {
    if (!Object.hasOwn($defs, name)) {
      // Before it is made: it may refer to itself.
      $defs[name] = {}
      $defs[name] = part.json(define)
    }
    return { $ref: `#/$defs/${name}` }
  }
  const root = schema.json(define)
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...head, ...root, $defs }
}
