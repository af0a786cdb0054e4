import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '@troupe/core'
import fc from 'fast-check'
import { type DirectedLink, drawPartition, type Situation, selectLinks, selectNodes } from './selection.ts'
import { DIRECTIONS, NODE_SETS, type PartitionFault, SPLITS, TOPOLOGIES } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 10_000 : 500
const situationOf = (count: number, primaries: readonly string[] = ['n1']): Situation => ({
  nodes: Array.from({ length: count }, (_, index) => `n${index + 1}`),
  primaries,
})
const seeds = fc.nat()
const counts = fc.integer({ min: 1, max: 9 })
const key = ({ from, to }: DirectedLink): string => `${from}>${to}`
const cutOf = (fault: PartitionFault, situation: Situation, seed = 1): Set<string> =>
  new Set(drawPartition(fault, situation, seededRandom(seed)).cut.map(key))

/** Whom a node still hears, itself included. */
const heardBy = (to: string, { nodes }: Situation, cut: ReadonlySet<string>): string[] =>
  nodes.filter((from) => from === to || !cut.has(key({ from, to })))

describe('sets of nodes', () => {
  it('have the size of their name, hold each node once, and are the same for the same seed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...NODE_SETS), counts, seeds, (set, count, seed) => {
        const situation = situationOf(count)
        const chosen = selectNodes(set, situation, seededRandom(seed))
        assert.deepEqual(selectNodes(set, situation, seededRandom(seed)), chosen)
        assert.equal(new Set(chosen).size, chosen.length)
        assert.ok(chosen.every((node) => situation.nodes.includes(node)))
        const sizes: Record<typeof set, boolean> = {
          all: chosen.length === count,
          random: chosen.length >= 1,
          one: chosen.length === 1,
          minority: chosen.length * 2 < count || count <= 2,
          'minority-third': chosen.length * 3 < count || chosen.length === 1,
          majority: chosen.length * 2 > count && (chosen.length - 1) * 2 <= count,
          primaries: chosen.length === 1,
        }
        assert.ok(sizes[set], `${set} of ${count}: ${chosen}`)
      }),
      { numRuns },
    )
  })

  it('may be named, also with names of clients; without nodes they are empty', () => {
    const random = seededRandom(1)
    assert.deepEqual(selectNodes(['client', 'n2'], situationOf(3), random), ['client', 'n2'])
    for (const set of NODE_SETS) assert.deepEqual(selectNodes(set, situationOf(0, []), random), [])
  })

  it('have links between them, one way or both, never to a node itself', () => {
    const links = (direction?: 'both' | 'inbound' | 'outbound') =>
      selectLinks(
        { from: ['n1'], to: 'all', ...(direction && { direction }) },
        situationOf(3),
        seededRandom(1),
      ).map(key)
    assert.deepEqual(links('outbound'), ['n1>n2', 'n1>n3'])
    assert.deepEqual(links('inbound'), ['n2>n1', 'n3>n1'])
    assert.deepEqual(links().sort(), ['n1>n2', 'n1>n3', 'n2>n1', 'n3>n1'])
    assert.equal(selectLinks({ from: 'all', to: 'all' }, situationOf(5), seededRandom(1)).length, 20)
  })
})

