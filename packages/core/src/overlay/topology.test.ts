import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NodeId } from '../types.ts'
import { routesFrom } from './routes.ts'
import { type OverlayPlan, overlayTopologies, plannedLinks, planOverlay } from './topology.ts'

const named = (count: number): NodeId[] => Array.from({ length: count }, (_, at) => `n${at + 1}`)
const shown = (plan: OverlayPlan): string[] => plannedLinks(plan).map(([a, b]) => `${a}-${b}`)

describe('a topology', () => {
  test('mesh: everybody is connected to everybody, and nobody relays', () => {
    const plan = planOverlay('mesh', named(4))
    assert.deepEqual(shown(plan), ['n1-n2', 'n1-n3', 'n1-n4', 'n2-n3', 'n2-n4', 'n3-n4'])
    assert.equal(plan.relays.size, 0)
  })

  test('ring: each node has the one before and the one behind it in the list, and all relay', () => {
    const plan = planOverlay('ring', ['b', 'd', 'a', 'c', 'e'])
    assert.deepEqual(shown(plan), ['b-d', 'b-e', 'd-a', 'a-c', 'c-e'])
    assert.deepEqual(plan.neighbours.get('b'), ['d', 'e'])
    assert.equal(plan.relays.size, 5)
  })

  test('star: two hubs, and layers that double; whoever has children relays', () => {
    const plan = planOverlay('star', named(9))
    const parents = (child: NodeId): NodeId[] =>
      plannedLinks(plan).flatMap(([parent, other]) => (other === child ? [parent] : []))
    assert.deepEqual(named(9).map(parents), [
      [],
      ['n1'],
      ...[1, 2, 3, 4].map(() => ['n1', 'n2']),
      ['n3', 'n4'],
      ['n5', 'n6'],
      ['n3', 'n4'],
    ])
    assert.deepEqual([...plan.relays], ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'])
  })

  test('of few nodes is a mesh, in which nobody relays', () => {
    for (const topology of overlayTopologies) {
      for (const count of [1, 2, 3]) {
        const plan = planOverlay(topology, named(count))
        assert.equal(plannedLinks(plan).length, (count * (count - 1)) / 2)
        assert.equal(plan.relays.size, 0)
      }
    }
  })

  test('follows from the list: every node plans the same', () => {
    for (const topology of overlayTopologies) {
      assert.deepEqual(planOverlay(topology, named(7)), planOverlay(topology, named(7)))
    }
  })
})

describe('routes', () => {
  /** Everybody but those that are down. */
  const routesOf = (plan: OverlayPlan, self: NodeId, down: readonly NodeId[] = []) =>
    routesFrom(plan, self, (a, b) => !down.includes(a) && !down.includes(b))

  test('lead from everybody to everybody, each step nearer to the end, also when any one node is down', () => {
    for (const topology of overlayTopologies) {
      for (let count = 1; count <= 16; count++) {
        const plan = planOverlay(topology, named(count))
        for (const down of [undefined, ...plan.nodes]) {
          const up = plan.nodes.filter((id) => id !== down)
          const routes = new Map(up.map((id) => [id, routesOf(plan, id, down === undefined ? [] : [down])]))
          for (const from of up) {
            assert.equal(routes.get(from)?.size, up.length - 1, `${topology} of ${count}, ${down} down`)
            for (const [to, { next, hops }] of routes.get(from) ?? []) {
              assert.ok(plan.neighbours.get(from)?.includes(next))
              assert.ok(next === to || plan.relays.has(next))
              assert.equal(next === to ? 0 : routes.get(next)?.get(to)?.hops, hops - 1)
            }
          }
        }
      }
    }
  })

  test('go round the ring the shorter way, and the longer where that is broken', () => {
    const plan = planOverlay('ring', named(5))
    assert.deepEqual(routesOf(plan, 'n1').get('n3'), { next: 'n2', hops: 2 })
    assert.deepEqual(routesOf(plan, 'n1', ['n2']).get('n3'), { next: 'n5', hops: 3 })
  })

  test('over the hubs spread over both, and go both ways over the same', () => {
    const plan = planOverlay('star', named(6))
    const nexts = new Set<NodeId>()
    for (const from of ['n3', 'n4', 'n5', 'n6']) {
      for (const to of ['n3', 'n4', 'n5', 'n6']) {
        if (from === to) continue
        const there = routesOf(plan, from).get(to)
        assert.equal(there?.hops, 2)
        assert.equal(there?.next, routesOf(plan, to).get(from)?.next)
        nexts.add(there?.next ?? '')
      }
    }
    assert.deepEqual([...nexts].sort(), ['n1', 'n2'])
  })

  test('never lead over a leaf', () => {
    const plan = planOverlay('star', named(5))
    // Only a leaf would connect the hubs.
    const routes = routesFrom(plan, 'n1', (a, b) => !(['n1', 'n2'].includes(a) && ['n1', 'n2'].includes(b)))
    assert.deepEqual([...routes.keys()].sort(), ['n3', 'n4', 'n5'])
  })
})
