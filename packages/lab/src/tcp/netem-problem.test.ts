import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import type { LinkEffect } from '@troupe/faults'
import { type FakeTc, fakeTc } from './fake-tc.fixture.ts'
import { networkProblem } from './namespace-network.ts'
import { NetemProbe } from './netem-problem.ts'

function withTc<T>(refusals: Readonly<Record<string, string>>, run: (tc: FakeTc) => T): T {
  const fake = fakeTc(refusals)
  try {
    return run(fake)
  } finally {
    fake.close()
  }
}

const probes = (): string[] =>
  execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith(`troupe-lab-${process.pid}-netem`))

describe('whether links can be shaped', { skip: networkProblem() }, () => {
  test('is tried in a namespace that is gone again', () => {
    withTc({}, (tc) => {
      assert.equal(new NetemProbe(tc.program).missing, undefined)
      const namespace = `troupe-lab-${process.pid}-netem`
      const calls = tc.calls()
      assert.deepEqual(new Set(calls.map(([first]) => first)), new Set([namespace]))
      assert.match(calls.at(-1)?.at(-1) ?? '', /^qdisc replace dev lo parent 1:1 .* netem delay 1ms$/)
      assert.deepEqual(probes(), [])
    })
  })

  const unknown = 'Specified qdisc kind is unknown.'
  const missing = [
    ['*htb', unknown, /^the kernel's htb \(CONFIG_NET_SCH_HTB\): Error: Specified qdisc kind/],
    ['filter*', 'Failed to load TC', /^the kernel's u32 \(CONFIG_NET_CLS_U32\): Error: Failed to load/],
    ['*netem*', unknown, /^the kernel's netem \(CONFIG_NET_SCH_NETEM\): Error: Specified qdisc kind/],
  ] as const
  for (const [pattern, text, expected] of missing) {
    test(`names what is missing: ${expected.source.slice(1, 20)}`, () => {
      withTc({ [pattern]: text }, ({ program }) =>
        assert.match(new NetemProbe(program).missing ?? '', expected),
      )
      assert.deepEqual(probes(), [])
    })
  }

  test('names the program, where that is missing', () => {
    assert.equal(new NetemProbe('no-such-tc').missing, 'the program no-such-tc (iproute2)')
  })

  test('is asked of each effect as it will be, on two links of one sender', () => {
    const mixed = 'netem: cannot mix duplicating netems with other netems in tree.'
    withTc({ '*parent 1:2*duplicate*': mixed, '*distribution pareto': 'No distribution data' }, (tc) => {
      const probe = new NetemProbe(tc.program)
      const refused = (...effects: LinkEffect[]) => probe.refused(effects)
      assert.equal(refused({ kind: 'delay', timeMs: 5 }), undefined)
      assert.equal(refused({ kind: 'duplicate', percent: 5 }), `Error: ${mixed}`)
      const pareto = { kind: 'delay', timeMs: 5, jitterMs: 1, distribution: 'pareto' } as const
      assert.equal(refused(pareto), 'Error: No distribution data')
      assert.equal(refused({ ...pareto, distribution: 'exponential' }), 'netem has no table for it')
    })
  })
})

/** All that netem is asked for in this language; where the kernel has none, `tc` reads it before it says so. */
const effects: readonly LinkEffect[] = [
  { kind: 'delay', timeMs: 100, jitterMs: 10.5, correlation: 25 },
  { kind: 'delay', timeMs: 100, jitterMs: 10, distribution: 'normal', correlation: 5 },
  { kind: 'delay', timeMs: 100, jitterMs: 10, distribution: 'pareto' },
  { kind: 'delay', timeMs: 100, jitterMs: 10, distribution: 'paretonormal' },
  { kind: 'loss', percent: 0.3, correlation: 25 },
  { kind: 'loss', gilbertElliott: { toBad: 1, toGood: 10, lossInBad: 70, lossInGood: 0.1 } },
  { kind: 'loss', states: { p13: 1, p31: 20, p32: 5, p23: 30, p14: 0.5 } },
  { kind: 'duplicate', percent: 1, correlation: 10 },
  { kind: 'corrupt', percent: 0.1, correlation: 10 },
  { kind: 'rate', bytesPerSecond: 64_000 },
  { kind: 'slot', timeMs: 10, mostMs: 20, frames: 5, bytes: 1000 },
  { kind: 'limit', frames: 100 },
]

describe('tc itself', {
  skip: networkProblem() ?? (new NetemProbe().missing?.includes('iproute2') && 'no tc'),
}, () => {
  test('reads every word that it is given', () => {
    const probe = new NetemProbe()
    // Reading comes first: it says what is wrong with words before the kernel says that it has no netem.
    const expected = probe.missing?.replace(/^.*?: (?=Error)/, '')
    for (const effect of effects) assert.equal(probe.refused([effect]), expected, JSON.stringify(effect))
    const reorder: LinkEffect = { kind: 'reorder', percent: 25, correlation: 50, gap: 5 }
    assert.equal(probe.refused([{ kind: 'delay', timeMs: 9 }, reorder]), expected)
    assert.equal(probe.refused([...effects, reorder]), expected)
  })
})
