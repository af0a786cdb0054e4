import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../random.ts'
import type { NodeId } from '../types.ts'
import { isState, OverlayNetwork } from './overlay.fixture.ts'
import { maxHops } from './overlay.ts'
import { type OverlayTopology, overlayTopologies, plannedLinks, planOverlay } from './topology.ts'

const named = (count: number): NodeId[] => Array.from({ length: count }, (_, at) => `n${at + 1}`)
const network = (topology: OverlayTopology, count: number): OverlayNetwork =>
  new OverlayNetwork(planOverlay(topology, named(count)))

/** Everybody who is there sends to everybody who is there. */
function allToAll(net: OverlayNetwork): void {
  const ids = [...net.overlays.keys()]
  for (const id of ids) net.news(id).frames.length = 0
  for (const from of ids) for (const to of ids) if (from !== to) net.send(from, to, `${from} to ${to}`)
  net.settle()
  for (const to of ids) {
    const expected = ids.filter((id) => id !== to).map((id) => ({ source: id, text: `${id} to ${to}` }))
    const byName = (a: { source: string }, b: { source: string }): number => (a.source < b.source ? -1 : 1)
    assert.deepEqual([...net.news(to).frames].sort(byName), expected.sort(byName))
  }
}

describe('an overlay', () => {
  test('brings every frame as it was to whom it is for, from whom it is', () => {
    for (const topology of overlayTopologies)
      for (let count = 1; count <= 9; count++) allToAll(network(topology, count))
  })

  test('tells of everybody once, at the start', () => {
    for (const topology of overlayTopologies) {
      const net = network(topology, 7)
      for (const id of named(7)) {
        assert.deepEqual(
          [...net.news(id).up].sort(),
          named(7).filter((other) => other !== id),
        )
        assert.deepEqual(net.news(id).gone, [])
      }
    }
  })

  test('finds another way when any one node dies, and tells all others that it is gone', () => {
    for (const topology of overlayTopologies) {
      for (let count = 3; count <= 9; count++) {
        for (const dead of named(count)) {
          const net = network(topology, count)
          net.kill(dead)
          net.settle()
          allToAll(net)
          for (const id of net.overlays.keys())
            assert.deepEqual(net.news(id).gone, [dead], `${topology} ${count}`)
        }
      }
    }
  })

  test('a connection that closes between living nodes is gone round: nobody is told as gone', () => {
    for (const topology of ['ring', 'star'] as const) {
      for (const [a, b] of plannedLinks(planOverlay(topology, named(5)))) {
        if (topology === 'star' && b === 'n2') continue
        const net = network(topology, 5)
        net.close(a, b)
        net.settle()
        allToAll(net)
        for (const id of named(5)) assert.deepEqual(net.news(id).gone, [])
      }
    }
  })

  test('the hubs of a star have no way around their connection, as nobody has in a mesh: leaves do not relay', () => {
    const net = network('star', 5)
    net.close('n1', 'n2')
    net.settle()
    assert.deepEqual(
      named(5).map((id) => net.news(id).gone),
      [['n2'], ['n1'], [], [], []],
    )
  })

  test('a frame that was under way when its way broke turns round', () => {
    const net = network('ring', 7)
    net.send('n1', 'n4', 'hello')
    net.close('n3', 'n4')
    net.settle()
    assert.deepEqual(net.news('n4').frames, [{ source: 'n1', text: 'hello' }])
    // Two connections to the break, and six the other way.
    assert.equal(net.of('n4').metrics.hopsDelivered, 8)
  })

  test('tells of a node that comes back, also of one that was never seen to be gone', () => {
    const net = network('ring', 5)
    for (const id of named(5)) net.news(id).up.length = 0
    // Its old connections have not been seen to close: the new ones take their places.
    net.boot('n3', 2)
    for (const neighbour of ['n2', 'n4']) net.open('n3', neighbour)
    net.settle()
    for (const id of ['n1', 'n2', 'n4', 'n5']) assert.ok(net.news(id).up.includes('n3'), id)
    allToAll(net)
    // What its earlier start has told does not outlive what it tells now.
    net.close('n2', 'n3')
    net.settle()
    assert.equal(net.of('n1').routes.get('n3')?.hops, 3)
  })

  test('where the cluster falls apart each part goes on, and they find together again', () => {
    const net = network('ring', 6)
    net.close('n1', 'n2')
    net.close('n4', 'n5')
    net.settle()
    assert.deepEqual([...net.of('n1').routes.keys()].sort(), ['n5', 'n6'])
    assert.deepEqual([...net.news('n1').gone].sort(), ['n2', 'n3', 'n4'])
    net.open('n4', 'n5')
    net.settle()
    allToAll(net)
    assert.equal(net.of('n1').routes.get('n2')?.hops, 5)
  })

  test('what is known heals with the traffic, whatever of it was lost', () => {
    for (const topology of ['ring', 'star'] as const) {
      const net = network(topology, 7)
      net.loses = isState
      const [dead] = net.plan.relays
      net.kill(dead as NodeId)
      net.settle()
      net.loses = () => false
      for (let round = 0; round < 8; round++) {
        for (const from of net.overlays.keys())
          for (const to of net.overlays.keys()) if (from !== to) net.send(from, to, '')
        net.settle()
      }
      allToAll(net)
    }
  })

  test('follows a new list: who is added is reached, who is not in it any more is forgotten', () => {
    const net = network('ring', 4)
    const plan = planOverlay('ring', ['n1', 'n2', 'n3'])
    net.kill('n4')
    for (const id of ['n1', 'n2', 'n3']) net.of(id).replan(plan)
    net.open('n1', 'n3')
    net.settle()
    allToAll(net)
    assert.equal(net.of('n1').routes.get('n3')?.hops, 1)
    assert.equal(net.of('n1').routes.has('n4'), false)
    assert.deepEqual(net.of('n1').neighbours, ['n2', 'n3'])
  })
})

