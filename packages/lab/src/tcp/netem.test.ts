import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DISTRIBUTIONS, type LinkEffect } from '@troupe/faults'
import { cannotEmulate, clearLine, MOST_STAGES, netemStages, stageLines, treeLines } from './netem.ts'

/** The words of the only netem that does these, without the limit that is always there. */
function words(...effects: LinkEffect[]): string {
  const stages = netemStages(effects)
  assert.equal(stages.length, 1, JSON.stringify(stages))
  return (stages[0] ?? []).join(' ').replace('limit 100000 ', '')
}

const delay = { kind: 'delay', timeMs: 100, jitterMs: 20 } as const

describe('effects in the words of netem', () => {
  const cases: readonly (readonly [effect: LinkEffect, expected: string])[] = [
    [{ kind: 'link', mode: 'slow', timeMs: 5 }, 'delay 5ms'],
    [{ kind: 'delay', timeMs: 200 }, 'delay 200ms'],
    [{ kind: 'delay', timeMs: 0.25 }, 'delay 0.25ms'],
    [{ kind: 'delay', timeMs: 200, jitterMs: 0, correlation: 25 }, 'delay 200ms'],
    [delay, 'delay 100ms 20ms'],
    [{ ...delay, distribution: 'uniform', correlation: 25 }, 'delay 100ms 20ms 25%'],
    [{ ...delay, distribution: 'constant' }, 'delay 100ms'],
    [{ ...delay, distribution: 'normal' }, 'delay 100ms 20ms distribution normal'],
    [{ ...delay, distribution: 'normal', correlation: 7.5 }, 'delay 100ms 20ms 7.5% distribution normal'],
    [{ ...delay, distribution: 'paretonormal' }, 'delay 100ms 20ms distribution paretonormal'],
    // From 100 ms on with a mean of 120 ms, as everywhere: netem's table begins two thirds of 30 ms below its mean.
    [{ ...delay, distribution: 'pareto' }, 'delay 120ms 30ms distribution pareto'],
    [{ kind: 'loss', percent: 30 }, 'loss random 30%'],
    [{ kind: 'loss', percent: 0.5, correlation: 25 }, 'loss random 0.5% 25%'],
    [{ kind: 'loss', gilbertElliott: { toBad: 1, toGood: 10 } }, 'loss gemodel 1% 10% 100% 0%'],
    [
      { kind: 'loss', gilbertElliott: { toBad: 1, toGood: 10, lossInBad: 70, lossInGood: 0.1 } },
      'loss gemodel 1% 10% 70% 0.1%',
    ],
    [{ kind: 'loss', states: { p13: 1 } }, 'loss state 1% 99% 0% 100% 0%'],
    [
      { kind: 'loss', states: { p13: 1, p31: 20, p32: 5, p23: 30, p14: 0.5 } },
      'loss state 1% 20% 5% 30% 0.5%',
    ],
    [{ kind: 'duplicate', percent: 5 }, 'duplicate 5%'],
    [{ kind: 'duplicate', percent: 5, correlation: 10 }, 'duplicate 5% 10%'],
    [{ kind: 'corrupt', percent: 0.1 }, 'corrupt 0.1%'],
    [{ kind: 'corrupt', percent: 2, correlation: 50, bits: 1 }, 'corrupt 2% 50%'],
    [{ kind: 'rate', bytesPerSecond: 64_000 }, 'rate 64000bps'],
    [{ kind: 'rate', bytesPerSecond: 0.2 }, 'rate 1bps'],
    [{ kind: 'slot', timeMs: 10 }, 'slot 10ms 10ms'],
    [{ kind: 'slot', timeMs: 10, mostMs: 20, frames: 5, bytes: 900 }, 'slot 10ms 20ms packets 5 bytes 900'],
    [{ kind: 'limit', frames: 50 }, 'limit 50'],
  ]
  for (const [effect, expected] of cases) {
    test(expected, () => {
      assert.equal(cannotEmulate(effect), undefined)
      assert.equal(words(effect), expected)
    })
  }

  test('has no exponents, which tc would not read', () => {
    assert.equal(words({ kind: 'delay', timeMs: 1e-9 }), 'delay 0ms')
    assert.equal(words({ kind: 'loss', percent: 1e-7 }), 'loss random 0%')
    assert.equal(words({ kind: 'loss', percent: 100 / 3 }), 'loss random 33.333333%')
  })

  test('reorders what stands beside a delay, and nothing without one', () => {
    const reorder = { kind: 'reorder', percent: 25, correlation: 50, gap: 5 } as const
    assert.equal(words(reorder, { kind: 'delay', timeMs: 10 }), 'delay 10ms reorder 25% 50% gap 5')
    assert.deepEqual(netemStages([reorder]), [])
    assert.equal(words({ kind: 'reorder', percent: 1 }, delay), 'delay 100ms 20ms reorder 1%')
  })

  test('puts one of each kind into one netem, and the next of a kind behind it', () => {
    assert.equal(
      words(
        { kind: 'loss', percent: 1 },
        delay,
        { kind: 'duplicate', percent: 2 },
        { kind: 'limit', frames: 9 },
      ),
      'loss random 1% delay 100ms 20ms duplicate 2% limit 9',
    )
    const twice = netemStages([
      delay,
      { kind: 'loss', percent: 1 },
      { kind: 'link', mode: 'slow', timeMs: 5 },
    ])
    assert.deepEqual(
      twice.map((stage) => stage.join(' ')),
      ['limit 100000 delay 100ms 20ms loss random 1%', 'limit 100000 delay 5ms'],
    )
    assert.deepEqual(netemStages([]), [])
  })

  test('leaves what it cannot do to others, and says why', () => {
    const refused: LinkEffect[] = [
      { kind: 'link', mode: 'jam' },
      { ...delay, distribution: 'exponential' },
      { kind: 'corrupt', percent: 1, bits: 2 },
      { kind: 'rate', bytesPerSecond: 9, limitBytes: 9 },
    ]
    for (const effect of refused) assert.match(cannotEmulate(effect) ?? '', /^\w/)
    const others = DISTRIBUTIONS.filter((name) => name !== 'exponential')
    for (const distribution of others) assert.equal(cannotEmulate({ ...delay, distribution }), undefined)
    assert.equal(cannotEmulate({ ...delay, jitterMs: 0, distribution: 'exponential' }), undefined)
    assert.throws(() => netemStages([{ kind: 'link', mode: 'drop' }]), /not refused/)
  })
})

