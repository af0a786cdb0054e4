import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from './random.ts'

const take = (seed: number, count: number): number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

test('the same seed gives the same numbers, another seed others', () => {
  assert.deepEqual(take(42, 50), take(42, 50))
  assert.notDeepEqual(take(42, 5), take(43, 5))
  assert.notDeepEqual(take(1, 5), take(1 + 2 ** 32, 5), 'beyond 32 bits too')
})

test('numbers are in [0, 1) and even', () => {
  const buckets = new Array<number>(10).fill(0)
  for (const number of take(7, 20_000)) {
    assert.ok(number >= 0 && number < 1)
    const bucket = Math.floor(number * 10)
    buckets[bucket] = (buckets[bucket] as number) + 1
  }
  for (const count of buckets) assert.ok(count > 1800 && count < 2200, `${buckets}`)
})

test('the sequence is fixed: recorded runs depend on it', () => {
  const first = take(1, 3).map((number) => number * 2 ** 32)
  assert.deepEqual(first, [4145660252, 2491331053, 1055157653])
})
