import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '@troupe/core'
import fc from 'fast-check'
import { checkFault } from './check-fault.ts'
import { FaultPlane, type NodeOperation } from './fault-plane.ts'
import { fault } from './faults.fixture.ts'
import type { Switchboard } from './ports.ts'
import type { Fault } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 5000 : 300

/** A switchboard that knows what is on. */
class Board<E> implements Switchboard<E> {
  readonly on = new Map<number, E>()
  readonly log: E[] = []
  settled = 0
  add(id: number, effect: E): void {
    assert.ok(!this.on.has(id))
    this.on.set(id, effect)
    this.log.push(effect)
  }
  remove(id: number): void {
    this.on.delete(id)
  }
  settle(): void {
    this.settled++
  }
}

function world(count = 3, seed = 1) {
  const nodes = Array.from({ length: count }, (_, index) => `n${index + 1}`)
  const operations: string[] = []
  const raw: NodeOperation[] = []
  const network = new Board<unknown>()
  const plane = new FaultPlane({
    situation: () => ({ nodes, primaries: ['n1'] }),
    random: seededRandom(seed),
    operate: (operation) => {
      raw.push(operation)
      operations.push(`${operation.kind} ${operation.node}`)
    },
    links: network,
  })
  const start = () => ({
    links: new Board<unknown>(),
    store: new Board<unknown>(),
    clock: new Board<unknown>(),
  })
  const boards = new Map(nodes.map((node) => [node, start()]))
  for (const [node, board] of boards) plane.attach(node, board)
  const at = (node: string) => boards.get(node) ?? assert.fail()
  return { plane, operations, raw, network, boards, at, start }
}

