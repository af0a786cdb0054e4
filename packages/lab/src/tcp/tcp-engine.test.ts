import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseText } from '../scenario/document.ts'
import { casesOf } from '../scenario/read-scenario.ts'
import { fakeTc } from './fake-tc.fixture.ts'
import { networkProblem } from './namespace-network.ts'
import { TcpEngine } from './tcp-engine.ts'

async function problemsOf(text: string, engine = new TcpEngine()): Promise<string[]> {
  const [item] = await casesOf(parseText('a.yaml', `name: a\n${text}`), { sources: [] })
  assert.ok(item !== undefined)
  return engine.unable(item).map(({ path, expected }) => `${path.join('.')}: ${expected}`)
}

describe('the engine tcp', () => {
  test('can do what streams and processes can, toxics too', async () => {
    const text = `phases:
  - partition: { split: halves, for: 1s }
  - link: { from: n1, to: n2, mode: jam, for: 1s }
  - network: { delay: { time: 20ms, jitter: 5ms }, loss: 5%, rate: 100kB/s, corrupt: 1%, for: 1s }
  - toxic: { type: slicer, from: leader, to: all, attributes: { average_size: 100 }, for: 1s }
  - flap: { from: n1, to: n2 }
  - hangUp: { from: all }
  - pause: { target: leader, for: 1s }
  - stall: { target: leader, for: 1s }
  - kill: { target: leader, downFor: 1s }
  - disk: { target: leader, mode: stall, for: 1s }
  - damage: { target: n1, what: snapshot }
  - rollBack: { target: n1, entries: 3, downFor: 1s }
  - clock: { target: n1, mode: rate, rate: 1.2, for: 1s }
  - members: { remove: n3 }
`
    assert.deepEqual(await problemsOf(text), [])
  })

  test('says before a run what has no meaning on a stream', async () => {
    const [duplicate, reorder] = await problemsOf(
      'phases: [{ network: { delay: { time: 5ms }, duplicate: 5%, reorder: 5% } }]\n',
    )
    assert.match(duplicate ?? '', /^phases\.0\.network\.duplicate: none on tcp \(TCP brings every byte once/)
    assert.match(reorder ?? '', /^phases\.0\.network\.reorder: none on tcp/)
    const [lie] = await problemsOf('phases: [{ disk: { target: n1, mode: lie, for: 1s } }]\n')
    assert.match(lie ?? '', /only in sim/)
    const [durability] = await problemsOf('cluster: { durability: memory }\nphases: [{ wait: 1s }]\n')
    assert.match(durability ?? '', /^cluster\.durability: on tcp one of flush-before-ack/)
  })

  test('on real networks lets the kernel do what that can, and refuses the rest', async () => {
    const engine = new TcpEngine({ network: 'namespaces' })
    const problems = await problemsOf(
      'phases: [{ link: { from: n1, to: n2, mode: jam } }, { network: { delay: { time: 5ms } } }]\n',
      engine,
    )
    assert.ok(problems.length > 0)
    // Without the right to make networks that is all that is said.
    const isAllowed = !problems.some((problem) => problem.startsWith('engine: the right'))
    if (isAllowed) assert.match(problems[0] ?? '', /^phases\.0\.link: mode: drop or slow/)
    assert.match(engine.reproduce({ file: 'a.yaml', name: 'a' } as never, 1), / --network namespaces$/)
  })

  describe('on real networks', { skip: networkProblem() }, () => {
    const all = `phases:
  - network: { delay: { time: 5ms, jitter: 1ms, distribution: normal }, loss: 5%, rate: 1MB/s, corrupt: 1% }
  - network: { slot: { time: 5ms..9ms }, lossState: { p13: 1% } }
  - network: { delay: { time: 5ms }, reorder: 5%, duplicate: 1%, limit: 99, on: { from: n1, to: [n2, n3] } }
  - link: { from: n1, to: n2, mode: slow, time: 5ms }
  - link: { from: n1, to: n2, mode: drop }
`

    async function problemsWith(refusals: Readonly<Record<string, string>>, text: string): Promise<string[]> {
      const { program, close } = fakeTc(refusals)
      try {
        return await problemsOf(text, new TcpEngine({ network: 'namespaces', tc: program }))
      } finally {
        close()
      }
    }

    test('does what netem does', async () => {
      assert.deepEqual(await problemsWith({}, all), [])
    })

    test('says once what is missing for that', async () => {
      const problems = await problemsWith({ '*netem*': 'Specified qdisc kind is unknown.' }, all)
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(
        problems[0] ?? '',
        /^phases\.0\.network: for links between namespaces the kernel's netem \(CONFIG_NET_SCH_NETEM\): Error: Specified qdisc kind is unknown\.$/,
      )
    })

    test('refuses what netem cannot do, and what would reach clients, whose links are streams', async () => {
      const problems = await problemsWith(
        { '*distribution pareto': 'No distribution data for pareto' },
        `phases:
  - network: { delay: { time: 5ms, jitter: 1ms, distribution: pareto } }
  - network: { delay: { time: 5ms, jitter: 1ms, distribution: exponential } }
  - network: { duplicate: 1%, on: { from: clients, to: all } }
  - network: { limit: 5 }
  - link: { from: n1, to: n2, mode: jam }
  - swizzle: { target: all, interval: 5ms }
`,
      )
      assert.deepEqual(
        problems.map((problem) => problem.replace(/^(\S+): .*$/, '$1')),
        [
          'phases.5.swizzle',
          'phases.0.network',
          'phases.1.network',
          'phases.2.network.duplicate',
          'phases.3.network.limit',
          'phases.4.link',
        ],
        problems.join('\n'),
      )
      assert.match(problems[1] ?? '', /\(Error: No distribution data for pareto\)$/)
    })
  })
})
