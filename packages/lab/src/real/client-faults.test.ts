import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ClientLink, ClientLinkEvents } from '@troupe/cluster'
import { seededRandom } from '@troupe/core'
import { ClientFaults } from './client-faults.ts'

/** A connection of client c1 to n1 that keeps what is sent over it. */
function connected(faults: ClientFaults) {
  const sent: number[] = []
  const received: number[] = []
  const closed: string[] = []
  let inside: ClientLinkEvents | undefined
  let outside: ClientLink | undefined
  const links = faults.between('c1', {
    ...{ nodes: ['n1'], durability: undefined },
    start: (events) => (inside = events),
    close: () => {},
  })
  links.start({
    opened: (_, link) => (outside = link),
    frame: (_, __, frame) => received.push(frame[0] as number),
    writable: () => {},
    closed: (node) => closed.push(node),
    ended: () => {},
  })
  const inner: ClientLink = {
    send: (frame) => sent.push(frame[0] as number) > 0,
    close: () => inside?.closed('n1', inner),
  }
  inside?.opened('n1', inner)
  return {
    ...{ sent, received, closed },
    send: (value: number) => outside?.send(Uint8Array.of(value)),
    receive: (value: number) => inside?.frame('n1', inner, Uint8Array.of(value)),
  }
}

describe('faults on the links of clients', () => {
  test('are on the links that they name, in their direction', () => {
    const faults = new ClientFaults(seededRandom(1))
    const { send, receive, sent, received } = connected(faults)
    send(1)
    faults.add(1, { links: [{ from: 'c1', to: 'n1' }], effect: { kind: 'link', mode: 'drop' } })
    send(2)
    receive(3)
    faults.remove(1)
    send(4)
    assert.deepEqual(sent, [1, 4])
    assert.deepEqual(received, [3])
    assert.equal(faults.lost, 1)
  })

  test('never deliver a frame twice: clients count on that', () => {
    const faults = new ClientFaults(seededRandom(1))
    const { send, sent } = connected(faults)
    faults.add(1, { links: 'all', effect: { kind: 'duplicate', percent: 100 } })
    send(1)
    assert.deepEqual(sent, [1])
  })

  test('hold what is on a jammed link until it is over', () => {
    const faults = new ClientFaults(seededRandom(1))
    const { send, sent } = connected(faults)
    faults.add(1, { links: 'all', effect: { kind: 'link', mode: 'jam' } })
    send(1)
    send(2)
    assert.deepEqual(sent, [])
    faults.remove(1)
    assert.deepEqual(sent, [1, 2])
  })

  test('hang up connections that stand, and know which do', () => {
    const faults = new ClientFaults(seededRandom(1))
    const { closed } = connected(faults)
    assert.deepEqual(faults.connected, [{ client: 'c1', node: 'n1' }])
    assert.equal(faults.hangUp('c1', 'n1'), true)
    assert.equal(faults.hangUp('c1', 'n1'), false)
    assert.deepEqual(closed, ['n1'])
  })
})
