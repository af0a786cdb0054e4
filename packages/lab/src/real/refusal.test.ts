import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { isRefusal, Refusal } from './refusal.ts'

const noAnswer = (node: string, cause?: { code: string }) =>
  new RaftError('NODE_UNAVAILABLE', `node ${node}: no`, { node, reason: 'no' }, { cause })

test('a refusal says that something will not be done; what may still be done is none', () => {
  const refusals = [
    new Refusal('nothing to do it to'),
    new RaftError('REFUSED_CHANGE', 'joint', { reason: 'IN_PROGRESS', detail: '' }),
    noAnswer(''),
    noAnswer('n1', { code: 'REFUSED_CHANGE' }),
  ]
  assert.deepEqual(refusals.map(isRefusal), [true, true, true, true])
  const open = [
    new RaftError('TIMEOUT', 'late', { timeoutMs: 5000 }),
    new RaftError('INDETERMINATE', 'leadership was lost', { reason: 'leadership was lost' }),
    noAnswer('n1'),
    noAnswer('n1', { code: 'INDETERMINATE' }),
  ]
  assert.deepEqual(open.map(isRefusal), [false, false, false, false])
})
