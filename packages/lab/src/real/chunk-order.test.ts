import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NumberedOrder } from './chunk-order.ts'
import type { Chunk } from './records.ts'

const chunk = (number: number, atMs = 0): Chunk => ({ number, atMs, state: {} as never, records: [] })

/** An order, and what it has handed out: `n1 3` is chunk 3, of n1. */
function started() {
  const taken: string[] = []
  const order = new NumberedOrder(
    (node, { number }) => taken.push(`${node} ${number}`),
    (node) => taken.push(`${node} is late`),
  )
  const die = (node: string, drawn: number): void =>
    order.ended(node, drawn, () => taken.push(`${node} died`))
  return { taken, order, die }
}

describe('the order of chunks', () => {
  test('is that of their numbers, whatever they come in', () => {
    const { taken, order } = started()
    order.push('n2', chunk(2))
    order.push('n1', chunk(3))
    assert.deepEqual(taken, [], 'the first is missing')
    order.push('n1', chunk(1))
    assert.deepEqual(taken, ['n1 1', 'n2 2', 'n1 3'])
    order.finish()
    assert.equal(order.gaps, 0)
  })

  test('waits for a node that lives, however slow it is', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
    const { taken, order, die } = started()
    order.push('n1', chunk(1))
    order.push('n2', chunk(2))
    die('n3', 2)
    order.push('n1', chunk(4))
    t.mock.timers.tick(60_000)
    assert.deepEqual(taken, ['n1 1', 'n2 2', 'n3 died'], 'nobody has died since the third was drawn')
    order.push('n2', chunk(3))
    order.push('n2', chunk(5))
    assert.deepEqual(taken.slice(3), ['n2 3', 'n1 4', 'n2 5'])
  })

  test('passes over a number that its node took along when it died, once nobody else can have it', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
    const { taken, order, die } = started()
    for (const [at, node] of ['n1', 'n2', 'n3'].entries()) order.push(node, chunk(at + 1))
    order.push('n1', chunk(5))
    die('n3', 5)
    t.mock.timers.tick(1000)
    assert.deepEqual(taken, ['n1 1', 'n2 2', 'n3 3'], 'the fourth may be of the second node')
    order.push('n2', chunk(6))
    t.mock.timers.tick(1000)
    assert.deepEqual(taken.slice(3), ['n1 5', 'n3 died', 'n2 6'])
    assert.equal(order.gaps, 1)
  })

  test('passes over it in the end too where another node stands still, and says so should that have had it', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] })
    const { taken, order, die } = started()
    order.push('n1', chunk(1))
    order.push('n2', chunk(2))
    order.push('n1', chunk(4))
    die('n3', 4)
    t.mock.timers.tick(10_000)
    assert.deepEqual(taken, ['n1 1', 'n2 2', 'n1 4', 'n3 died'])
    order.push('n2', chunk(3))
    assert.equal(taken.at(-1), 'n2 is late')
  })

  test('has what has arrived meanwhile before it passes over anything', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { taken, order, die } = started()
    order.push('n1', chunk(1))
    order.push('n1', chunk(3))
    die('n3', 3)
    t.mock.timers.tick(60_000)
    order.push('n2', chunk(2))
    assert.deepEqual(taken, ['n1 1', 'n2 2', 'n1 3', 'n3 died'])
  })

  test('ends with what is there, but not beyond what a node has not told of yet', () => {
    const { taken, order, die } = started()
    order.push('n1', chunk(1))
    order.push('n1', chunk(3))
    die('n2', 4)
    order.push('n1', chunk(5))
    order.finish()
    assert.deepEqual(taken, ['n1 1', 'n1 3', 'n2 died', 'n1 5'])
    assert.equal(order.gaps, 2)
    order.push('n1', chunk(7))
    order.finish()
    assert.equal(taken.length, 4)
  })
})
