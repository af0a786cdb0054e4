/** The guide to nodes as processes names every option there is. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { defaultBatching, NODE_OPTION_FIELDS } from '@troupe/cluster'
import { defaultRaftKnobs } from '@troupe/core'
import { defaultSessionLimits } from '@troupe/machines'
import { defaultLogLimits } from '@troupe/store'
import { defaultListenLimits } from '@troupe/transport'

it('docs/processes.md has every option of a node', () => {
  const guide = readFileSync(new URL('../docs/processes.md', import.meta.url), 'utf8')
  const named = new Set(guide.match(/\w+/g))
  const groups = [
    defaultBatching,
    defaultRaftKnobs,
    defaultSessionLimits,
    defaultLogLimits,
    defaultListenLimits,
  ]
  const expected = [
    ...NODE_OPTION_FIELDS.filter((field) => field !== 'logger'),
    ...groups.flatMap(Object.keys),
  ]
  assert.deepEqual(
    expected.filter((name) => !named.has(name)),
    [],
  )
})
