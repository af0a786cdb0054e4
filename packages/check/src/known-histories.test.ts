/** Histories that a person can decide, in the way of those that other checkers are shown with. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HistoryReader } from './history-reader.ts'
import { findModel } from './named-models.ts'
import type { CheckReport } from './report.ts'

function check(name: string, history: string): CheckReport {
  const model = findModel(name)
  assert.ok(model)
  const reader = new HistoryReader(model)
  for (const line of history.trim().split('\n')) reader.line(line.trim())
  return model.check(reader.end().operations)
}

/** Line of the invocation whose response ends the shortest prefix; undefined where it passes. */
function flawOf(name: string, history: string): number | undefined {
  const { verdict, failure } = check(name, history)
  assert.equal(verdict, failure === undefined ? 'pass' : 'fail')
  assert.ok(failure?.isShortest !== false)
  return failure?.operations.find(({ role }) => role === 'blocked')?.line
}

const known: readonly (readonly [says: string, model: string, history: string, flaw: number | undefined])[] =
  [
    [
      'readers may see a write that is under way, each at its own time',
      'register',
      `0 :invoke :write 100
     1 :invoke :read nil
     2 :invoke :read nil
     2 :ok :read nil
     1 :ok :read 100
     0 :ok :write 100`,
      undefined,
    ],
    [
      'once a reader has seen it, nobody is without it',
      'register',
      `0 :invoke :write 100
     1 :invoke :read nil
     1 :ok :read 100
     2 :invoke :read nil
     2 :ok :read nil
     0 :ok :write 100`,
      4,
    ],
    [
      'a write that timed out may come late',
      'cas-register',
      `0 :invoke :write 1
     0 :info :write :timed-out
     1 :invoke :read nil
     1 :ok :read nil
     1 :invoke :cas [1 2]
     1 :ok :cas [1 2]
     2 :invoke :read nil
     2 :ok :read 2`,
      undefined,
    ],
    [
      'but only once',
      'cas-register',
      `0 :invoke :write 1
     0 :info :write :timed-out
     1 :invoke :cas [1 2]
     1 :ok :cas [1 2]
     2 :invoke :cas [1 3]
     2 :ok :cas [1 3]`,
      5,
    ],
    [
      'what failed did not happen',
      'cas-register',
      `0 :invoke :write 1
     0 :fail :write 1
     1 :invoke :read nil
     1 :ok :read 1`,
      3,
    ],
    [
      'the same value may be written twice, and be seen between',
      'register',
      `1 :invoke :write 0
     1 :ok :write 0
     2 :invoke :read nil
     0 :invoke :write 2
     3 :invoke :write 0
     0 :ok :write 2
     2 :ok :read 2
     3 :ok :write 0
     0 :invoke :read nil
     0 :ok :read 0`,
      undefined,
    ],
    [
      'a counter has whatever of the pending additions fits, also those that timed out',
      'counter',
      `0 :invoke :add 5
     1 :invoke :add 3
     2 :invoke :add -2
     2 :info :add :timed-out
     3 :invoke :read nil
     3 :ok :read 1
     0 :ok :add 5
     3 :invoke :read nil
     3 :ok :read 6
     1 :ok :add 3`,
      undefined,
    ],
    [
      'and no sum that none of them gives, within the bounds as it may be',
      'counter',
      `0 :invoke :add 5
     1 :invoke :add 3
     3 :invoke :read nil
     3 :ok :read 4
     0 :ok :add 5
     1 :ok :add 3`,
      3,
    ],
    [
      'a lock is held by one',
      'lock',
      `0 :invoke :acquire nil
     0 :ok :acquire 1
     1 :invoke :acquire nil
     0 :invoke :release 1
     1 :ok :acquire 2
     0 :ok :release 1
     1 :invoke :release 2
     1 :ok :release 2`,
      undefined,
    ],
    [
      'or by somebody who never heard of it, with a token between',
      'lock',
      `0 :invoke :acquire nil
     0 :info :acquire :timed-out
     1 :invoke :acquire nil
     1 :ok :acquire 1
     1 :invoke :expire nil
     1 :ok :expire nil
     2 :invoke :acquire nil
     2 :ok :acquire 3`,
      undefined,
    ],
    [
      'but tokens do not come back',
      'lock',
      `0 :invoke :acquire nil
     0 :ok :acquire 4
     1 :invoke :expire nil
     1 :ok :expire nil
     2 :invoke :acquire nil
     2 :ok :acquire 4`,
      5,
    ],
    [
      'and nobody gives back what another one holds',
      'lock',
      `0 :invoke :acquire nil
     0 :ok :acquire 1
     1 :invoke :release nil
     1 :ok :release nil`,
      3,
    ],
    [
      'a queue keeps the order, and may give a value to a dequeue that timed out',
      'fifo-queue',
      `0 :invoke :enqueue 1
     0 :ok :enqueue 1
     0 :invoke :enqueue 2
     0 :ok :enqueue 2
     1 :invoke :dequeue nil
     1 :info :dequeue :timed-out
     2 :invoke :dequeue nil
     2 :ok :dequeue 2
     2 :invoke :dequeue nil
     2 :ok :dequeue nil`,
      undefined,
    ],
    [
      'but not two to one',
      'fifo-queue',
      `0 :invoke :enqueue 1
     0 :ok :enqueue 1
     0 :invoke :enqueue 2
     0 :ok :enqueue 2
     1 :invoke :dequeue nil
     1 :info :dequeue :timed-out
     2 :invoke :dequeue nil
     2 :ok :dequeue nil`,
      7,
    ],
  ]

describe('known histories', () => {
  for (const [says, model, history, flaw] of known) {
    it(`${model}: ${says}`, () => assert.equal(flawOf(model, history), flaw))
  }
})
