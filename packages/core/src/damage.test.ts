import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Damage } from './damage.ts'
import type { IndexRange } from './types.ts'

/** Ascending ranges of 1 to 30 that do not touch each other. */
const someDamage = fc.uniqueArray(fc.integer({ min: 1, max: 30 })).map(rangesOf)

function rangesOf(indexes: readonly number[]): IndexRange[] {
  const ranges: { from: number; to: number }[] = []
  for (const index of [...indexes].sort((left, right) => left - right)) {
    const last = ranges.at(-1)
    if (last?.to === index - 1) last.to = index
    else ranges.push({ from: index, to: index })
  }
  return ranges
}

const indexes = Array.from({ length: 32 }, (_, index) => index)
const damagedIn = (damage: Damage): number[] => indexes.filter((index) => damage.includes(index))

test('it is a set of indexes: mended one by one, cut at both ends', () => {
  const step = fc.record({ kind: fc.constantFrom('mend', 'keep'), a: fc.nat(31), b: fc.nat(31) })
  fc.assert(
    fc.property(someDamage, fc.array(step, { maxLength: 20 }), (ranges, steps) => {
      const damage = new Damage(ranges)
      let model = new Set(damagedIn(damage))
      for (const { kind, a, b } of steps) {
        if (kind === 'mend') {
          damage.mend(a)
          model.delete(a)
        } else {
          damage.keepOnly(Math.min(a, b), Math.max(a, b))
          model = new Set([...model].filter((index) => index >= Math.min(a, b) && index <= Math.max(a, b)))
        }
        assert.deepEqual(damage.ranges, rangesOf([...model]))
        assert.deepEqual([damage.isEmpty, damage.first], [model.size === 0, rangesOf([...model])[0]])
      }
    }),
  )
})

test('the highest sound index is the nearest one below that is not damaged', () => {
  fc.assert(
    fc.property(someDamage, fc.nat(31), (ranges, index) => {
      const damage = new Damage(ranges)
      let expected = index
      while (damage.includes(expected)) expected--
      assert.equal(damage.soundAtMost(index), expected)
    }),
  )
})

test('what it was made of is not changed', () => {
  const ranges = [{ from: 2, to: 4 }]
  const damage = new Damage(ranges)
  damage.mend(3)
  assert.deepEqual(ranges, [{ from: 2, to: 4 }])
  assert.deepEqual(damage.ranges, [
    { from: 2, to: 2 },
    { from: 4, to: 4 },
  ])
})
