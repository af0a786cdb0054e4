import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { combineVerdicts, exitCodeOf } from './verdict.ts'

describe('verdicts', () => {
  it('combine to the worst: fail before unknown before pass', () => {
    assert.equal(combineVerdicts(['pass', 'pass']), 'pass')
    assert.equal(combineVerdicts(['pass', 'unknown', 'pass']), 'unknown')
    assert.equal(combineVerdicts(['unknown', 'fail', 'pass']), 'fail')
    assert.equal(combineVerdicts(['fail', 'unknown']), 'fail')
  })

  it('of nothing are unknown', () => {
    assert.equal(combineVerdicts([]), 'unknown')
  })

  it('map to exit codes', () => {
    assert.deepEqual((['pass', 'fail', 'unknown'] as const).map(exitCodeOf), [0, 1, 2])
  })
})
