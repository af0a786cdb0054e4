import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChurnSchedule, minority } from './churn-schedule.ts'

const pauses = { minPauseMs: 10, maxPauseMs: 50 }

test('never has more nodes down than it may, and crashes only what runs', () => {
  const plans = fc.record({
    nodes: fc.integer({ min: 2, max: 9 }),
    seed: fc.nat(),
    share: fc.double({ min: 0, max: 1 }),
  })
  fc.assert(
    fc.property(plans, ({ nodes, seed, share }) => {
      const ids = Array.from({ length: nodes }, (_, index) => `n${index}`)
      const maxDown = Math.max(1, Math.round(share * nodes) || 1)
      const schedule = new ChurnSchedule(ids, { ...pauses, maxDown }, seed)
      const down = new Set<string>()
      for (let step = 0; step < 200; step++) {
        const { afterMs, kind, id } = schedule.next()
        assert.ok(afterMs >= 10 && afterMs <= 50)
        assert.equal(down.has(id), kind === 'restart')
        if (kind === 'crash') down.add(id)
        else down.delete(id)
        assert.ok(down.size <= maxDown)
        assert.deepEqual([...down].sort(), [...schedule.down].sort())
      }
    }),
  )
})

test('crashes every node sooner or later', () => {
  const schedule = new ChurnSchedule(['a', 'b', 'c'], { ...pauses, maxDown: 1 }, 5)
  const crashed = new Set<string>()
  for (let step = 0; step < 100; step++) crashed.add(schedule.next().id)
  assert.equal(crashed.size, 3)
})

test('is the same for the same seed', () => {
  const steps = (seed: number) => {
    const schedule = new ChurnSchedule(['a', 'b', 'c'], { ...pauses, maxDown: 3 }, seed)
    return Array.from({ length: 20 }, () => schedule.next())
  }
  assert.deepEqual(steps(7), steps(7))
  assert.notDeepEqual(steps(7), steps(8))
})

test('a minority leaves a quorum', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 7].map(minority), [0, 0, 1, 1, 2, 3])
})
