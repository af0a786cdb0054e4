import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { hrtimeMs } from './clock.ts'
import { Obituary } from './obituary.ts'

function afterDeathOf(error: unknown): RaftError | undefined {
  const cell = new Obituary().cell
  new Obituary(cell).write(error)
  return new Obituary(cell).error('n1')
}

describe('Obituary', () => {
  it('says nothing of a worker that died without a word', () => {
    const obituary = new Obituary()
    assert.equal(obituary.diedAtMs, undefined)
    assert.equal(obituary.error('n1'), undefined)
  })

  it('carries the instant of death on the clock of all threads', () => {
    const obituary = new Obituary()
    const beforeMs = hrtimeMs()
    obituary.write()
    assert.ok(Number(obituary.diedAtMs) >= beforeMs && Number(obituary.diedAtMs) <= hrtimeMs())
    assert.equal(obituary.error('n1'), undefined)
  })

  it('carries a RaftError with code, message and data, and only the first', () => {
    const obituary = new Obituary()
    const error = new RaftError('BUSY', 'full', { retryAfterMs: 3, limit: 'x' })
    obituary.write(error)
    obituary.write(new Error('later'))
    const read = obituary.error('n1')
    assert.deepEqual(read?.toWire(), error.toWire())
  })

  it('wraps any other error, whose stack is in the cause', () => {
    const error = new TypeError('a bug')
    const read = afterDeathOf(error)
    assert.ok(RaftError.is(read, 'NODE_UNAVAILABLE'))
    assert.match(read.message, /n1: it died of TypeError: a bug/)
    assert.equal((read.cause as Error).stack, error.stack)
  })

  it('describes what JSON cannot carry, and clips what does not fit', () => {
    const odd = [
      10n,
      () => {},
      Symbol('s'),
      Number.NaN,
      { deep: { cycle: true } },
      'x'.repeat(50_000),
      undefined,
    ]
    for (const value of odd) {
      const read = afterDeathOf(
        new RaftError('INVALID_OPTIONS', 'wrong', { field: 'f', value, expected: 'e' }),
      )
      assert.ok(RaftError.is(read, 'INVALID_OPTIONS'))
      assert.equal(read.data.field, 'f')
    }
    const long = afterDeathOf(new RaftError('PROTOCOL', 'm'.repeat(90_000), { reason: 'ü'.repeat(90_000) }))
    assert.ok(RaftError.is(long, 'PROTOCOL'))
  })

  it('tells how far a start has come, beside the words', () => {
    const obituary = new Obituary()
    assert.equal(obituary.stage, undefined)
    const inside = new Obituary(obituary.cell)
    inside.reached('opens its log, which takes a while')
    inside.reached('loads')
    assert.equal(obituary.stage, 'loads')
    inside.reached('ü'.repeat(100))
    inside.write(new Error('broken'))
    assert.equal(obituary.stage, 'ü'.repeat(32))
    assert.match(obituary.error('n1')?.message ?? '', /broken/)
  })

  it('never throws, whatever was thrown', () => {
    const hostile = Object.create(Error.prototype, {
      message: {
        get() {
          throw new Error('no')
        },
      },
    })
    for (const thrown of [null, 0, 'text', {}, Object.create(null), hostile]) {
      assert.ok(RaftError.is(afterDeathOf(thrown), 'NODE_UNAVAILABLE'))
    }
  })
})
