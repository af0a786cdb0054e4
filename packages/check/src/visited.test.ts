import assert from 'node:assert/strict'
import { it } from 'node:test'

import { VisitedConfigurations } from './visited.ts'

it('configurations are told apart by frontier, mask and state', () => {
  const visited = new VisitedConfigurations<number>(2, Object.is, 4)
  const count = 50_000
  const add = (each: number): boolean => {
    const mask = Uint32Array.of(each % 100, each % 7)
    return visited.add(Math.floor(each / 100), mask, each % 3, 0)
  }
  for (let each = 0; each < count; each++) assert.ok(add(each))
  for (let each = 0; each < count; each += 97) assert.ok(!add(each))
  assert.equal(visited.count, count)
})

it('so they are where their hashes are the same', () => {
  const visited = new VisitedConfigurations<number>(1, Object.is, 4)
  // A hash of the state that cancels what frontier and mask give to the whole.
  const add = (frontier: number, mask: number, state: number): boolean =>
    visited.add(frontier, Uint32Array.of(mask), state, Math.imul(frontier, 0x9e3779b1) ^ mask)
  assert.deepEqual([add(1, 1, 0), add(2, 1, 0), add(1, 2, 0), add(1, 1, 1)], [true, true, true, true])
  assert.deepEqual([add(1, 1, 0), add(2, 1, 0), add(1, 2, 0), add(1, 1, 1)], [false, false, false, false])
})

it('tells the states at a frontier, each once', () => {
  const visited = new VisitedConfigurations<number>(1, Object.is, 0)
  for (const state of [5, 6, 5, 7]) visited.add(1, Uint32Array.of(state), state, 0)
  visited.add(2, Uint32Array.of(1), 8, 0)
  visited.add(1, Uint32Array.of(9), 5, 0)
  assert.deepEqual(visited.statesAt(1, 8), [5, 6, 7])
  assert.deepEqual(visited.statesAt(1, 2), [5, 6])
})
