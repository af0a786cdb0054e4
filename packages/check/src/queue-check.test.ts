import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { History } from './history.ts'
import { checkQueue, type QueueCheckResult, type QueueInput, type QueueOutput } from './queue-check.ts'

type QueueHistory = History<QueueInput<string>, QueueOutput<string>>

const enqueue = (value: string): QueueInput<string> => ({ op: 'enqueue', value })
const ack = (value: string): QueueInput<string> => ({ op: 'ack', value })
const dequeue: QueueInput<string> = { op: 'dequeue' }

/** Checks what `record` records; drained unless said. */
function check(record: (history: QueueHistory) => void, isDrained = true): QueueCheckResult<string> {
  const history: QueueHistory = new History()
  record(history)
  return checkQueue(history.operations(), { isDrained })
}

describe('the queue check', () => {
  it('passes when all that went in came out', () => {
    const result = check((history) => {
      for (const value of ['a', 'b', 'c']) history.invoke(0, enqueue(value)).ok(undefined)
      history.invoke(1, dequeue).ok(['b', 'a'])
      history.invoke(1, ack('a')).ok(undefined)
      history.invoke(1, dequeue).ok(['c'])
      history.invoke(1, dequeue).ok([])
    })
    assert.deepEqual(result, {
      verdict: 'pass',
      attemptedCount: 3,
      acknowledgedCount: 3,
      deliveredCount: 3,
      duplicateCount: 0,
      lost: [],
      remaining: [],
      unexpected: [],
      redeliveredAfterAck: [],
      recovered: [],
    })
  })

  it('finds what is lost, if the queue was drained', () => {
    const record = (history: QueueHistory): void => {
      history.invoke(0, enqueue('a')).ok(undefined)
      history.invoke(0, enqueue('open')).open()
      history.invoke(0, enqueue('failed')).fail()
      history.invoke(1, dequeue).ok([])
    }
    const drained = check(record)
    assert.equal(drained.verdict, 'fail')
    assert.deepEqual(drained.lost, ['a'])
    const undrained = check(record, false)
    assert.equal(undrained.verdict, 'unknown')
    assert.deepEqual(undrained.lost, [])
    assert.deepEqual(undrained.remaining, ['a'])
  })

  it('finds what nobody put in', () => {
    const result = check((history) => {
      history.invoke(0, enqueue('failed')).fail()
      history.invoke(1, dequeue).ok(['failed', 'ghost', 'early'])
      history.invoke(0, enqueue('early')).ok(undefined)
    }, false)
    assert.equal(result.verdict, 'fail')
    assert.deepEqual(result.unexpected, ['failed', 'ghost', 'early'])
  })

  it('counts what open enqueues did after all', () => {
    const result = check((history) => {
      const pending = history.invoke(0, enqueue('a'))
      history.invoke(0, enqueue('b')).open()
      history.invoke(1, dequeue).ok(['a', 'b'])
      pending.open()
    })
    assert.equal(result.verdict, 'pass')
    assert.deepEqual(result.recovered, ['a', 'b'])
  })

  it('allows redeliveries until the ack has returned', () => {
    const result = check((history) => {
      history.invoke(0, enqueue('a')).ok(undefined)
      history.invoke(1, dequeue).ok(['a'])
      history.invoke(2, dequeue).ok(['a'])
      const beside = history.invoke(2, dequeue)
      history.invoke(1, ack('a')).ok(undefined)
      beside.ok(['a'])
    })
    assert.equal(result.verdict, 'pass')
    assert.equal(result.duplicateCount, 2)
  })

  it('finds redeliveries after an ack, but not after one that may not have happened', () => {
    const record = (end: 'ok' | 'open') =>
      check((history) => {
        history.invoke(0, enqueue('a')).ok(undefined)
        history.invoke(1, dequeue).ok(['a'])
        const pending = history.invoke(1, ack('a'))
        if (end === 'ok') pending.ok(undefined)
        else pending.open()
        history.invoke(2, dequeue).ok(['a'])
      })
    assert.equal(record('ok').verdict, 'fail')
    assert.deepEqual(record('ok').redeliveredAfterAck, ['a'])
    assert.equal(record('open').verdict, 'pass')
  })

  it('refuses values that are not unique', () => {
    assert.throws(() =>
      check((history) => {
        history.invoke(0, enqueue('a')).ok(undefined)
        history.invoke(0, enqueue('a')).ok(undefined)
      }),
    )
  })
})
