import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GroupReport } from './queue-report.ts'
import { resolveScaling, wantedOf } from './scaling.ts'

const scaling = resolveScaling({ min: 2, max: 10, targetDepth: 100, targetAgeMs: 5000 })
const group = (ready: number, oldestAgeMs?: number, consumers = 1): GroupReport =>
  ({ ready, oldestAgeMs, consumers }) as GroupReport

describe('scaling', () => {
  it('wants a handler for each part of the depth, within its bounds', () => {
    assert.deepEqual(
      [0, 100, 301, 100_000].map((ready) => wantedOf(2, group(ready), scaling)),
      [2, 2, 4, 10],
    )
  })

  it('shares the depth with the other consumers', () => {
    assert.equal(wantedOf(2, group(900, undefined, 3), scaling), 3)
  })

  it('shrinks by one, and grows where something waits for long', () => {
    assert.equal(wantedOf(8, group(0), scaling), 7)
    assert.equal(wantedOf(3, group(1, 5001), scaling), 4)
    assert.equal(wantedOf(3, group(1, 5000), scaling), 2)
  })

  it('is one number where it is told one, and refuses what makes no sense', () => {
    assert.deepEqual([resolveScaling(3).min, resolveScaling(3).max], [3, 3])
    for (const wrong of [0, 1.5, { max: 0 }, { min: 2, max: 1 }, { max: 2, targetDepth: 0 }])
      assert.throws(() => resolveScaling(wrong), /concurrency is/)
  })
})
