import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plainPlan, planOf } from './plan.ts'
import { run } from './run.ts'
import { type FailureKind, failsAs, parseSchedule, printSchedule, type Schedule } from './schedule.ts'
import { scheduleOf, shrink } from './shrink.ts'
import { inTime, leaveOut, withoutNode } from './shrink-steps.ts'
import type { Step } from './step.ts'

describe('leaving out', () => {
  const needing =
    (...needed: number[]) =>
    (left: readonly number[]): boolean =>
      needed.every((item) => left.includes(item))

  test('keeps what is needed, and nothing else', () => {
    const items = Array.from({ length: 100 }, (_, at) => at)
    for (const needed of [[], [0], [99], [3, 50, 51, 97]]) {
      let best: readonly number[] = items
      leaveOut(items, (left) => {
        if (needing(...needed)(left)) best = left
        return needing(...needed)(left)
      })
      assert.deepEqual(best, needed)
    }
  })

  test('keeps everything where all of it is needed', () => {
    let tries = 0
    leaveOut([1, 2, 3], () => ++tries < 0)
    assert.ok(tries > 0)
  })
})

describe('a node less', () => {
  const steps: Step[] = [
    { atMs: 1, do: 'crash', node: 'n1', forMs: 1 },
    { atMs: 1, do: 'crash', node: 'n2', forMs: 1 },
    { atMs: 1, do: 'crash', node: 'n3', forMs: 1 },
    { atMs: 1, do: 'cut', links: ['n1>n3', 'n1>n2', 'c2>n3'], forMs: 1 },
    { atMs: 1, do: 'lose', link: 'n2>n3', frame: 1 },
    { atMs: 1, do: 'transfer', to: 'n3' },
    { atMs: 1, do: 'write', client: 'c2', key: 'k', conditional: false, withinMs: 1 },
    {
      atMs: 1,
      do: 'changeMembers',
      leave: 'auto',
      changes: [{ kind: 'remove', id: 'n3' }],
      also: { kind: 'remove', id: 'n2' },
    },
  ]

  test('takes what is about it along, and the names behind it move up', () => {
    assert.deepEqual(withoutNode(steps, 1), [
      { atMs: 1, do: 'crash', node: 'n1', forMs: 1 },
      { atMs: 1, do: 'crash', node: 'n2', forMs: 1 },
      { atMs: 1, do: 'cut', links: ['n1>n2', 'c2>n2'], forMs: 1 },
      { atMs: 1, do: 'transfer', to: 'n2' },
      { atMs: 1, do: 'write', client: 'c2', key: 'k', conditional: false, withinMs: 1 },
      { atMs: 1, do: 'changeMembers', leave: 'auto', changes: [{ kind: 'remove', id: 'n2' }] },
    ])
  })
})

describe('time', () => {
  const at = (...times: number[]): Step[] => times.map((atMs) => ({ atMs, do: 'wipe', node: 'n1' }))

  test('is taken out before a step, for it and all behind it', () => {
    assert.deepEqual(inTime(at(10, 110, 130), 1, 0)?.steps, at(10, 10, 30))
    assert.deepEqual(inTime(at(10, 110, 130), 1, 0.5)?.steps, at(10, 60, 80))
    assert.deepEqual(inTime(at(10, 110), 0, 0)?.steps, at(0, 100))
  })

  test('is left where there is none to speak of', () => {
    assert.equal(inTime(at(10, 10.5), 1, 0), undefined)
  })
})

// A cluster that is allowed to lose what it agreed on does not come together again: the only voter needs what is damaged.
test('a failing schedule becomes a few steps that fail in the same way, wherever they are replayed', () => {
  const write = (atMs: number): Step => ({
    atMs,
    do: 'write',
    client: 'c2',
    key: 'k',
    conditional: true,
    withinMs: 900,
  })
  const crash = (atMs: number): Step => ({ atMs, do: 'crash', node: 'n1', forMs: 20 })
  const failing: Schedule = {
    plan: {
      ...plainPlan,
      ...{ voters: 1, spares: 1, faultMs: 1000, exceedBudget: true },
      network: { delayMs: 1, jitterMs: 1 },
      workload: { ...plainPlan.workload, clients: 3 },
    },
    steps: [
      ...[
        write(200),
        crash(250),
        write(300),
        write(310),
        { atMs: 320, do: 'pause', node: 'n2', forMs: 50 } as const,
      ],
      ...[
        { atMs: 400, do: 'flipEntry', node: 'n1', back: 2 } as const,
        crash(400),
        write(500),
        crash(600),
        write(700),
      ],
    ],
    fails: { kind: 'liveness', invariant: 'liveness' },
  }
  assert.ok(failsAs(run(failing), failing.fails as FailureKind))
  const { schedule } = shrink(failing, { maxEvents: 600_000 })
  assert.ok(schedule.steps.length <= 3, printSchedule(schedule))
  assert.deepEqual([schedule.plan.spares, schedule.plan.network], [0, plainPlan.network])
  const replayed = run(parseSchedule(printSchedule(schedule)))
  assert.ok(failsAs(replayed, failing.fails as FailureKind))
  assert.deepEqual(shrink(failing, { maxEvents: 600_000 }).schedule, schedule)
})

test('a seed that does not fail has no schedule', () => {
  assert.equal(scheduleOf(planOf({ seed: 101, seconds: 1 })), undefined)
})
