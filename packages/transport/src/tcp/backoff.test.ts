import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { Backoff } from './backoff.ts'

const waits = (backoff: Backoff, count: number): number[] =>
  Array.from({ length: count }, () => backoff.nextMs())

describe('waits between attempts', () => {
  const options = { initialMs: 100, factor: 1.5, maxMs: 400 }

  it('grow by the factor up to the cap, and begin anew after a success', () => {
    const backoff = new Backoff(options, () => 1)
    assert.deepEqual(waits(backoff, 6), [100, 150, 225, 337.5, 400, 400])
    backoff.reset()
    assert.deepEqual(waits(backoff, 2), [100, 150])
  })

  it('are half chance', () => {
    assert.deepEqual(waits(new Backoff(options, () => 0), 3), [50, 75, 112.5])
  })

  it('stay finite after many failures', () => {
    const backoff = new Backoff({ ...options, factor: 1e9 }, () => 1)
    assert.deepEqual(waits(backoff, 1000).slice(1), new Array(999).fill(400))
  })

  it('are refused where they make no sense', () => {
    for (const wrong of [
      { initialMs: 0 },
      { factor: 0.9 },
      { initialMs: 10, maxMs: 5 },
      { initialMs: Number.NaN },
    ]) {
      assert.throws(
        () => new Backoff(wrong, Math.random),
        (error) => RaftError.is(error, 'INVALID_OPTIONS'),
      )
    }
  })
})
