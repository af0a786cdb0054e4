import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAX_TERM } from '@troupe/core'
import { type Plan, plainPlan } from './plan.ts'
import type { Deed } from './step.ts'
import { World } from './world.ts'

/** A cluster of three at work. */
function atWork(more: Partial<Plan> = {}): World {
  const world = new World({ plan: { ...plainPlan, seed: 5, faultMs: 60_000, ...more } })
  until(world, () => world.coverage.writes > 20)
  return world
}

function until(world: World, isSo: () => boolean): void {
  while (!isSo()) assert.ok(world.step(), `${world.failure?.message}`)
}

const followerOf = (world: World) => {
  const node = world.nodes.find(({ life }) => life?.core.role === 'follower')
  assert.ok(node !== undefined)
  return node
}

function perform(world: World, deed: Deed): boolean {
  return world.stage.perform(deed)
}

function finish(world: World): void {
  world.heal()
  while (world.step());
  assert.equal(world.failure, undefined)
}

describe('a crash loop', () => {
  test('ends in quarantine, from which only somebody from outside brings the node back', () => {
    const world = atWork()
    const { id } = followerOf(world)
    const node = followerOf(world)
    assert.ok(perform(world, { do: 'crashLoop', node: id, afterMs: 5, forMs: 1e9 }))
    until(world, () => world.coverage.quarantines === 1)
    assert.equal(world.coverage.crashes, 11)
    const { nowMs } = world
    until(world, () => world.nowMs > nowMs + 5000)
    assert.ok(!node.isUp)
    assert.ok(perform(world, { do: 'start', node: id }))
    until(world, () => world.nowMs > nowMs + 6000)
    assert.ok(node.isUp)
    finish(world)
  })

  test('is over before that where its time is', () => {
    const world = atWork()
    const node = followerOf(world)
    perform(world, { do: 'crashLoop', node: node.id, afterMs: 1, forMs: 50 })
    const { nowMs } = world
    until(world, () => world.nowMs > nowMs + 3000)
    assert.ok(node.isUp)
    assert.equal(world.coverage.quarantines, undefined)
    finish(world)
  })
})

describe('a directory that says another term', () => {
  test('takes the cluster there, also beyond 32 bits', () => {
    const world = atWork()
    const term = 2 ** 33
    assert.ok(perform(world, { do: 'setTerm', node: followerOf(world).id, term, forMs: 20 }))
    until(world, () => (world.operator.leader?.life?.core.term ?? 0) > term)
    assert.ok(!perform(world, { do: 'setTerm', node: followerOf(world).id, term: 3, forMs: 20 }))
    finish(world)
  })

  test('beyond the last term is no directory any more', () => {
    const world = atWork({ voters: 5 })
    const node = followerOf(world)
    const { incarnation } = node
    assert.ok(perform(world, { do: 'setTerm', node: node.id, term: MAX_TERM + 1, forMs: 20 }))
    until(world, () => node.incarnation !== incarnation)
    finish(world)
    assert.ok(world.nodes.every(({ life }) => (life?.core.term ?? 0) < 100))
  })
})

describe('a disk that lies', () => {
  const lastIndexAfterCrash = (world: World): { readonly before: number; readonly after: number } => {
    const node = followerOf(world)
    perform(world, { do: 'lieDisk', node: node.id, forMs: 1e9 })
    const from = node.disk.log.flushed.lastIndex
    // What is lost has to be on the others.
    const isEverywhere = (index: number): boolean =>
      world.nodes.every(({ disk }) => disk.log.flushed.lastIndex === index)
    until(world, () => {
      const { lastIndex } = node.disk.log.flushed
      return lastIndex >= from + 5 && isEverywhere(lastIndex)
    })
    const before = node.disk.log.flushed.lastIndex
    perform(world, { do: 'crash', node: node.id, forMs: 50 })
    assert.ok(node.disk.log.flushed.lastIndex >= from)
    return { before, after: node.disk.log.flushed.lastIndex }
  }

  test('loses at a crash what it had said to be flushed, and is mended by its leader', () => {
    const world = atWork()
    const { before, after } = lastIndexAfterCrash(world)
    assert.ok(after < before, `${after} of ${before}`)
    finish(world)
  })

  test('loses nothing that the others do not have, unless the budget is given up', () => {
    const world = atWork({ voters: 1 })
    const [node] = world.nodes
    assert.ok(node !== undefined)
    perform(world, { do: 'lieDisk', node: node.id, forMs: 1e9 })
    const from = node.disk.log.flushed.lastIndex
    until(world, () => node.disk.log.flushed.lastIndex > from + 5)
    const before = node.disk.log.flushed.lastIndex
    perform(world, { do: 'crash', node: node.id, forMs: 50 })
    assert.ok(node.disk.log.flushed.lastIndex >= before)
    finish(world)
  })
})