describe('the tree of classes', () => {
  test('tells receivers apart by their address', () => {
    assert.deepEqual(treeLines('eth0', ['10.1.2.3', '10.1.2.4']), [
      'qdisc add dev eth0 root handle 1: htb',
      'class add dev eth0 parent 1: classid 1:1 htb rate 100gbit quantum 60000',
      'filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 10.1.2.3/32 flowid 1:1',
      'class add dev eth0 parent 1: classid 1:2 htb rate 100gbit quantum 60000',
      'filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 10.1.2.4/32 flowid 1:2',
    ])
  })

  test('has new netems with each change, one behind the other, and plain queues where nothing is wrong', () => {
    const stages = [
      ['delay', '5ms'],
      ['delay', '9ms'],
    ]
    assert.deepEqual(stageLines('eth0', 1, stages, 1), [
      'qdisc replace dev eth0 parent 1:2 handle 1060: netem delay 5ms',
      'qdisc add dev eth0 parent 1060:1 handle 1061: netem delay 9ms',
    ])
    assert.deepEqual(stageLines('eth0', 1, stages.slice(1), 2), [
      'qdisc replace dev eth0 parent 1:2 handle 1040: netem delay 9ms',
    ])
    assert.equal(clearLine('eth0', 15), 'qdisc replace dev eth0 parent 1:10 pfifo limit 1000')
    assert.throws(() => stageLines('eth0', 0, Array(MOST_STAGES + 1).fill(['delay', '1ms']), 0), /more than/)
  })

  test('gives no two netems of a sender one handle', () => {
    const full: string[][] = Array(MOST_STAGES).fill(['delay', '1ms'])
    const handles = [0, 1, 2, 3].flatMap((at) =>
      [1, 2].flatMap((version) => stageLines('eth0', at, full, version)),
    )
    const names = handles.map((line) => / handle (\w+):/.exec(line)?.[1])
    assert.equal(new Set(names).size, 8 * MOST_STAGES)
  })
})
