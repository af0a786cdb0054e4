import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeptResults } from './kept-results.ts'

const NULL = Uint8Array.of(0xc0)

describe('kept results', () => {
  const positionsOf = (results: KeptResults): number[] => results.all.map(({ position }) => position)

  it('give up the oldest, and one that is kept again is the newest', () => {
    const results = new KeptResults({ resultMs: 100, maxResults: 3 })
    results.keep(1, 0, 'dead', Uint8Array.of(1))
    results.keep(2, 0, 'completed', NULL)
    results.keep(1, 1, 'dead', Uint8Array.of(2))
    results.keep(3, 1, 'completed', NULL)
    assert.deepEqual(positionsOf(results), [2, 1, 3])
    results.keep(4, 1, 'completed', NULL)
    assert.deepEqual(positionsOf(results), [1, 3, 4])
    assert.deepEqual(results.find(1, 1)?.value, Uint8Array.of(2))
    results.forget(1)
    results.keep(5, 2, 'completed', NULL)
    assert.deepEqual(positionsOf(results), [3, 4, 5])
    assert.equal(results.find(1, 2), undefined)
  })

  it('end in their order, a bounded number at once, whoever is gone before', () => {
    const results = new KeptResults({ resultMs: 100, maxResults: 10_000 })
    for (let position = 1; position <= 3000; position++)
      results.keep(position, position <= 2000 ? 0 : 50, 'completed', NULL)
    for (let position = 1; position <= 100; position++) results.forget(position)
    const restored = new KeptResults({ resultMs: 100, maxResults: 10_000 })
    for (const entry of results.all) restored.restore(entry)
    for (let step = 0; step < 10; step++) {
      for (const each of [results, restored]) each.advance(100)
      assert.deepEqual(restored.all, results.all)
      assert.equal(positionsOf(results)[0], Math.min(2001, 101 + 256 * (step + 1)))
    }
    assert.equal(results.find(2000, 100), undefined)
    assert.equal(results.find(2001, 100)?.expiresMs, 150)
  })
})
