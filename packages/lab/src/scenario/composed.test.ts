import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seededRandom } from '@troupe/core'
import { type Chance, composedOf } from './composed.ts'
import type { Step } from './steps.ts'

const nodes = ['n1', 'n2', 'n3', 'n4']
const exactly = (ms: number) => ({ leastMs: ms, mostMs: ms })

function chanceOf(seed: number): Chance {
  const random = seededRandom(seed)
  return {
    between: (least, most) => least + random.next() * (most - least),
    below: (count) => Math.floor(random.next() * count),
  }
}

const composed = (step: Step, seed = 1): Step | undefined => composedOf(step, () => nodes, chanceOf(seed))

/** When each node is jammed, and when it is released. */
function jamsOf(step: Step | undefined): { node: string; fromMs: number; toMs: number }[] {
  assert.ok(step !== undefined && 'parallel' in step)
  return step.parallel.map((branch) => {
    assert.ok('serial' in branch)
    const [first, second] = branch.serial
    assert.ok(first !== undefined && 'wait' in first && second !== undefined && 'link' in second)
    const { from, mode, for: span } = second.link
    assert.equal(mode, 'jam')
    return { node: `${from}`, fromMs: first.wait.leastMs, toMs: first.wait.leastMs + (span?.leastMs ?? 0) }
  })
}

describe('composed steps', () => {
  test('swizzle clogs one after the other until all are, and releases them one by one in another order', () => {
    const orders = new Set<string>()
    for (let seed = 1; seed <= 20; seed++) {
      const jams = jamsOf(composed({ swizzle: { target: 'all', interval: 100 } }, seed))
      assert.deepEqual(jams.map(({ node }) => node).sort(), nodes)
      assert.deepEqual(
        jams.map(({ fromMs }) => fromMs),
        [0, 100, 200, 300],
      )
      assert.deepEqual(
        jams.map(({ toMs }) => toMs).sort((left, right) => left - right),
        [400, 500, 600, 700],
      )
      orders.add(
        jams
          .toSorted((left, right) => left.toMs - right.toMs)
          .map(({ node }) => node)
          .join(),
      )
    }
    assert.ok(orders.size > 5)
  })

  test('a bounce is a death of a moment, a storm many of them, attrition stops at so many that are left', () => {
    assert.deepEqual(composed({ bounce: { target: 'n1' } }), {
      kill: { target: 'n1', downFor: { leastMs: 1, mostMs: 20 } },
    })
    const downFor = exactly(50)
    const interval = exactly(10)
    assert.deepEqual(composed({ restartStorm: { interval, downFor, for: exactly(1000) } }), {
      every: { interval, for: 1000, do: [{ kill: { target: 'random', downFor } }] },
    })
    assert.deepEqual(composed({ attrition: { kill: 7, leave: 2, interval, downFor } }), {
      every: { interval, times: 7, do: [{ kill: { target: 'one', downFor, leave: 2 } }] },
    })
  })

  test('a clock that steps jumps again and again', () => {
    const clock = { target: 'n1', mode: 'step', by: 200, every: 10, for: exactly(500) } as const
    const jump = { clock: { target: 'n1', mode: 'bump', by: 200 } }
    assert.deepEqual(composed({ clock }), { every: { interval: exactly(10), for: 500, do: [jump] } })
  })

  test('a clock that strobes jumps there and back; other clocks stand for themselves', () => {
    const clock = { target: 'n1', mode: 'strobe', by: 200, every: 10, for: exactly(500) } as const
    assert.deepEqual(composed({ clock }), {
      every: {
        ...{ interval: exactly(10), for: 500 },
        do: [
          { clock: { target: 'n1', mode: 'bump', by: 200 } },
          { wait: exactly(5) },
          { clock: { target: 'n1', mode: 'bump', by: -200 } },
        ],
      },
    })
    assert.equal(composed({ clock: { target: 'n1', mode: 'rate', rate: 2 } }), undefined)
    assert.equal(composed({ wait: exactly(5) }), undefined)
  })
})
