import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseText } from './document.ts'
import { describeProblem, ScenarioError } from './problems.ts'
import { type Case, casesOf } from './read-scenario.ts'

const good = 'name: a case\nphases:\n  - kill: { target: leader, downFor: 50ms..2s }\n'

const read = (text: string): Promise<readonly Case[]> => casesOf(parseText('a.yaml', text), { sources: [] })

/** Everything that is wrong with a text, in words. */
async function wrong(text: string): Promise<string[]> {
  try {
    await read(text)
    return []
  } catch (error) {
    assert.ok(error instanceof ScenarioError, String(error))
    assert.equal(error.code, 'INVALID_OPTIONS')
    return error.problems.map(describeProblem)
  }
}

/** The only thing that is wrong with it. */
async function onlyWrong(text: string): Promise<string> {
  const problems = await wrong(text)
  assert.equal(problems.length, 1, problems.join('\n'))
  return problems[0] as string
}

describe('a scenario file', () => {
  test('is a case, with times in ms', async () => {
    const [one] = await read(good)
    assert.equal(one?.name, 'a case')
    const kill = { target: 'leader', downFor: { leastMs: 50, mostMs: 2000 } }
    assert.deepEqual(one?.scenario.phases, [{ kill }])
  })

  test('may be JSON', async () => {
    const [one] = await read('{"name": "a", "phases": [{"wait": "1s"}]}')
    assert.deepEqual(one?.scenario.phases, [{ wait: { leastMs: 1000, mostMs: 1000 } }])
  })

  test('that is not readable is told with its place', async () => {
    assert.match(await onlyWrong('name: a\nphases: {'), /^a\.yaml:\d+:\d+: .*YAML or JSON/)
    assert.match(await onlyWrong('- a\n'), /^a\.yaml:1:1: the file is .*; expected an object$/)
    assert.match(await onlyWrong(`name: ${'a'.repeat(1 << 20)}`), /at most 1048576/)
    // Each alias of it doubles what is there.
    const bomb =
      'a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\ne: &e [*d, *d]\nf: &f [*e, *e]\ng: [*f, *f]\n'
    assert.match(await onlyWrong(bomb), /YAML or JSON/)
  })

  test('with an unknown field names it, its line and what there is', async () => {
    const text = `${good}workloads: { clients: 2 }\n`
    assert.match(await onlyWrong(text), /^a\.yaml:4:1: workloads is .*; expected no such field; one of name,/)
    assert.match(
      await onlyWrong('name: a\nphases:\n  - wait: 1s\n  - kil: { target: leader }\n'),
      /^a\.yaml:4:5: phases\[1\] is .*exactly one of wait, .*kill/,
    )
  })

  test('with a time without its unit, or with a wrong one, says what is wanted', async () => {
    for (const value of ['5', '5 parsecs', '2s..1s', '-1s']) {
      const message = await onlyWrong(`name: a\nphases:\n  - wait: ${value}\n`)
      assert.match(message, /^a\.yaml:3:5: phases\[0\]\.wait is .*a time with its unit/)
    }
    assert.match(
      await onlyWrong('name: a\nphases: [{ network: { loss: 30 } }]\n'),
      /loss is 30; expected a percentage from 0% to 100%/,
    )
    assert.match(await onlyWrong('name: a\nphases: [{ network: { loss: 130% } }]\n'), /percentage/)
  })

  test('is told of everything that is wrong with it, in the order of its lines', async () => {
    const problems = await wrong('name: ""\ncluster: { voters: 9 }\nphases: []\n')
    assert.deepEqual(
      problems.map((text) => text.split(' ', 2).join(' ')),
      ['a.yaml:1:1: name', 'a.yaml:2:12: cluster.voters', 'a.yaml:3:1: phases'],
    )
  })

  test('names no node that is not there', async () => {
    assert.match(
      await onlyWrong('name: a\nphases: [{ kill: { target: n4 } }]\n'),
      /target is "n4"; expected nodes: n1, n2, n3, or a set of them/,
    )
    const added = 'name: a\ncluster: { spares: 1 }\nphases: [{ kill: { target: n4 } }]\n'
    assert.deepEqual(await wrong(added), [])
    assert.match(await onlyWrong('name: a\nphases: [{ write: { client: c9 } }]\n'), /one of c1, c2, c3/)
    assert.match(
      await onlyWrong('name: a\nphases: [{ kill: { target: sender } }]\n'),
      /only in a when with sends/,
    )
  })

  test('names so many of the nodes, or a share of them, in one way', async () => {
    const target = (text: string) => `name: a\nphases: [{ kill: { target: ${text} } }]\n`
    for (const fine of [
      '{ fixed: 2 }',
      '{ percent: 40%, of: followers }',
      '{ maxPercent: 70%, of: [n1, n2] }',
    ])
      assert.deepEqual(await wrong(target(fine)), [])
    for (const [text, expected] of [
      ['{ fixed: 4 }', /target\.fixed is 4; expected at most 3/],
      ['{ percent: 0% }', /target\.percent is 0; expected some: above 0%/],
      ['{ fixed: 1, percent: 40% }', /target is "fixed and percent"; expected exactly one of fixed, percent/],
      ['{ of: followers }', /expected exactly one of fixed, percent, maxPercent/],
      ['{ fixed: 1, of: [n4] }', /target is "n4"; expected nodes: n1, n2, n3/],
      ['{ half: true }', /no such field; one of fixed, percent, maxPercent, of/],
    ] as const)
      assert.match((await wrong(target(text))).join('; '), expected)
  })

  test('names nodes by what select called them, from there on', async () => {
    const [select, kill] = ['{ select: { old: leader } }', '{ kill: { target: old } }']
    assert.deepEqual(await wrong(`name: a\nphases: [${select}, ${kill}]\n`), [])
    assert.match(await onlyWrong(`name: a\nphases: [${kill}, ${select}]\n`), /target is "old"/)
    assert.match(await onlyWrong('name: a\nphases: [{ select: { n1: leader } }]\n'), /means nothing else/)
  })

  test('is held to the rules between fields', async () => {
    const cases = [
      ['{ partition: {} }', /exactly one of split, topology, groups/],
      ['{ partition: { split: one, topology: star } }', /exactly one of/],
      ['{ partition: { topology: star, clients: apart } }', /none with a topology/],
      ['{ disk: { target: n1, mode: slow } }', /by is missing; expected to be there with mode: slow/],
      ['{ disk: { target: n1, mode: stall, by: 4 } }', /only with mode: slow/],
      [
        '{ clock: { target: n1, mode: rate, by: 4s } }',
        /rate is missing; expected to be there with mode: rate/,
      ],
      ['{ network: { reorder: 10% } }', /a delay with it/],
      ['{ network: {} }', /at least one of delay/],
      ['{ failpoint: { target: n1, name: before-lunch, term: panic } }', /one of start, before-save/],
      [
        '{ failpoint: { target: n1, name: start, term: explode } }',
        /term is "explode"; expected terms of gofail/,
      ],
      [
        '{ failpoint: { target: n1, name: start, term: return("EIO") } }',
        /term is .*only before-save can return an error/,
      ],
      ['{ heap: { target: n1, percent: 120% } }', /percent is "120%"/],
      [
        '{ clock: { target: n1, mode: step, by: 1s } }',
        /every is missing; expected to be there with mode: step/,
      ],
      ['{ clock: { target: n1, mode: step, by: 1s, every: 1s } }', /for is missing.*with mode: step/],
      ['{ members: {} }', /at least one of add, promote, demote, remove, replace/],
      ['{ members: { replace: n9 } }', /replace is "n9"/],
      [
        '{ toxic: { type: latency, from: n1, to: n2, attributes: { jitter: 5ms } } }',
        /attributes is .*expected those of latency: latency, and perhaps jitter/,
      ],
      ['{ toxic: { type: limit_data, from: n1, to: c9, attributes: { bytes: 5 } } }', /to is "c9"/],
      ['{ toxic: { type: slow_close, from: n1, to: c1, attributes: { delay: 5ms, bytes: 5 } } }', /delay$/],
      ['{ every: { interval: 1s, do: [{ wait: 1s }] } }', /exactly one of for, times/],
      ['{ network: { loss: 5%, lossState: { p13: 1% } } }', /lossState is .*no loss beside it/],
      ['{ network: { lossState: { p13: 60%, p14: 50% } } }', /at most 100% together/],
      ['{ network: { slot: { time: 20ms..10ms } } }', /slot\.time is .*expected a time/],
      ['{ network: { limit: 0 } }', /limit is 0; expected an integer from 1/],
      ['{ statusCheck: { figure: leadersPerTerm } }', /max or min/],
    ] as const
    for (const [step, expected] of cases) {
      const problems = await wrong(`name: a\nphases: [${step}]\n`)
      assert.match(problems[0] ?? '', expected, step)
    }
  })

  test('has options that go together', async () => {
    const text = 'name: a\ncluster:\n  heartbeatMs: 500\nphases: [{ wait: 1s }]\n'
    assert.match(await onlyWrong(text), /^a\.yaml:3:3: cluster\.heartbeatMs is 500; expected less than/)
    const further = 'name: a\ncluster:\n  raft:\n    keepEntrys: 5\nphases: [{ wait: 1s }]\n'
    assert.match(
      await onlyWrong(further),
      /^a\.yaml:4:5: cluster\.raft\.keepEntrys is 5; expected one of the options/,
    )
    assert.match(
      await onlyWrong('name: a\nworkload: { mix: { read: 1, write: 1 } }\nphases: [{ wait: 1s }]\n'),
      /shares that are 1 together, not 2/,
    )
  })

  test('does not contradict itself at one time', async () => {
    const twice = (left: string, right: string): string =>
      `name: a\nphases:\n  - parallel:\n      - ${left}\n      - ${right}\n`
    const split = '{ partition: { split: halves, for: 1s } }'
    assert.match(
      await onlyWrong(twice(split, split)),
      /^a\.yaml:5:\d+: phases\[0\]\.parallel\[1\]\.partition is .*contradicts phases\[0\]\.parallel\[0\]\.partition/,
    )
    const kill = '{ kill: { target: [n1, n2] } }'
    assert.match(await onlyWrong(twice(kill, '{ pause: { target: n2, for: 1s } }')), /contradicts/)
    assert.match(await onlyWrong(twice(kill, '{ heal: all }')), /contradicts/)
    assert.deepEqual(await wrong(twice(kill, '{ pause: { target: n3, for: 1s } }')), [])
    const schedule = (at: string): string =>
      `name: a\nphases:\n  - schedule:\n      - { at: 0s, do: [${split}] }\n      - { at: ${at}, do: [${split}] }\n`
    assert.match(await onlyWrong(schedule('500ms')), /contradicts/)
    assert.deepEqual(await wrong(schedule('1500ms')), [])
  })
})

