import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { publishedSchema } from './published.ts'

const file = new URL('../../schema/scenario.schema.json', import.meta.url)

test('the published JSON Schema is the one that files are read by', () => {
  // Written anew by: node packages/lab/schema/write.ts
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(publishedSchema())))
})
