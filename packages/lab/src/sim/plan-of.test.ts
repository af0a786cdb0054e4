import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseText } from '../scenario/document.ts'
import { casesOf } from '../scenario/read-scenario.ts'
import { planFor } from './plan-of.ts'

test('the priority in elections that a file gives is that of every node', async () => {
  const cluster = 'cluster: { voters: 3, learners: 1, raft: { electionPriority: 50 } }'
  const document = parseText('a.yaml', `name: a\n${cluster}\nphases: [{ wait: 1s }]\n`)
  const [item] = await casesOf(document, { sources: [] })
  assert.ok(item !== undefined)
  assert.deepEqual(planFor(item.scenario, 1).priorities, [50, 50, 50, 50])
})
