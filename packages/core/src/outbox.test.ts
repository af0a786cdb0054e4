import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from './message.ts'
import { Outbox } from './outbox.ts'

const messageTo = (to: string): Message => ({
  kind: 'heartbeatReply',
  from: 'a',
  fromIncarnation: 1,
  fromBoot: 1,
  to,
  toIncarnation: 1,
  toBoot: 1,
  term: 1,
  round: 0,
})

test('what is sent at once never meets a token', () => {
  const outbox = new Outbox(0)
  outbox.sendNow(messageTo('b'))
  assert.equal(outbox.hasAfterFlush, false)
  assert.deepEqual(outbox.takeNow(), [messageTo('b')])
  assert.deepEqual(outbox.takeNow(), [])
})

test('what waits for the flush leaves with the next token, once', () => {
  const outbox = new Outbox(0)
  outbox.sendAfterFlush(messageTo('b'))
  assert.equal(outbox.hasAfterFlush, true)
  assert.deepEqual(outbox.open(0, undefined, 0), { token: 1, messages: [messageTo('b')] })
  assert.deepEqual(outbox.open(0, undefined, 0), { token: 2, messages: [] })
  assert.deepEqual(outbox.takeNow(), [])
})

test('the token to come is known beforehand', () => {
  const outbox = new Outbox(0)
  const expected = outbox.nextToken
  assert.equal(outbox.open(0, undefined, 0).token, expected)
})

test('a completion speaks for all tokens up to it', () => {
  const outbox = new Outbox(0)
  outbox.open(3, 1, 0)
  outbox.open(5, undefined, 0)
  outbox.open(9, 2, 0)
  assert.equal(outbox.complete(2), 5)
  assert.equal(outbox.flushedTerm, 1)
  assert.equal(outbox.complete(2), 0, 'nothing new')
  assert.equal(outbox.complete(3), 9)
  assert.equal(outbox.flushedTerm, 2)
})

test('a token that was never issued is a bug', () => {
  assert.throws(() => new Outbox(0).complete(1), { name: 'InvariantError' })
})

test('ABA: the flush of an overwritten entry does not count for the new one at its index', () => {
  const outbox = new Outbox(0)
  outbox.open(5, undefined, 0) // 3, 4, 5 of an old term
  outbox.truncated(4)
  outbox.open(6, undefined, 0) // 4, 5, 6 of a new term
  assert.equal(outbox.complete(1), 3)
  assert.equal(outbox.complete(2), 6)
})

test('ABA: several persists in flight, truncated twice', () => {
  const outbox = new Outbox(0)
  outbox.open(4, undefined, 0)
  outbox.open(8, undefined, 0)
  outbox.truncated(6)
  outbox.open(7, undefined, 0)
  outbox.truncated(3)
  outbox.open(3, undefined, 0)
  assert.deepEqual(
    [1, 2, 3, 4].map((token) => outbox.complete(token)),
    [2, 2, 2, 3],
  )
})