describe('a fault plane', () => {
  it('switches faults of links on everywhere, with what was drawn, and off again', () => {
    const { plane, network, at } = world()
    const partition = plane.apply({ kind: 'partition', groups: [['n1'], ['n2', 'n3']] })
    assert.equal(partition.text, 'partition n1 | n2 n3: n1 | n2 n3')
    const loss = plane.apply({ kind: 'loss', percent: 20 })
    assert.deepEqual(network.on.get(loss.id), { links: 'all', effect: { kind: 'loss', percent: 20 } })
    assert.deepEqual(at('n2').links.on, network.on)
    const links = { from: ['n1'], to: ['n2'], direction: 'outbound' } as const
    const jam = plane.apply({ kind: 'link', mode: 'jam', links })
    assert.deepEqual(network.on.get(jam.id), {
      links: [{ from: 'n1', to: 'n2' }],
      effect: { kind: 'link', mode: 'jam' },
    })
    assert.deepEqual(plane.active, [partition, loss, jam])
    plane.heal(loss.id)
    plane.heal(loss.id)
    assert.deepEqual([...network.on.keys()], [partition.id, jam.id])
    plane.heal()
    assert.equal(network.on.size + at('n1').links.on.size, 0)
    assert.deepEqual(plane.active, [])
  })

  it('switches stores and clocks of the drawn nodes, also of their later starts', () => {
    const { plane, at, start } = world()
    const slow = plane.apply({ kind: 'storage', mode: 'slow', timeMs: 5, nodes: ['n2'] })
    plane.apply({ kind: 'clock', mode: 'rate', rate: 2, nodes: ['n2', 'n3'] })
    assert.deepEqual([at('n1').store.on.size, at('n2').store.on.size, at('n3').store.on.size], [0, 1, 0])
    assert.deepEqual([at('n1').clock.on.size, at('n2').clock.on.size, at('n3').clock.on.size], [0, 1, 1])
    plane.detach('n2')
    plane.apply({ kind: 'storage', mode: 'stall', nodes: ['n2'] })
    const again = start()
    plane.attach('n2', again)
    assert.deepEqual([again.store.on.size, again.clock.on.size], [2, 1])
    plane.heal(slow.id)
    assert.equal(again.store.on.size, 1)
    assert.equal(at('n2').store.on.size, 1, 'the earlier start is out of reach')
    plane.heal()
    assert.deepEqual([again.store.on.size, again.clock.on.size, again.clock.settled], [0, 0, 1])
  })

  it('bumps clocks at once, and has nothing to heal', () => {
    const { plane, at } = world()
    plane.apply({ kind: 'clock', mode: 'bump', byMs: 50, nodes: ['n1'] })
    assert.equal(at('n1').clock.log.length, 1)
    assert.deepEqual(plane.active, [])
  })

  it('hands the engine what only that can do, node by node', () => {
    const { plane, operations, raw } = world()
    const faults: Fault[] = [
      { kind: 'snapshot', nodes: ['n1', 'n2'] },
      { kind: 'elect', nodes: 'primaries' },
      { kind: 'transfer' },
      { kind: 'transfer', nodes: ['n3', 'n2'] },
      { kind: 'membership', change: 'remove', nodes: ['n3'] },
      { kind: 'storage', mode: 'bit-flip', count: 4, nodes: ['n2'] },
      { kind: 'storage', mode: 'lose-unflushed', nodes: ['n1'] },
      { kind: 'wipe', nodes: ['n3'] },
    ]
    for (const each of faults) plane.apply(each)
    assert.deepEqual(operations, [
      'snapshot n1',
      'snapshot n2',
      'elect n1',
      'transfer undefined',
      'transfer n3',
      'membership n3',
      'storage n2',
      'storage n1',
      'wipe n3',
    ])
    const [, , , , , , flip] = raw
    assert.ok(flip?.kind === 'storage' && flip.mode === 'bit-flip' && flip.count === 4)
  })

  it('says of a crash whether its peers are told, and of a stall how long it takes', () => {
    const { plane, raw } = world()
    plane.apply({ kind: 'crash', nodes: ['n1'], silent: true })
    plane.apply({ kind: 'crash', nodes: ['n2'] })
    const stall = plane.apply({ kind: 'stall', nodes: ['n3'], forMs: 40 })
    assert.deepEqual(raw, [
      { kind: 'crash', node: 'n1', silent: true },
      { kind: 'crash', node: 'n2', silent: false },
      { kind: 'stall', node: 'n3', forMs: 40 },
    ])
    assert.equal(stall.text, 'stall of 40 ms at n3')
    assert.deepEqual(
      plane.active.map(({ text }) => text),
      ['silent crash n1', 'crash n2'],
    )
  })

  it('brings crashed nodes back and lets paused ones go on, unless that has happened', () => {
    const { plane, operations } = world()
    plane.apply({ kind: 'crash', nodes: ['n1', 'n2'] })
    const pause = plane.apply({ kind: 'pause', nodes: ['n3'] })
    plane.apply({ kind: 'restart', nodes: ['n1'] })
    assert.deepEqual(
      plane.active.map(({ nodes }) => nodes),
      [['n2'], ['n3']],
    )
    plane.apply({ kind: 'resume', nodes: ['n3'] })
    plane.heal(pause.id)
    plane.heal()
    plane.heal()
    assert.deepEqual(operations, [
      'crash n1',
      'crash n2',
      'pause n3',
      'restart n1',
      'resume n3',
      'restart n2',
    ])
  })

  it('brings a node back once, when the last fault that holds it down is healed', () => {
    const { plane, operations } = world()
    const first = plane.apply({ kind: 'crash', nodes: ['n1'] })
    plane.apply({ kind: 'crash', nodes: ['n1'] })
    plane.heal(first.id)
    assert.ok(!operations.includes('restart n1'))
    plane.heal()
    assert.deepEqual(operations.slice(2), ['restart n1'])
  })

  it('does not resume what has died since it was paused', () => {
    const { plane, operations } = world()
    plane.apply({ kind: 'pause', nodes: ['n1'] })
    plane.apply({ kind: 'crash', nodes: ['n1'] })
    plane.heal()
    assert.deepEqual(operations, ['pause n1', 'crash n1', 'restart n1'])
  })

  it('tells whom it drew', () => {
    const { plane } = world()
    const crash = plane.apply({ kind: 'crash', nodes: 'one' })
    assert.match(crash.text, /^crash one: n[123]$/)
    assert.equal(crash.nodes.length, 1)
    assert.equal(plane.apply({ kind: 'elect', nodes: 'primaries' }).text, 'elect primaries: n1')
  })

  it('does the same for the same seed, and leaves nothing on once it is healed', () => {
    const play = (faults: readonly Fault[], seed: number) => {
      const { plane, operations, network, boards } = world(5, seed)
      const texts = faults.map((each) => plane.apply(checkFault(each) as Fault).text)
      const active = plane.active.length
      plane.heal()
      assert.deepEqual(plane.active, [])
      for (const { links, store, clock } of boards.values()) {
        const lasting = [...store.on.values(), ...clock.on.values()] as { mode: string }[]
        assert.ok(lasting.every(({ mode }) => mode === 'bump'))
        assert.equal(links.on.size, 0)
      }
      assert.equal(network.on.size, 0)
      return [texts, active, operations]
    }
    fc.assert(
      fc.property(fc.array(fault, { maxLength: 8 }), fc.nat(), (faults, seed) => {
        assert.deepEqual(play(faults, seed), play(faults, seed))
      }),
      { numRuns },
    )
  })
})
