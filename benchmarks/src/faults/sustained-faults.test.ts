import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sustainedFaultNames, sustainedFaultOf } from './sustained-faults.ts'

test('a crash is known by either name, and none is none', () => {
  const { lasting, recurring } = sustainedFaultOf('crash') ?? {}
  assert.deepEqual(lasting, [])
  assert.deepEqual(recurring, {
    fault: { kind: 'crash', nodes: 'primaries' },
    everyMs: 5000,
    healAfterMs: 1000,
  })
  assert.equal(sustainedFaultOf('crashes')?.recurring, recurring)
  assert.equal(sustainedFaultOf('none'), undefined)
  assert.ok(sustainedFaultNames.includes('crash'))
})