describe('a frame', () => {
  test('crosses a bounded number of connections, as one, whatever each node believes', () => {
    const shape = fc.record({
      topology: fc.constantFrom(...overlayTopologies),
      count: fc.integer({ min: 2, max: 9 }),
      seed: fc.integer(),
    })
    fc.assert(
      fc.property(shape, ({ topology, count, seed }) => {
        const net = network(topology, count)
        const random = seededRandom(seed)
        // Nobody hears what the others see.
        net.loses = (flight) => isState(flight) && random.next() < 0.8
        for (const [a, b] of plannedLinks(net.plan)) if (random.next() < 0.4) net.close(a, b)
        net.settle()
        net.loses = isState
        for (const from of net.overlays.keys()) {
          for (const to of net.overlays.keys()) {
            const before = framesSeen(net)
            net.send(from, to, 'x')
            net.settle()
            assert.ok(framesSeen(net) - before <= maxHops(net.plan))
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  /** Connections that frames of ours crossed. */
  function framesSeen(net: OverlayNetwork): number {
    let seen = 0
    for (const { metrics } of net.overlays.values()) {
      const { framesRelayed, framesDelivered, framesAstray, framesRefused } = metrics
      seen += framesRelayed + framesDelivered + framesAstray + framesRefused
    }
    return seen
  }

  test('goes to and fro between two nodes that each believe the other, and no further than its bound', () => {
    const net = network('ring', 6)
    net.loses = isState
    // n1 goes by n2 and n2 by n1, and neither hears of it.
    net.close('n2', 'n3')
    net.close('n1', 'n6')
    net.send('n2', 'n4', 'lost')
    net.settle()
    const astray = [...net.overlays.values()].reduce((sum, { metrics }) => sum + metrics.framesAstray, 0)
    assert.equal(astray, 1)
    assert.deepEqual(net.news('n4').frames, [])
  })

  test('comes from its source, or from a neighbour that relays', () => {
    const net = network('star', 5)
    const forged = (source: NodeId, to: NodeId): Uint8Array => {
      const names = [source, to].flatMap((name) => [
        name.length,
        ...Array.from(name, (one) => one.charCodeAt(0)),
      ])
      return new Uint8Array([0, 1, 0, 0, 0, 0, ...names])
    }
    const hub = net.of('n1')
    assert.equal(hub.received('n3', forged('n4', 'n1')), undefined)
    assert.equal(hub.metrics.framesRefused, 1)
    assert.deepEqual(hub.received('n2', forged('n4', 'n1')), { source: 'n4', inner: new Uint8Array(0) })
    // A leaf passes nothing on.
    const leaf = net.of('n3')
    assert.equal(leaf.received('n1', forged('n4', 'n5')), undefined)
    assert.equal(leaf.metrics.framesRefused, 1)
  })

  test('that is not one ends the trust in its link', () => {
    const net = network('ring', 5)
    for (const bytes of [
      [],
      [7],
      [0, 1, 2],
      [0, 0, 0, 0, 0, 0, 0, 0],
      [1, 1, 200, 3],
      [1, 1, 1, 2, 110, 49, 255, 255],
    ]) {
      assert.equal(typeof net.of('n1').received('n2', new Uint8Array(bytes)), 'string', `${bytes}`)
    }
    const whole = new Uint8Array(net.of('n2').headroomBytes('n1'))
    net.of('n2').send('n1', whole)
    for (let length = 0; length < whole.length; length++) {
      assert.equal(typeof net.of('n1').received('n2', whole.slice(0, length)), 'string')
    }
  })

  test('without a way goes nowhere, and says so', () => {
    const net = network('ring', 5)
    net.kill('n3')
    net.settle()
    assert.equal(net.send('n1', 'n3', ''), false)
    assert.equal(net.of('n1').metrics.framesUnroutable, 1)
  })
})
