import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultMeans, sustainedFaultNames, sustainedFaultOf, sustainedFaults } from './sustained-faults.ts'

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

test('what lasts is done in the nodes, and only a crash differs from engine to engine', () => {
  const means = (['delay', 'loss', 'slow-disk', 'crash'] as const).map((name) =>
    ['threads', 'tcp', 'tls'].map((engine) => faultMeans(sustainedFaults[name], engine)),
  )
  const decorators = Array(3).fill('decorators')
  assert.deepEqual(means, [decorators, decorators, decorators, ['exit', 'SIGKILL', 'SIGKILL']])
})
