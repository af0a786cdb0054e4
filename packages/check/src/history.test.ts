import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { History } from './history.ts'

describe('a history', () => {
  it('keeps the order of calls and returns', () => {
    const history = new History<string, number>()
    const first = history.invoke(0, 'a')
    const second = history.invoke(1, 'b')
    second.ok(7)
    first.ok(8)
    assert.deepEqual(history.operations(), [
      { process: 0, input: 'a', output: 8, callAt: 0, returnAt: 3, outcome: 'ok' },
      { process: 1, input: 'b', output: 7, callAt: 1, returnAt: 2, outcome: 'ok' },
    ])
  })

  it('drops what certainly failed, and keeps open what may have happened', () => {
    const history = new History<string, undefined>()
    history.invoke(0, 'failed').fail()
    history.invoke(0, 'timed out').open()
    history.invoke(0, 'never heard of again')
    assert.deepEqual(
      history.operations().map(({ input, outcome, returnAt }) => [input, outcome, returnAt]),
      [
        ['timed out', 'open', Number.POSITIVE_INFINITY],
        ['never heard of again', 'open', Number.POSITIVE_INFINITY],
      ],
    )
    assert.equal(history.operationCount, 3)
  })

  it('takes its numbers from a clock, or from the caller', () => {
    let now = 10
    const history = new History<string, undefined>(() => now)
    const operation = history.invoke(0, 'a')
    now = 12
    operation.ok(undefined)
    history.invoke(0, 'b', 20).ok(undefined, 25)
    assert.deepEqual(
      history.operations().map(({ callAt, returnAt }) => [callAt, returnAt]),
      [
        [10, 12],
        [20, 25],
      ],
    )
  })

  it('refuses two ends of one operation, an end before the call, and numbers that are none', () => {
    const history = new History<string, undefined>()
    const operation = history.invoke(0, 'a', 5)
    assert.throws(() => operation.ok(undefined, 4), RangeError)
    assert.throws(() => operation.ok(undefined, Number.POSITIVE_INFINITY), RangeError)
    operation.open(6)
    assert.throws(() => operation.ok(undefined, 7), /has ended before/)
    assert.throws(() => history.invoke(0, 'b', Number.NaN), RangeError)
  })

  it('survives being written, one line for each event', () => {
    const history = new History<unknown, unknown>()
    const first = history.invoke(0, ['cas', 'k', undefined, Uint8Array.of(1, 2)])
    history.invoke(1, { op: 'get' }).ok(undefined)
    history.invoke(2, null).fail()
    history.invoke(3, 1).open()
    history.invoke(4, 2)
    first.ok(true)
    const text = history.stringify()
    assert.equal(text.split('\n').length, history.events.length + 1)
    const again = History.parse(text)
    assert.deepStrictEqual(again.events, history.events)
    assert.deepStrictEqual(again.operations(), history.operations())
  })

  it('names the line that it cannot read', () => {
    const call = '{"type":"call","id":0,"at":0,"process":0,"input":1}\n'
    for (const line of [
      '{',
      'null',
      '{"type":"ok","id":1,"at":1}',
      '{"type":"boom","id":0,"at":1}',
      '{"type":"call","id":2,"at":1,"process":0}',
      '{"type":"call","id":1,"at":1}',
      '{"type":"ok","id":0,"at":-1}',
    ]) {
      assert.throws(() => History.parse(`${call}\n${line}\n`), /^SyntaxError: line 3 /, line)
    }
  })
})
