import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { type FakeTc, fakeTc } from './fake-tc.fixture.ts'
import { LinkShaper } from './link-shaper.ts'

const hosts = ['n1', 'n2', 'n3'].map((name, at) => ({
  name,
  namespace: `space-${name}`,
  address: `10.0.0.${at + 1}`,
}))
const there = [{ from: 'n1', to: 'n2' }]

let fake: FakeTc | undefined
afterEach(() => {
  fake?.close()
  fake = undefined
})

function shaperWith(refusals?: Readonly<Record<string, string>>): {
  shaper: LinkShaper
  calls: () => string[][]
} {
  const made = fakeTc(refusals)
  fake = made
  let last = Promise.resolve()
  const queue = (change: () => Promise<void>): Promise<void> => {
    const done = last.then(change)
    last = done.catch(() => {})
    return done
  }
  return {
    shaper: new LinkShaper({ device: 'eth0', hosts, program: made.program, queue }),
    calls: () => made.calls(),
  }
}

describe('links shaped by tc', () => {
  test('begin with a class for each receiver, at each sender', () => {
    const { shaper, calls } = shaperWith()
    shaper.install()
    const [first, ...others] = calls()
    assert.deepEqual(first?.slice(0, 2), ['space-n1', 'qdisc add dev eth0 root handle 1: htb'])
    assert.match(first?.[3] ?? '', /dst 10\.0\.0\.2\/32 flowid 1:1$/)
    assert.match(first?.[5] ?? '', /dst 10\.0\.0\.3\/32 flowid 1:2$/)
    assert.deepEqual(
      others.map(([namespace]) => namespace),
      ['space-n2', 'space-n3'],
    )
  })

  test('have one netem for what begins together, another one for each change, and none in the end', async () => {
    const { shaper, calls } = shaperWith()
    await Promise.all([
      shaper.add(1, there, { kind: 'delay', timeMs: 50 }),
      shaper.add(2, there, { kind: 'loss', percent: 5 }),
    ])
    const netem = 'netem limit 100000 delay 50ms'
    assert.deepEqual(calls(), [
      ['space-n1', `qdisc replace dev eth0 parent 1:1 handle 1020: ${netem} loss random 5%`],
    ])
    await shaper.remove(2)
    assert.deepEqual(calls(), [['space-n1', `qdisc replace dev eth0 parent 1:1 handle 1000: ${netem}`]])
    await shaper.remove(1)
    assert.deepEqual(calls(), [['space-n1', 'qdisc replace dev eth0 parent 1:1 pfifo limit 1000']])
    await shaper.remove(1)
    assert.deepEqual(calls(), [])
  })

  test('are told apart: each sender hears of its own, once', async () => {
    const { shaper, calls } = shaperWith()
    const all = hosts.flatMap(({ name: from }) => hosts.map(({ name: to }) => ({ from, to })))
    const links = all.filter(({ from, to }) => from !== to)
    await shaper.add(1, links, { kind: 'link', mode: 'slow', timeMs: 9 })
    const netem = 'netem limit 100000 delay 9ms'
    const lines = ['1:1 handle 1020:', '1:2 handle 1060:'].map(
      (place) => `qdisc replace dev eth0 parent ${place} ${netem}`,
    )
    assert.deepEqual(
      calls(),
      hosts.map(({ namespace }) => [namespace, ...lines]),
    )
    await shaper.add(2, [{ from: 'n3', to: 'n2' }], { kind: 'delay', timeMs: 1 })
    assert.deepEqual(calls(), [
      [
        'space-n3',
        `qdisc replace dev eth0 parent 1:2 handle 1040: ${netem}`,
        'qdisc add dev eth0 parent 1040:1 handle 1041: netem limit 100000 delay 1ms',
      ],
    ])
  })

  test('are as before where tc refuses, and say why', async () => {
    const { shaper, calls } = shaperWith({ '*duplicate*': 'netem: cannot mix duplicating netems' })
    await shaper.add(1, there, { kind: 'delay', timeMs: 50 })
    calls()
    await assert.rejects(
      shaper.add(2, there, { kind: 'duplicate', percent: 5 }),
      /space-n1 -batch -: Error: netem: cannot mix duplicating netems$/,
    )
    const [refused, restored] = fake?.calls() ?? []
    assert.match(refused?.at(-1) ?? '', /duplicate 5%$/)
    assert.match(restored?.at(-1) ?? '', /handle 1020: netem limit 100000 delay 50ms$/)
    await shaper.remove(1)
    assert.match(calls()[0]?.[1] ?? '', /pfifo/)
  })
})
