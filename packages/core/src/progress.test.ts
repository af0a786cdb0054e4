import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Progress } from './progress.ts'

const progressAt = (next: number, messages = 3, bytes = 100): Progress =>
  new Progress(1, next, 0, messages, bytes)

function replicating(match: number, messages = 3, bytes = 100): Progress {
  const progress = progressAt(match + 1, messages, bytes)
  progress.accepted(match)
  return progress
}

test('a probe sends one append and waits for its answer', () => {
  const progress = progressAt(5)
  assert.equal(progress.canSend, true)
  progress.sent(7, 30)
  assert.equal(progress.canSend, false)
  assert.equal(progress.next, 5, 'nothing is taken for granted')
})

test('an accepted probe begins to replicate from what matches', () => {
  const progress = progressAt(5)
  progress.sent(7, 30)
  assert.equal(progress.accepted(7), true)
  assert.deepEqual([progress.state, progress.match, progress.next], ['replicate', 7, 8])
})

test('a probe is refused only by the answer to the append that is out', () => {
  const progress = progressAt(9)
  progress.sent(9, 1)
  assert.equal(progress.refused(5, 3), false, 'a stale refusal')
  assert.equal(progress.canSend, false)
  assert.equal(progress.refused(8, 4), true)
  assert.deepEqual([progress.next, progress.canSend], [5, true])
})

test('the hint never moves next forwards, nor to what matches already', () => {
  const progress = progressAt(9)
  progress.refused(8, 100)
  assert.equal(progress.next, 8)
  progress.match = 6
  progress.refused(7, 0)
  assert.equal(progress.next, 7)
})

test('the window is bounded in messages', () => {
  const progress = replicating(0, 2)
  progress.sent(1, 1)
  assert.equal(progress.canSend, true)
  progress.sent(2, 1)
  assert.equal(progress.canSend, false)
  progress.accepted(1)
  assert.deepEqual([progress.inflightMessages, progress.canSend], [1, true])
})

test('the window is bounded in bytes', () => {
  const progress = replicating(0, 10, 100)
  progress.sent(1, 60)
  assert.equal(progress.canSend, true)
  progress.sent(2, 60)
  assert.deepEqual([progress.inflightBytes, progress.canSend], [120, false])
  progress.accepted(2)
  assert.deepEqual([progress.inflightBytes, progress.canSend], [0, true])
})

test('an acknowledgement releases all appends up to it, and none that it covers in part', () => {
  const progress = replicating(0, 10, 1000)
  progress.sent(3, 10)
  progress.sent(6, 10)
  progress.sent(9, 10)
  progress.accepted(8)
  assert.deepEqual([progress.inflightMessages, progress.match, progress.next], [1, 8, 10])
})

test('a refusal while replicating empties the window and probes below it', () => {
  const progress = replicating(4, 10, 1000)
  progress.sent(6, 10)
  progress.sent(8, 10)
  assert.equal(progress.refused(8, 5), true)
  assert.deepEqual([progress.state, progress.next, progress.match], ['probe', 6, 4])
  assert.deepEqual([progress.inflightMessages, progress.inflightBytes], [0, 0])
})

test('a refusal of what was accepted since is stale', () => {
  const progress = replicating(4)
  assert.equal(progress.refused(4, 2), false)
  assert.deepEqual([progress.state, progress.next], ['replicate', 5])
})

test('match never goes back and stays below next, bytes in flight add up, whatever comes', () => {
  const event = fc.record({
    kind: fc.constantFrom('sent', 'accepted', 'refused', 'probe'),
    a: fc.nat(20),
    b: fc.nat(20),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(event, { maxLength: 60 }), (next, events) => {
      const progress = progressAt(next)
      let last = next + 40
      for (const { kind, a, b } of events) {
        const before = progress.match
        if (kind === 'sent' && progress.canSend)
          progress.sent(Math.max(progress.next, Math.min(last++, 60)), a)
        if (kind === 'accepted') progress.accepted(a)
        if (kind === 'refused') progress.refused(a, b)
        if (kind === 'probe') progress.becomeProbe()
        assert.ok(progress.match >= before)
        assert.ok(progress.next > progress.match)
        assert.ok(progress.inflightMessages <= 3 && progress.inflightBytes < 100 + 20)
        if (progress.inflightMessages === 0) assert.equal(progress.inflightBytes, 0)
        if (progress.state === 'probe') assert.equal(progress.inflightMessages, 0)
      }
    }),
  )
})
