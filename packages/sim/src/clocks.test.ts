import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plainPlan } from './plan.ts'
import type { Step } from './step.ts'
import { World } from './world.ts'

const nodes = ['n1', 'n2', 'n3']

/** All clocks are set back by a day, so they stand still, and then `more` happens. */
const standingStill = (more: readonly Step[]): Step[] => [
  ...nodes.map((node): Step => ({ atMs: 500, do: 'jump', node, byMs: -86_400_000 })),
  ...more,
]

describe('clocks that stand still after a jump back', () => {
  test('go on when everything is healed, and the cluster finds together', () => {
    const world = new World({ plan: { ...plainPlan, faultMs: 2000 }, steps: standingStill([]) })
    while (world.step());
    assert.equal(world.failure, undefined)
    assert.ok(world.isDone)
  })

  test('go on at a recovery in the middle of a run', () => {
    const steps = standingStill([
      { atMs: 600, do: 'crash', node: 'n1', forMs: 1e9 },
      { atMs: 900, do: 'recover' },
      { atMs: 1500, do: 'pause', node: 'n1', forMs: 1e9 },
    ])
    const world = new World({ plan: plainPlan, steps })
    const [first] = world.nodes
    while (world.nowMs < 900) assert.ok(world.step())
    const [stoodAtMs, fromMs] = [first?.clock.nowMs() ?? 0, world.nowMs]
    while (world.nowMs < 1000) assert.ok(world.step())
    const [passedMs, wantedMs] = [(first?.clock.nowMs() ?? 0) - stoodAtMs, world.nowMs - fromMs]
    assert.ok(Math.abs(passedMs - wantedMs) < 1, `${passedMs} ms of ${wantedMs}`)
  })
})
