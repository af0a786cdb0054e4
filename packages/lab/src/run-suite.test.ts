import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { CaseRun, Engine } from './engine.ts'
import { loadFiles } from './load-files.ts'
import { junitOf } from './reports/junit.ts'
import { runSuite, type SuiteOptions, type SuiteResult } from './run-suite.ts'
import { ScenarioError } from './scenario/problems.ts'
import { SimEngine } from './sim/sim-engine.ts'
import { runScenarioSeed } from './sim/sim-worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-lab-'))
after(() => rmSync(folder, { recursive: true }))

/** Runs what it is told to have come to. */
class ToldEngine implements Engine {
  readonly name = 'sim'
  readonly defaultSeeds = { base: 1, runs: 3 }
  readonly #told: (seed: number) => Partial<CaseRun>

  constructor(told: (seed: number) => Partial<CaseRun>) {
    this.#told = told
  }

  unable(): [] {
    return []
  }

  async run({ seeds, onRun }: Parameters<Engine['run']>[0]): Promise<void> {
    for (const seed of seeds) onRun({ ...plainRun, seed, ...this.#told(seed) })
  }

  reproduce(): string {
    return 'again & again'
  }

  async close(): Promise<void> {}
}

const plainRun: CaseRun = {
  ...{ seed: 0, verdict: 'pass', failure: undefined, reason: undefined, events: 1, elapsedMs: 1 },
  ...{ situations: {}, figures: {}, applied: 1, skipped: 0, isHistoryDecided: true },
  ...{ traceHash: undefined, timeline: undefined },
}

async function runText(text: string, engine: Engine, more: Partial<SuiteOptions> = {}): Promise<SuiteResult> {
  const file = join(folder, 'scenario.yaml')
  writeFileSync(file, `name: a <case>\nphases: [{ wait: 1ms }]\n${text}`)
  const { signal } = new AbortController()
  return runSuite(await loadFiles([file]), { engines: [engine], engine: 'sim', signal, ...more })
}

const failure = { invariant: 'log matching', message: 'they differ', atMs: 5 }
const failing = (at: number) => (seed: number) => (seed === at ? ({ verdict: 'fail', failure } as const) : {})

describe('the verdict on a case', () => {
  const verdictOf = async (text: string, told: (seed: number) => Partial<CaseRun>): Promise<string> =>
    (await runText(text, new ToldEngine(told))).verdict

  test('is pass where every run passed, fail where one failed, unknown where one shows nothing', async () => {
    assert.equal(await verdictOf('', () => ({})), 'pass')
    assert.equal(await verdictOf('', failing(2)), 'fail')
    assert.equal(
      await verdictOf('', (seed) => (seed === 2 ? { verdict: 'unknown', reason: 'idle' } : {})),
      'unknown',
    )
  })

  test('is unknown where a trap was reached in no run', async () => {
    const text = 'assert: [{ sometimes: [split vote, log overwritten] }]\n'
    const reached = { 'split vote': 1, 'log overwritten': 2 }
    assert.equal(await verdictOf(text, (seed) => ({ situations: seed === 2 ? reached : {} })), 'pass')
    assert.equal(await verdictOf(text, () => ({ situations: { 'split vote': 9 } })), 'unknown')
  })

  test('is fail where what never happens did', async () => {
    const text = 'assert: [{ never: [split vote] }]\n'
    assert.equal(await verdictOf(text, () => ({})), 'pass')
    assert.equal(await verdictOf(text, () => ({ situations: { 'split vote': 1 } })), 'fail')
  })

  test('holds figures to their bounds, over all runs', async () => {
    const text =
      'assert: [{ figures: { timeToLeaderMs: { max: 300, p50: 100 }, writesDuring: { min: 5 } } }]\n'
    const told = (timeMs: number, writes: number) => (seed: number) => {
      return { figures: { timeToLeaderMs: [50, seed === 3 ? timeMs : 60], writesDuring: [writes] } }
    }
    assert.equal(await verdictOf(text, told(300, 5)), 'pass')
    assert.equal(await verdictOf(text, told(301, 5)), 'fail')
    assert.equal(await verdictOf(text, told(300, 4)), 'fail')
    assert.equal(await verdictOf(text, () => ({})), 'unknown')
  })

  test('is unknown where a history that was to be decided was not', async () => {
    const text = 'assert: [{ linearizable: true }]\n'
    assert.equal(await verdictOf(text, () => ({})), 'pass')
    assert.equal(await verdictOf(text, (seed) => ({ isHistoryDecided: seed !== 2 })), 'unknown')
  })

  test('of what is expected to break is pass where it did, in that way alone', async () => {
    const text = 'expect: { fail: [log matching] }\n'
    assert.equal(await verdictOf(text, failing(2)), 'pass')
    assert.equal(await verdictOf(text, () => ({})), 'unknown')
    assert.equal(await verdictOf('expect: { fail: [monotonic] }\n', failing(2)), 'fail')
  })
})

describe('a suite', () => {
  test('tells JUnit of failures and of what could not be decided, with what to type', async () => {
    const xml = junitOf(await runText('', new ToldEngine(failing(2))))
    assert.match(xml, /tests="1" failures="1" errors="0"/)
    assert.match(xml, /name="a &lt;case&gt;"/)
    assert.match(xml, /<failure message="1 of 3 runs failed, seed 2: log matching: they differ">/)
    assert.match(xml, /reproduce: again &amp; again/)
    const unknown = junitOf(await runText('', new ToldEngine(() => ({ verdict: 'unknown', reason: 'idle' }))))
    assert.match(unknown, /<error message="3 of 3 runs show nothing, seed 1: idle">/)
  })

  test('is refused where the engine cannot do it, before anything runs', async () => {
    let runs = 0
    const engine = new SimEngine()
    engine.run = async () => void runs++
    for (const [text, expected] of [
      ['cluster: { durability: acked-before-flush }\n', /"acked-before-flush"; expected flush-before-ack/],
      [
        'setup: [{ toxic: { type: timeout, from: n1, to: n2, attributes: { timeout: 1s } } }]\n',
        /setup\[0\]\.toxic is "timeout"; expected link or network/,
      ],
      ['cluster: { durability: memory }\n', /cluster\.durability is "memory"; expected flush-before-ack/],
      ['engine: [moon]\n', /engine\[0\] is "moon"; expected one of sim, threads, tcp/],
      ['assert: [{ custom: { name: mine } }]\n', /assert\[0\]\.custom\.name is "mine"/],
    ] as const) {
      await assert.rejects(runText(text, engine), (error) => {
        assert.ok(error instanceof ScenarioError)
        assert.match(error.message, expected)
        return true
      })
    }
    await assert.rejects(
      runText('engine: [threads]\n', engine),
      /expected an engine that one of the cases names/,
    )
    assert.equal(runs, 0)
  })

  test('has assertions of plug-ins', async () => {
    const module =
      "export const assertions = [{ name: 'mine', check: (runs, options) => [{ name: 'mine', verdict: options, text: '' }] }]\n"
    writeFileSync(join(folder, 'mine.mjs'), module)
    const text = (verdict: string): string =>
      `plugins: [./mine.mjs]\nassert: [{ custom: { name: mine, with: ${verdict} } }]\n`
    const engine = new ToldEngine(() => ({}))
    assert.equal((await runText(text('pass'), engine)).verdict, 'pass')
    assert.equal((await runText(text('fail'), engine)).verdict, 'fail')
    await assert.rejects(runText('plugins: [./none.mjs]\n', engine), /plugins is .*modules of plug-ins/)
  })

  test('of files that are not there, or of an empty folder, says so', async () => {
    await assert.rejects(loadFiles([join(folder, 'none.yaml')]), /a file or a folder that is there/)
    await assert.rejects(loadFiles([mkdtempSync(join(folder, 'empty-'))]), /a folder with scenarios/)
  })
})

describe('the engine sim', () => {
  const text = [
    'workload: { clients: 1 }',
    'phases:',
    '  - kill: { target: leader, downFor: 300ms }',
    '  - until: { is: leader, within: 5s }',
    '  - wait: 200ms',
  ]

  const caseOf = async () => {
    const file = join(folder, 'kill.yaml')
    writeFileSync(file, `name: kill\n${text.join('\n')}\n`)
    const [loaded] = await loadFiles([file])
    assert.ok(loaded)
    return loaded
  }

  test('plays a scenario, measures it, and does the same again', async () => {
    const { scenario } = (await caseOf()).item
    const run = runScenarioSeed(scenario, 5)
    assert.equal(run.verdict, 'pass', run.failure?.message ?? run.reason ?? '')
    assert.equal(run.applied, 1)
    assert.ok((run.figures.writesBefore?.[0] ?? 0) >= 10, 'it did work before')
    assert.equal(run.figures.timeToLeaderMs?.length, 1)
    assert.ok((run.figures.termGrowthDuring?.[0] ?? 0) >= 1)
    assert.ok((run.figures.healToReplicatedMs?.length ?? 0) === 1)
    assert.equal(runScenarioSeed(scenario, 5).traceHash, run.traceHash)
    assert.notEqual(runScenarioSeed(scenario, 6).traceHash, run.traceHash)
  })

  test('shows nothing where what is waited for does not come', async () => {
    const { scenario } = (await caseOf()).item
    const phases = [{ until: { reached: 'snapshot came during a joint configuration', within: 50 } }] as const
    const run = runScenarioSeed({ ...scenario, phases }, 5)
    assert.deepEqual(
      [run.verdict, run.reason],
      ['unknown', 'not within 50 ms: snapshot came during a joint configuration'],
    )
  })
})
