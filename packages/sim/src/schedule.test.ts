import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { plainPlan, planOf } from './plan.ts'
import { run } from './run.ts'
import { parseSchedule, printSchedule, type Schedule } from './schedule.ts'
import { isFrameDeed, type Step } from './step.ts'

const plain: Schedule = {
  plan: { ...plainPlan, voters: 5, knobs: { ...plainPlan.knobs, preVote: false } },
  steps: [
    { atMs: 1.5, do: 'write', client: 'c1', key: 'k0', conditional: false, withinMs: 100 },
    { atMs: 2, do: 'cut', links: ['n1>n2', 'c1>n2'], forMs: 20 },
    { atMs: 2, do: 'changeMembers', changes: [{ kind: 'remove', id: 'n3' }], leave: 'auto' },
    { atMs: 3, do: 'delay', link: 'n1>n2', frame: 4, byMs: 7 },
  ],
  fails: { kind: 'invariant', invariant: 'log matching' },
}

describe('a run that is written down', () => {
  test('does the same again, byte for byte, from its steps alone', () => {
    for (let seed = 201; seed <= 212; seed++) {
      const plan = planOf({ seed, seconds: 2 })
      const steps: Step[] = []
      const drawn = run({ plan, onStep: (step) => void (isFrameDeed(step) || steps.push(step)) })
      const again = run(parseSchedule(printSchedule({ plan, steps })))
      assert.equal(again.traceHash, drawn.traceHash, `seed ${seed}`)
      assert.deepEqual(again.verdict, drawn.verdict)
    }
  })

  test('is not changed by whoever writes it down', () => {
    const plan = planOf({ seed: 213, seconds: 2 })
    assert.equal(run({ plan, onStep: () => {} }).traceHash, run({ plan }).traceHash)
  })
})

describe('the file of a schedule', () => {
  test('says only what is not as in the plainest plan, with a line for each step', () => {
    const text = printSchedule(plain)
    assert.deepEqual(JSON.parse(text).plan, { voters: 5, knobs: { preVote: false } })
    assert.equal(text.split('\n').filter((line) => line.includes('"atMs"')).length, plain.steps.length)
  })

  test('comes back as it was', () => {
    const { mutant: _, ...read } = parseSchedule(printSchedule(plain))
    assert.deepEqual(read, plain)
    assert.equal(parseSchedule(printSchedule({ ...plain, mutant: 'some-slip' })).mutant, 'some-slip')
    assert.deepEqual(parseSchedule(printSchedule({ plan: plainPlan, steps: [] })).steps, [])
  })

  const broken: [what: string, change: (file: Record<string, unknown>) => unknown, field: string][] = [
    ['no object', () => 7, 'schedule'],
    ['another format', (file) => ({ ...file, format: 2 }), 'format'],
    ['no steps', ({ steps: _, ...file }) => file, 'steps'],
    ['an unknown option', (file) => ({ ...file, plan: { knobs: { speed: 1 } } }), 'plan.knobs.speed'],
    ['an option of another type', (file) => ({ ...file, plan: { voters: '3' } }), 'plan.voters'],
    ['no voters', (file) => ({ ...file, plan: { voters: 0 } }), 'plan.voters'],
    [
      'timeouts that do not fit',
      (file) => ({ ...file, plan: { knobs: { electionTimeoutMinMs: 900 } } }),
      'raft.electionTimeoutMaxMs',
    ],
    [
      'an unknown order of turns',
      (file) => ({ ...file, plan: { interleaving: 'odd' } }),
      'plan.interleaving',
    ],
    ['an unknown deed', (file) => ({ ...file, steps: [{ atMs: 1, do: 'explode' }] }), 'steps[0].do'],
    ['a step without its node', (file) => ({ ...file, steps: [{ atMs: 1, do: 'wipe' }] }), 'steps[0].node'],
    [
      'a field too many',
      (file) => ({ ...file, steps: [{ atMs: 1, do: 'wipe', node: 'n1', x: 1 }] }),
      'steps[0].x',
    ],
    [
      'a time that is no time',
      (file) => ({ ...file, steps: [{ atMs: -1, do: 'wipe', node: 'n1' }] }),
      'steps[0].atMs',
    ],
    [
      'steps that go back in time',
      (file) => ({
        ...file,
        steps: [
          { atMs: 2, do: 'wipe', node: 'n1' },
          { atMs: 1, do: 'wipe', node: 'n1' },
        ],
      }),
      'steps[1].atMs',
    ],
    ['a failure of no kind', (file) => ({ ...file, fails: { kind: 'odd' } }), 'fails.kind'],
    ['a mutant without a name', (file) => ({ ...file, mutant: 3 }), 'mutant'],
  ]
  for (const [what, change, field] of broken) {
    test(`with ${what} is refused by that field`, () => {
      const text = JSON.stringify(change(JSON.parse(printSchedule(plain)) as Record<string, unknown>))
      assert.throws(
        () => parseSchedule(text),
        (error: unknown) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === field,
      )
    })
  }

  test('that is no JSON is refused', () => {
    assert.throws(() => parseSchedule('steps:'), /schedule is .*expected JSON/)
  })
})

describe('what is done to single frames', () => {
  const writes: Step[] = [
    { atMs: 500, do: 'write', client: 'c1', key: 'k0', conditional: false, withinMs: 5000 },
  ]
  const done = (steps: readonly Step[]) => run({ plan: { ...plainPlan, faultMs: 1000 }, steps })

  test('is done, and the cluster lives with it', () => {
    const links = ['n1>n2', 'n2>n1', 'n1>n3', 'n3>n1', 'n2>n3', 'n3>n2']
    const frames = (what: 'lose' | 'repeat' | 'spoil'): Step[] =>
      links.map((link) => ({ atMs: 600, do: what, link, frame: 1 }))
    assert.equal(done(writes).coverage.framesLost, 0)
    // Not every link has a frame after that time.
    const { framesLost } = done([...writes, ...frames('lose')]).coverage
    assert.ok(framesLost > 1 && framesLost <= links.length, `${framesLost} lost`)
    assert.ok(done([...writes, ...frames('spoil')]).coverage.framesCorrupted > 1)
    for (const what of ['lose', 'repeat', 'spoil'] as const) {
      assert.equal(done([...writes, ...frames(what)]).verdict, 'pass')
    }
  })

  test('a late one is late', () => {
    const late: Step = { atMs: 1, do: 'delay', link: 'n1>n2', frame: 2, byMs: 30 }
    assert.notEqual(done([late, ...writes]).traceHash, done(writes).traceHash)
    assert.equal(done([late, ...writes]).verdict, 'pass')
  })
})
