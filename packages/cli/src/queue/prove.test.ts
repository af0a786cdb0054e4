import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verdictOf } from './prove.ts'

const nothing = {
  ...{ redelivered: 0, late: 0, lost: 0, unexpected: 0 },
  ...{ enqueuedTwice: 0, assignedAfterAck: 0, overtaken: 0 },
}
const clean = { findings: nothing, isDrained: true, areEqual: true }

test('messages that come again before their ack break nothing, all else does', () => {
  assert.equal(verdictOf({ ...clean, findings: { ...nothing, redelivered: 9, late: 1 } }), 'pass')
  for (const field of ['lost', 'unexpected', 'enqueuedTwice', 'assignedAfterAck', 'overtaken'])
    assert.equal(verdictOf({ ...clean, findings: { ...nothing, [field]: 1 } }), 'fail')
  assert.equal(verdictOf({ ...clean, areEqual: false }), 'fail')
})

test('a queue that was not emptied says nothing of what is lost', () => {
  assert.equal(verdictOf({ ...clean, isDrained: false }), 'unknown')
  assert.equal(verdictOf({ ...clean, isDrained: false, areEqual: false }), 'fail')
})