describe('parameters', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the places of parameters
  const template = 'name: ${nodes} nodes\ncluster: { voters: "${nodes}" }\nphases: [{ wait: "${time}" }]\n'

  test('make a case of each row', async () => {
    const rows = 'parameters:\n  - { nodes: 3, time: 1s }\n  - { nodes: 5, time: 2s }\n'
    const cases = await read(rows + template)
    assert.deepEqual(
      cases.map(({ name, scenario }) => [name, scenario.cluster?.voters]),
      [
        ['3 nodes [nodes=3, time=1s]', 3],
        ['5 nodes [nodes=5, time=2s]', 5],
      ],
    )
  })

  test('are combined where they are lists', async () => {
    const cases = await read(`parameters: { nodes: [1, 3], time: [1s, 2s, 3s] }\n${template}`)
    assert.equal(cases.length, 6)
    assert.equal(new Set(cases.map(({ name }) => name)).size, 6)
  })

  test('that are not there are told of once, with their place', async () => {
    const text = `parameters: { nodes: [1, 3] }\n${template}`
    assert.match(
      await onlyWrong(text),
      /^a\.yaml:4:\d+: phases\[0\]\.wait is "\$\{time\}"; expected names of parameters: nodes/,
    )
  })

  test('have values that are checked like any other', async () => {
    const message = await onlyWrong(`parameters: { nodes: [3, 9], time: [1s] }\n${template}`)
    assert.match(message, /^a\.yaml:3:12: cluster\.voters is 9; expected an integer from 1 to 7/)
  })

  test('are rows, and rows differ', async () => {
    assert.match(await onlyWrong(`parameters: 5\n${template}`), /a list of rows/)
    assert.match(
      await onlyWrong(`parameters: { nodes: 3, time: [1s] }\n${template}`),
      /parameters\.nodes is 3/,
    )
    const row = '  - { nodes: 3, time: 1s }\n'
    assert.match(await onlyWrong(`parameters:\n${row}${row}${template}`), /rows that differ/)
  })
})
