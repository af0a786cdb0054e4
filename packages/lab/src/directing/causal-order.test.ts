import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RunEvent } from '../events/run-event.ts'
import { CausalOrder } from './causal-order.ts'

const facts = { name: 'heartbeat', term: 1 } as const
const sent = (node: string, to: string, message: string): RunEvent => ({
  ...{ atMs: 1, kind: 'sent', node, to, message, ...facts },
})
const received = (node: string, from: string, message: string): RunEvent => ({
  ...{ atMs: 1, kind: 'received', node, from, message, ...facts },
})

function ordered(): { order: CausalOrder; told: () => string[] } {
  const events: RunEvent[] = []
  const text = (event: RunEvent): string =>
    event.kind === 'sent' || event.kind === 'received'
      ? `${event.node} ${event.kind} ${event.message}`
      : event.kind
  return { order: new CausalOrder((event) => events.push(event)), told: () => events.splice(0).map(text) }
}

describe('what nodes do', () => {
  test('is told at the end of each turn: what it received first', () => {
    const { order, told } = ordered()
    order.amid('n1', sent('n1', 'n2', '2'))
    assert.deepEqual(told(), [])
    order.turned('n1', [received('n1', 'n2', '1')], [], 1)
    assert.deepEqual(told(), ['n1 received 1', 'n1 sent 2'])
  })

  test('waits for the turns that it comes from, and keeps the order of each node', () => {
    const { order, told } = ordered()
    order.amid('n1', sent('n1', 'n2', '1'))
    order.amid('n2', sent('n2', 'n3', '2'))
    order.turned('n2', [received('n2', 'n1', '1')], [], 1)
    order.turned('n3', [received('n3', 'n2', '2')], [], 2)
    order.amid('n2', sent('n2', 'n4', '3'))
    order.turned('n2', [], [], 3)
    order.turned('n4', [received('n4', 'n5', '9')], [], 4)
    assert.deepEqual(told(), ['n4 received 9'])
    order.turned('n1', [received('n1', 'n9', '0')], [], 5)
    assert.deepEqual(told(), [
      ...['n1 received 0', 'n1 sent 1', 'n2 received 1', 'n2 sent 2'],
      ...['n3 received 2', 'n2 sent 3'],
    ])
  })

  test('does not wait for ever for a node that stands still', () => {
    const { order, told } = ordered()
    order.amid('n1', sent('n1', 'n2', '1'))
    order.turned('n2', [received('n2', 'n1', '1')], [], 10)
    order.turned('n3', [], [], 30)
    assert.deepEqual(told(), [])
    order.turned('n3', [], [], 31)
    assert.deepEqual(told(), ['n1 sent 1', 'n2 received 1'])
    order.turned('n1', [received('n1', 'n9', '0')], [], 500)
    order.amid('n1', sent('n1', 'n2', '4'))
    order.flush()
    assert.deepEqual(told(), ['n1 received 0', 'n1 sent 4'])
  })
})
