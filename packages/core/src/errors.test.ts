import assert from 'node:assert/strict'
import { test } from 'node:test'
import { invalidOption, invariant, RaftError, show } from './errors.ts'

test('an error keeps code, message and data across a structured clone', () => {
  const error = new RaftError('NOT_LEADER', 'not the leader', { leaderHint: 'b' })
  const found = RaftError.fromWire(structuredClone(error.toWire()))
  assert.ok(RaftError.is(found, 'NOT_LEADER'))
  assert.deepEqual([found.message, found.data.leaderHint, found.name], ['not the leader', 'b', 'RaftError'])
})

test('is() tells codes and foreign errors apart', () => {
  const error: unknown = new RaftError('TIMEOUT', 'late', { timeoutMs: 1 })
  assert.equal(RaftError.is(error, 'BUSY'), false)
  assert.equal(RaftError.is(new Error('TIMEOUT'), 'TIMEOUT'), false)
})

test('a wrong option is one line: field, value, what is expected', () => {
  assert.equal(invalidOption('a.b', 'x\ny', 'a number').message, 'a.b is "x\\ny"; expected a number')
})

test('values are shown short and on one line', () => {
  assert.equal(show('x'.repeat(500)).length < 100, true)
  assert.deepEqual(
    [show([1, 2]), show({}), show(null), show(undefined)],
    ['an array of 2', 'an object', 'null', 'undefined'],
  )
  assert.equal(
    show(() => 1),
    'a function',
  )
})

test('a broken invariant throws', () => {
  invariant(true, 'fine')
  assert.throws(() => invariant(false, 'two leaders'), { name: 'InvariantError', message: 'two leaders' })
})
