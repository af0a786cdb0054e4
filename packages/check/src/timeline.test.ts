import assert from 'node:assert/strict'
import { it } from 'node:test'

import fc from 'fast-check'

import { coarsened, execute, randomOf } from './execution.fixture.ts'
import { Timeline } from './timeline.ts'

it('operations that are pending at the same time have different slots, and no more slots than that takes', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 4 }), (seed, step) => {
      const shape = { processCount: 4, keyCount: 1, operationCount: 20, openRate: 0.2 }
      const { callAt, returnAt, slot, slotCount } = new Timeline(
        coarsened(execute(shape, randomOf(seed)), step),
      )
      let most = 0
      for (const now of callAt) {
        const isPending = (_: number, each: number): boolean =>
          (callAt[each] as number) <= now && (returnAt[each] as number) >= now
        const slots = slot.filter(isPending)
        assert.equal(new Set(slots).size, slots.length)
        most = Math.max(most, slots.length)
      }
      assert.equal(slotCount, most)
    }),
  )
})
