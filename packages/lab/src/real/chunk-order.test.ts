import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NumberedOrder } from './chunk-order.ts'
import type { Chunk } from './records.ts'

const chunk = (number: number, atMs = 0): Chunk => ({ number, atMs, state: {} as never, records: [] })

describe('the order of chunks', () => {
  test('is that of their numbers, whatever they come in', () => {
    const taken: string[] = []
    const order = new NumberedOrder((node, { number }) => taken.push(`${node} ${number}`))
    order.push('n2', chunk(2))
    order.push('n1', chunk(3))
    assert.deepEqual(taken, [], 'the first is missing')
    order.push('n1', chunk(1))
    assert.deepEqual(taken, ['n1 1', 'n2 2', 'n1 3'])
    order.finish()
    assert.equal(order.gaps, 0)
  })

  test('passes over a number that its node took along when it died', () => {
    const taken: number[] = []
    const order = new NumberedOrder((_, { number }) => taken.push(number))
    order.push('n1', chunk(1))
    order.push('n1', chunk(3))
    order.finish()
    assert.deepEqual(taken, [1, 3])
    assert.equal(order.gaps, 1)
  })
})
