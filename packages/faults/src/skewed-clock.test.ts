import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { clockFault, HandTime } from './faults.fixture.ts'
import { SkewedClock } from './skewed-clock.ts'
import type { ClockEffect } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 500

function skewed(mayRunBackwards = false) {
  const time = new HandTime()
  time.advanceTo(1000)
  return { time, clock: new SkewedClock(time, { mayRunBackwards }) }
}

describe('a skewed clock', () => {
  it('without faults is the clock inside', () => {
    const { time, clock } = skewed()
    assert.equal(clock.nowMs(), 1000)
    time.advanceTo(1234.5)
    assert.equal(clock.nowMs(), 1234.5)
    assert.equal(clock.trueMsOf(1300), 1300)
    assert.equal(clock.trueMsOf(1100), 1234.5)
  })

  it('runs at a rate, and keeps what that has made when it is healed', () => {
    const { time, clock } = skewed()
    clock.add(1, { mode: 'rate', rate: 1.5 })
    time.advanceTo(1100)
    assert.equal(clock.nowMs(), 1150)
    assert.equal(clock.trueMsOf(1300), 1200)
    clock.add(2, { mode: 'rate', rate: 2 })
    time.advanceTo(1200)
    assert.equal(clock.nowMs(), 1450)
    clock.remove(1)
    clock.remove(2)
    clock.remove(2)
    time.advanceTo(1300)
    assert.equal(clock.nowMs(), 1550)
  })

  it('strobes there and back again; one that may not run backwards stands still after each jump back', () => {
    const readings = (mayRunBackwards: boolean): number[] => {
      const { time, clock } = skewed(mayRunBackwards)
      clock.add(1, { mode: 'strobe', byMs: 200, everyMs: 10 })
      return [1009, 1010, 1019, 1020, 1030].map((trueMs) => {
        time.advanceTo(trueMs)
        return clock.nowMs()
      })
    }
    assert.deepEqual(readings(true), [1009, 1210, 1219, 1020, 1230])
    assert.deepEqual(readings(false), [1009, 1210, 1219, 1219, 1230])
  })

  it('jumps ahead at once; back it stands still until it has caught up, or is settled', () => {
    const { time, clock } = skewed()
    clock.add(1, { mode: 'bump', byMs: 287_000 })
    assert.equal(clock.nowMs(), 288_000)
    clock.add(2, { mode: 'bump', byMs: -500 })
    time.advanceTo(1499)
    assert.equal(clock.nowMs(), 288_000)
    assert.equal(clock.trueMsOf(288_010), 1510)
    time.advanceTo(1510)
    assert.equal(clock.nowMs(), 288_010)
    clock.add(3, { mode: 'bump', byMs: -10_000 })
    assert.equal(clock.settle(), true)
    assert.equal(clock.settle(), false)
    time.advanceTo(1520)
    assert.equal(clock.nowMs(), 288_020)
  })

  it('runs backwards where it is told that it may', () => {
    const { clock } = skewed(true)
    clock.add(1, { mode: 'bump', byMs: -600 })
    assert.equal(clock.nowMs(), 400)
    clock.settle()
    assert.equal(clock.nowMs(), 400)
  })

  it('steps again and again, in its own beat, whatever else changes', () => {
    const { time, clock } = skewed()
    clock.add(1, { mode: 'step', byMs: 1000, everyMs: 100 })
    time.advanceTo(1060)
    clock.add(2, { mode: 'rate', rate: 1 })
    clock.add(3, { mode: 'bump', byMs: 0 })
    time.advanceTo(1099)
    assert.equal(clock.nowMs(), 1099)
    assert.equal(clock.trueMsOf(5000), 1100)
    time.advanceTo(1100)
    assert.equal(clock.nowMs(), 2100)
    time.advanceTo(1350)
    assert.equal(clock.nowMs(), 4350)
    clock.remove(1)
    time.advanceTo(1500)
    assert.equal(clock.nowMs(), 4500)
  })

  it('never runs backwards, and tells when to look again without missing a deadline, under any faults', () => {
    const effect = clockFault.map((fault) => fault as unknown as ClockEffect)
    const step = fc.record({ effect, passes: fc.nat(1000), removed: fc.nat(20), wait: fc.nat(5000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { time, clock } = skewed()
        let lastMs = clock.nowMs()
        for (const [id, { effect, passes, removed, wait }] of steps.entries()) {
          clock.add(id, effect)
          clock.remove(removed)
          if (passes % 7 === 0) clock.settle()
          time.advanceTo(time.nowMs() + passes)
          const nowMs = clock.nowMs()
          assert.ok(nowMs >= lastMs)
          const deadlineMs = nowMs + wait
          const lookMs = clock.trueMsOf(deadlineMs)
          assert.ok(lookMs >= time.nowMs())
          if (lookMs > time.nowMs() + 1) {
            time.advanceTo(time.nowMs() + (lookMs - time.nowMs()) * 0.999)
            const early = clock.nowMs()
            assert.ok(early <= deadlineMs + 1e-6 * (1 + Math.abs(deadlineMs)), `${early} > ${deadlineMs}`)
          }
          lastMs = clock.nowMs()
        }
      }),
      { numRuns },
    )
  })
})
