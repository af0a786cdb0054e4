import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FAILPOINTS, type FailpointName } from '@troupe/faults'
import { type Plan, plainPlan } from './plan.ts'
import { World } from './world.ts'

function until(world: World, isSo: () => boolean): void {
  while (!isSo()) assert.ok(world.step(), `${world.failure?.message}`)
}

/** A cluster of three at work, with small snapshots. */
function atWork(more: Partial<Plan> = {}): World {
  const knobs = { ...plainPlan.knobs, snapshotEntries: 10, keepEntries: 3 }
  const plan = { ...plainPlan, seed: 5, faultMs: 60_000, spares: 1, knobs, ...more }
  const world = new World({ plan, direct: () => {} })
  until(world, () => world.coverage.writes > 20)
  return world
}

const followerOf = (world: World) => {
  const node = world.nodes.find(({ life }) => life?.core.role === 'follower')
  assert.ok(node !== undefined)
  return node
}

const timesDiedAt = (world: World, name: FailpointName): number =>
  world.situations.counts[`died at ${name}`] ?? 0

/** A follower that is away long enough to need a snapshot, and changes of the members meanwhile. */
function stir(world: World, node: string): void {
  const { stage } = world
  stage.perform({ do: 'crash', node, forMs: 500 })
  until(world, () => world.nodes.some(({ id, isUp }) => id === node && isUp))
  stage.perform({ do: 'changeMembers', changes: [{ kind: 'addLearner', id: 'n4' }], leave: 'auto' })
}

describe('a failpoint of a simulated node', () => {
  for (const name of FAILPOINTS) {
    if (name === 'start') continue
    test(`${name}: it dies there, and the cluster finds together again`, () => {
      const world = atWork()
      const node = followerOf(world)
      assert.ok(world.stage.perform({ do: 'failpoint', node: node.id, name, term: 'panic', forMs: 3000 }))
      if (node.isUp) stir(world, node.id)
      until(world, () => timesDiedAt(world, name) > 0)
      world.heal()
      while (world.step());
      assert.equal(world.failure, undefined)
    })
  }

  test('start: it dies at each start, until its supervisor gives it up', () => {
    const world = atWork()
    const node = followerOf(world)
    world.stage.perform({ do: 'failpoint', node: node.id, name: 'start', term: 'panic', forMs: 1e9 })
    const { crashes } = world.coverage
    world.stage.perform({ do: 'crash', node: node.id, forMs: 5 })
    until(world, () => world.coverage.quarantines === 1)
    assert.equal(world.coverage.crashes, crashes + 1, 'what never lived does not die')
    const { nowMs } = world
    until(world, () => world.nowMs > nowMs + 2000)
    assert.ok(!node.isUp)
    world.heal()
    while (world.step());
    assert.equal(world.failure, undefined)
  })

  test('counts begin anew with each life; what is over does nothing', () => {
    const world = atWork()
    const node = followerOf(world)
    const term = '5*off->1*panic'
    world.stage.perform({ do: 'failpoint', node: node.id, name: 'before-apply', term, forMs: 2000 })
    until(world, () => timesDiedAt(world, 'before-apply') === 3)
    const { nowMs } = world
    until(world, () => world.nowMs > nowMs + 2000)
    const died = timesDiedAt(world, 'before-apply')
    until(world, () => world.nowMs > nowMs + 4000)
    assert.equal(timesDiedAt(world, 'before-apply'), died)
  })

  test('a write that fails takes the node down as a failing disk does', () => {
    const world = atWork()
    const node = followerOf(world)
    const effect = { name: 'before-save', term: 'return("EIO")' } as const
    world.stage.perform({ do: 'failpoint', node: node.id, ...effect, forMs: 30 })
    until(world, () => world.coverage.storageFailures > 0)
    assert.ok(timesDiedAt(world, 'before-save') > 0)
  })

  test('is no situation of what a seed draws: no seed leads there', () => {
    const names = Object.keys(new World({ plan: plainPlan }).situations.counts)
    assert.deepEqual(
      names.filter((name) => name.startsWith('died at')),
      [],
    )
  })
})

describe('a silent death', () => {
  const hints = { silentCrash: 0, exitTold: 1 }

  /** Until another one leads. */
  function leaderlessMs(isSilent: boolean): number {
    const world = atWork({ hints })
    const leads = (not?: string) =>
      world.nodes.find(({ id, life }) => id !== not && life?.core.role === 'leader')
    const id = leads()?.id ?? ''
    assert.ok(
      world.stage.perform({ do: 'crash', node: id, forMs: 5000, ...(isSilent && { isSilent: true }) }),
    )
    const { nowMs } = world
    until(world, () => leads(id) !== undefined)
    return world.nowMs - nowMs
  }

  test('tells no peer: it is missed after its time alone', () => {
    const { electionTimeoutMinMs, heartbeatIntervalMs } = plainPlan.knobs
    const leastMs = electionTimeoutMinMs - heartbeatIntervalMs
    const [toldMs, silentMs] = [leaderlessMs(false), leaderlessMs(true)]
    assert.ok(toldMs < leastMs && silentMs >= leastMs, `${toldMs} and ${silentMs} of ${leastMs}`)
  })
})
