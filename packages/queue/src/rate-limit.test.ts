import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { passed, RateGate } from './rate-limit.ts'

describe('a rate', () => {
  it('lets so many pass in a window, and the next when it has ended', async () => {
    const gate = new RateGate({ max: 2, perMs: 20 })
    const { signal } = new AbortController()
    const beganMs = performance.now()
    for (let each = 0; each < 5; each++) await gate.pass(signal)
    // A bound from below: the third window has begun.
    assert.ok(performance.now() - beganMs >= 40)
  })

  it('holds nobody up whose signal is aborted', async () => {
    const gate = new RateGate({ max: 1, perMs: 3_600_000 })
    const ending = new AbortController()
    await gate.pass(ending.signal)
    const waiting = gate.pass(ending.signal)
    ending.abort()
    await waiting
    await passed(3_600_000, ending.signal)
  })

  it('is refused where it makes no sense', () => {
    for (const wrong of [
      { max: 0, perMs: 1 },
      { max: 1, perMs: 0 },
      { max: 1.5, perMs: 1 },
    ])
      assert.throws(() => new RateGate(wrong), /rate is/)
  })
})
