import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { frontOf, isNearFront, type Tradeoff } from './front.ts'

const at = (gain: number, cost: number): Tradeoff => ({ gain, cost })

test('the front holds what nothing beats, by rising gain', () => {
  const points = [at(5, 5), at(1, 1), at(4, 6), at(5, 7), at(3, 2), at(2, 2)]
  assert.deepEqual(frontOf(points), [1, 4, 0])
  assert.deepEqual(frontOf([]), [])
  assert.deepEqual(frontOf([at(1, Number.NaN), at(2, 2), at(2, 2)]), [2, 1])
})

test('every point is on the front or beaten by one that is', () => {
  const tradeoff = fc.record({ gain: fc.integer({ min: 0, max: 20 }), cost: fc.integer({ min: 0, max: 20 }) })
  fc.assert(
    fc.property(fc.array(tradeoff, { maxLength: 30 }), (points) => {
      const front = new Set(frontOf(points))
      const beats = (left: Tradeoff, right: Tradeoff): boolean =>
        left.gain >= right.gain &&
        left.cost <= right.cost &&
        (left.gain > right.gain || left.cost < right.cost)
      for (const [index, point] of points.entries()) {
        const isBeaten = points.some((other) => beats(other, point))
        assert.equal(front.has(index), !isBeaten)
      }
    }),
  )
})

test('near the front is what is beaten by no more than the margin in one of both goals', () => {
  const points = [at(100, 10), at(95, 12), at(80, 12), at(80, 10.5)]
  assert.deepEqual(
    points.map((point) => isNearFront(point, points, 0.1)),
    [true, true, false, true],
  )
})
