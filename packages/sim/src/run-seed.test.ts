import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OverlayNetwork } from './overlay-network.ts'
import { faultKinds, planOf } from './plan.ts'
import { reproduceLine, runSeed } from './run-seed.ts'
import { World } from './world.ts'

// Many seeds, each run twice, are test/sim-cli.test.ts: it has all cores.
describe('seeds', () => {
  test('the same seed does the same, line for line', () => {
    for (let seed = 101; seed <= 120; seed++) {
      const [first, second] = [1, 2].map(() => {
        const lines: string[] = []
        const result = runSeed({ seed, seconds: 1, trace: (line) => lines.push(line) })
        assert.equal(result.verdict, 'pass', `${result.failure?.message}\n${result.reproduce}`)
        return { lines, hash: result.traceHash, events: result.events }
      })
      assert.deepEqual(second, first)
    }
  })

  test('whoever listens changes nothing', () => {
    const silent = runSeed({ seed: 7, seconds: 2 })
    const told = runSeed({ seed: 7, seconds: 2, trace: () => {} })
    assert.equal(told.traceHash, silent.traceHash)
  })
})

describe('over relays', () => {
  for (const topology of ['ring', 'star'] as const) {
    test(`${topology}: everything holds that holds in a mesh, line for line the same each time`, () => {
      for (let seed = 201; seed <= 212; seed++) {
        const options = { seed, seconds: 1, nodes: 5, topology }
        const [first, second] = [runSeed(options), runSeed(options)]
        assert.equal(first.verdict, 'pass', `${first.failure?.message}\n${first.reproduce}`)
        assert.equal(second.traceHash, first.traceHash)
      }
    })
  }

  test('frames cross nodes that they are not for, and only those that relay', () => {
    const plan = planOf({ seed: 1, nodes: 5, seconds: 1, topology: 'star' })
    const world = new World({ plan: { ...plan, learners: 0, spares: 0 } })
    while (world.step());
    assert.equal(world.failure, undefined)
    assert.ok(world.peers instanceof OverlayNetwork)
    const { relayed } = world.peers
    assert.ok([...relayed.values()].some((frames) => frames > 0))
    assert.deepEqual(
      [...relayed.keys()].filter((id) => !['n1', 'n2'].includes(id)),
      [],
    )
  })

  test('news of connections that end over damaged frames do not feed on themselves', () => {
    const { verdict, events } = runSeed({ seed: 2007, seconds: 4, nodes: 7, topology: 'star' })
    assert.equal(verdict, 'pass')
    assert.ok(events < 100_000, `${events} events`)
  })

  test('the plan is that of a mesh, but for links that are faster where routes are longer', () => {
    const [mesh, ring] = [planOf({ seed: 4, nodes: 7 }), planOf({ seed: 4, nodes: 7, topology: 'ring' })]
    assert.deepEqual({ ...ring, network: mesh.network, topology: 'mesh' }, mesh)
    assert.ok(ring.network.delayMs <= mesh.network.delayMs / 3)
  })
})

describe('on a calm day', () => {
  test('the first leader stays, whatever the knobs are, and nothing is dropped', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { verdict, failure, reproduce, coverage } = runSeed({ seed, seconds: 3, calm: true })
      assert.equal(verdict, 'pass', `${failure?.message}\n${reproduce}`)
      assert.equal(coverage.faults, 0)
    }
  })
})

describe('a plan', () => {
  test('follows from its seed alone', () => {
    for (let seed = 0; seed < 50; seed++) assert.deepEqual(planOf({ seed }), planOf({ seed }))
    assert.notDeepEqual(planOf({ seed: 1 }), planOf({ seed: 2 }))
  })

  test('over many seeds has every fault, on and off, and every size', () => {
    const plans = Array.from({ length: 300 }, (_, seed) => planOf({ seed }))
    for (const kind of faultKinds) {
      assert.ok(plans.some(({ rates }) => rates[kind] > 0) && plans.some(({ rates }) => rates[kind] === 0))
    }
    assert.deepEqual([...new Set(plans.map(({ voters }) => voters))].sort(), [1, 2, 3, 4, 5, 6, 7])
  })

  test('with leases has no clock that jumps', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { knobs, rates } = planOf({ seed })
      assert.ok(!knobs.leaseReads || rates.jump === 0)
    }
  })

  test('says how to see a run again', () => {
    assert.equal(reproduceLine({ seed: 7 }), 'pnpm troupe sim --seed 7 --timeline')
    const all = { seed: 7, nodes: 5, seconds: 3, exceedBudget: true, calm: true, topology: 'ring' } as const
    assert.match(
      reproduceLine(all),
      /--nodes 5 --seconds 3 --exceed-budget --calm --topology ring --timeline$/,
    )
  })
})