describe('partitions', () => {
  it('are the same for the same seed, and cut no link of a node to itself', () => {
    const shape: fc.Arbitrary<PartitionFault> = fc.oneof(
      fc.record({
        kind: fc.constant('partition' as const),
        split: fc.constantFrom(...SPLITS),
        direction: fc.constantFrom(...DIRECTIONS),
      }),
      fc.record({ kind: fc.constant('partition' as const), topology: fc.constantFrom(...TOPOLOGIES) }),
    )
    fc.assert(
      fc.property(shape, counts, seeds, (fault, count, seed) => {
        const situation = situationOf(count)
        const { cut, text } = drawPartition(fault, situation, seededRandom(seed))
        assert.deepEqual(drawPartition(fault, situation, seededRandom(seed)), { cut, text })
        assert.ok(cut.every(({ from, to }) => from !== to))
        assert.equal(new Set(cut.map(key)).size, cut.length)
        assert.deepEqual(text.split(/ \| | /).sort(), [...situation.nodes].sort())
      }),
      { numRuns },
    )
  })

  it('split: those on one side see each other and nobody else', () => {
    const situation = situationOf(5, ['n2', 'n4'])
    for (const split of SPLITS) {
      for (let seed = 0; seed < 20; seed++) {
        const cut = cutOf({ kind: 'partition', split }, situation, seed)
        const sides = new Set(situation.nodes.map((node) => heardBy(node, situation, cut).join(' ')))
        const sizes = [...sides].map((side) => side.split(' ').length).sort()
        assert.equal(
          sizes.reduce((sum, size) => sum + size),
          5,
          `${split}: sides overlap`,
        )
        const expected = { halves: [2, 3], one: [1, 4], 'minority-third': [1, 4], majority: [2, 3] }
        assert.deepEqual(sizes, split === 'primaries' ? [1, 1, 3] : expected[split])
        if (split === 'primaries') assert.ok(sides.has('n2') && sides.has('n4') && sides.has('n1 n3 n5'))
      }
    }
    assert.equal(cutOf({ kind: 'partition', split: 'majority' }, situationOf(4)).size, 6)
    assert.equal(cutOf({ kind: 'partition', split: 'halves' }, situationOf(4)).size, 8)
  })

  it('go one way where they are told to', () => {
    const situation = situationOf(3)
    const groups = [['n1']]
    const cut = (direction: 'inbound' | 'outbound') => [
      ...cutOf({ kind: 'partition', groups, direction }, situation),
    ]
    assert.deepEqual(cut('outbound'), ['n1>n2', 'n1>n3'])
    assert.deepEqual(cut('inbound'), ['n2>n1', 'n3>n1'])
    const two = cutOf({ kind: 'partition', groups: [['n1'], ['n2']], direction: 'outbound' }, situation)
    assert.deepEqual([...two].sort(), ['n1>n2', 'n1>n3', 'n2>n1', 'n2>n3'])
  })

  it('name clients too: what nobody names stays together', () => {
    const cut = cutOf({ kind: 'partition', groups: [['client', 'n1']] }, situationOf(3))
    assert.deepEqual(
      [...cut].sort(),
      ['client>n2', 'client>n3', 'n1>n2', 'n1>n3', 'n2>client', 'n2>n1', 'n3>client', 'n3>n1'].sort(),
    )
  })

  it('as a bridge: one hears all, the others half', () => {
    for (const count of [3, 4, 5, 7]) {
      const situation = situationOf(count)
      const cut = cutOf({ kind: 'partition', topology: 'bridge' }, situation)
      const heard = situation.nodes.map((node) => heardBy(node, situation, cut).length)
      assert.equal(heard.filter((size) => size === count).length, 1)
      assert.ok(heard.every((size) => size === count || (size >= 2 && size <= Math.ceil((count + 1) / 2))))
      for (const link of cut) assert.ok(cut.has(link.split('>').reverse().join('>')), 'goes both ways')
    }
  })

  it('as a ring of majorities: each hears a majority, no two the same', () => {
    for (const count of [3, 4, 5, 6, 7, 9]) {
      const situation = situationOf(count)
      const cut = cutOf({ kind: 'partition', topology: 'majorities-ring' }, situation)
      const heard = situation.nodes.map((node) => heardBy(node, situation, cut))
      for (const [place, nodes] of heard.entries()) {
        assert.equal(nodes.length, Math.floor(count / 2) + 1)
        assert.ok(nodes.includes(situation.nodes[place] as string))
      }
      assert.equal(new Set(heard.map((nodes) => nodes.join(' '))).size, count)
    }
  })

  it('as a chain and as a star', () => {
    const situation = situationOf(5)
    const sizes = (topology: 'chain' | 'star') => {
      const cut = cutOf({ kind: 'partition', topology }, situation)
      return situation.nodes.map((node) => heardBy(node, situation, cut).length).sort()
    }
    assert.deepEqual(sizes('chain'), [2, 2, 3, 3, 3])
    assert.deepEqual(sizes('star'), [2, 2, 2, 2, 5])
  })
})
