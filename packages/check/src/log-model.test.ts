import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { History } from './history.ts'
import { checkLinearizability } from './linearizability.ts'
import { type LogInput, type LogOutput, type LogState, logModel } from './log-model.ts'

const append = (record: unknown): LogInput => ({ op: 'append', record })

/** A log of these records. */
function logOf(...records: unknown[]): LogState {
  return records.reduce<LogState>(
    (state, record) => logModel.step(state, append(record), undefined, true) ?? state,
    logModel.initial,
  )
}

describe('the model of a log', () => {
  const state = logOf('a', 'b', 'c')

  it('gives records the next position', () => {
    assert.ok(logModel.step(state, append('d'), 3, false))
    assert.equal(logModel.step(state, append('d'), 2, false), undefined)
    assert.equal(logModel.step(state, append('d'), 4, false), undefined)
  })

  it('answers reads from a position on', () => {
    const fits = (from: number, limit: number, ...readings: [number, string][]): boolean => {
      const output = readings.map(([position, record]) => ({ position, record }))
      return logModel.step(state, { op: 'read', from, limit }, output, false) === state
    }
    assert.ok(fits(0, 9, [0, 'a'], [1, 'b'], [2, 'c']))
    assert.ok(fits(0, 2, [0, 'a'], [1, 'b']))
    assert.ok(fits(2, 2, [2, 'c']))
    assert.ok(fits(3, 2))
    assert.ok(!fits(0, 2))
    assert.ok(!fits(0, 2, [0, 'a']), 'too few')
    assert.ok(!fits(1, 9, [0, 'a'], [1, 'b'], [2, 'c']), 'from before')
    assert.ok(!fits(0, 2, [0, 'a'], [1, 'c']), 'another record')
    assert.ok(!fits(0, 2, [0, 'a'], [2, 'c']), 'a gap')
    assert.ok(!fits(2, 2, [2, 'c'], [3, 'd']), 'a record too many')
    assert.ok(fits(0, 2, [1, 'b'], [2, 'c']), 'the oldest is forgotten')
  })

  it('compares logs by their records', () => {
    assert.ok(logModel.equal?.(logOf('a', 'b'), logOf('a', 'b')))
    assert.ok(!logModel.equal?.(logOf('a', 'b'), logOf('b', 'b')))
    assert.ok(!logModel.equal?.(logOf('a'), logOf('a', 'b')))
  })

  it('finds a record that went missing', () => {
    const history = new History<LogInput, LogOutput>()
    const first = history.invoke(0, append('a'))
    const second = history.invoke(1, append('b'))
    second.ok(0)
    first.ok(1)
    const lost = history.invoke(2, append('c'))
    history.invoke(0, { op: 'read', from: 0, limit: 9 }).ok([
      { position: 0, record: 'b' },
      { position: 1, record: 'a' },
    ])
    assert.equal(checkLinearizability(logModel, history.operations()).verdict, 'pass')
    lost.ok(2)
    history.invoke(0, append('d')).ok(2)
    assert.equal(checkLinearizability(logModel, history.operations()).verdict, 'fail')
  })
})
