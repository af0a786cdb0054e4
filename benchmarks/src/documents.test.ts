/** What `bench main`, `bench latency` and `bench compare` write, held against what docs/benchmark-json.md says of it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compareCommandOf } from './compare/compare.ts'
import type { Contestant, ContestRun, Facts } from './compare/contestant.ts'
import { type Written, written } from './in-process.fixture.ts'
import { latencyCommand } from './latency/latency-bench.ts'
import { summarize } from './latency.ts'
import { mainCommand } from './main-job.ts'

const schema = readFileSync(new URL('../../docs/benchmark-json.md', import.meta.url), 'utf8').split(/^## /m)

/** The names in the first column of a section's table. */
function documented(title: string): string[] {
  const section = schema.find((part) => part.startsWith(title))
  assert.ok(section !== undefined, `docs/benchmark-json.md has “${title}”`)
  const cells = [...section.matchAll(/^\| (`.*?) *\|/gm)].map(([, cell]) => cell ?? '')
  return cells.flatMap((cell) => [...cell.matchAll(/`(.+?)`/g)].map(([, name]) => name ?? ''))
}

/** All that is documented is there, but for `absent`, and nothing else. */
function assertFields(
  value: object,
  title: string,
  absent: readonly string[] = [],
  more: readonly string[] = [],
) {
  const expected = [...documented(title).filter((name) => !absent.includes(name)), ...more]
  assert.deepEqual(Object.keys(value).sort(), expected.sort())
}

/** A line for each row, with the same figures, and without pictures. */
function assertCsv({ csv, document }: Written, ...names: readonly string[]) {
  const [titles = [], ...lines] = csv
  assert.equal(lines.length, document.runs.length)
  assert.ok(titles.every((title) => !/^(timeline|distribution|serviceDistribution)/.test(title)))
  for (const name of names) {
    const column = titles.indexOf(name)
    const values = lines.map((cells) => Number(cells[column]))
    const field = (row: Record<string, unknown>): unknown =>
      name.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], row)
    assert.deepEqual(values, document.runs.map(field), name)
  }
}

const pictures = ({ html }: Written): (string | undefined)[] =>
  [...html.matchAll(/<figcaption><strong>(.*?)<\/strong>/g)].map(([, title]) => title)

/** It stands alone: nothing of it is loaded from anywhere. */
const assertAlone = ({ html }: Written): void =>
  assert.equal(html.match(/<link|<(?:script|img)\b[^>]*\ssrc=|@import/g), null)

const small = { keys: 200, seed: 7 }

// Two clusters and a crash: some seconds of processor time.
const skip = process.env['TROUPE_FULL'] === '1' ? false : 'with --full'

test('bench main: throughput, elections and their checks in one document', { skip }, async () => {
  const load = { window: [4], seconds: 0.1, repeat: 1, trials: 1, rate: 300 }
  const all = await written(mainCommand, { ...small, ...load })
  const { code, document, stdout, markdown } = all
  assert.equal(code, 0, stdout)
  assertFields(document, '# The JSON of', [], ['trials'])
  assert.deepEqual([document.schema, document.benchmark, document.verdict], [1, 'main', 'pass'])
  assert.match(document.command, /^pnpm troupe bench main --window 4 --seconds 0\.1 --repeat 1 --trials 1 /)
  const unasked = [
    'reads',
    'writes',
    'rig',
    'opsRatioToRig',
    'p50RatioToRig',
    'stages',
    'profiles',
    'aroundFault',
  ]
  for (const row of document.runs) assertFields(row, 'Rows of `throughput`', unasked)
  const { throughput, election } = document.headline
  assert.ok(
    document.runs.some(
      ({ opsPerSecond }: { opsPerSecond: number }) => opsPerSecond === throughput.opsPerSecond,
    ),
  )
  assert.equal(election.timeToFirstCommitMs.samples, 1)
  assert.equal(document.trials.length, 1)
  for (const { acknowledged, lost, duplicated, digestsEqual } of Object.values<Record<string, unknown>>(
    document.verification,
  )) {
    assert.ok(Number(acknowledged) > 0)
    assert.deepEqual([lost, duplicated, digestsEqual], [0, 0, true])
  }
  assertCsv(all, 'window', 'opsPerSecond', 'latencyMs.p50')
  assert.match(markdown, /^\| outstanding \| op\/s \|/m)
  assert.match(markdown, /fault to first commit under it/)
  assert.deepEqual(pictures(all).slice(0, 2), [`${throughput.window} outstanding`, 'Latency by load'])
  assertAlone(all)
})

test('bench latency: both latencies of each run, and where the time went', async () => {
  const load = {
    nodes: 1,
    rate: 400,
    seconds: 0.3,
    'warmup-seconds': 0,
    durability: 'memory',
    stages: true,
  } as const
  const all = await written(latencyCommand, { ...small, ...load })
  const { code, document, stdout, markdown } = all
  assert.equal(code, 0, stdout)
  assertFields(document, '# The JSON of', ['spreads'], ['spread'])
  assert.deepEqual([document.benchmark, document.verdict], ['latency', 'pass'])
  for (const row of document.runs) {
    assertFields(row, 'Rows of `latency`', ['reads', 'aroundFault', 'profiles'])
    const { latencyMs, serviceLatencyMs, stages, ratePerSecond, capacityPerSecond } = row
    assert.ok(latencyMs.samples === serviceLatencyMs.samples && latencyMs.p50 >= serviceLatencyMs.p50)
    assert.deepEqual([ratePerSecond, capacityPerSecond], [400, null])
    assert.ok(stages.frames > 0 && stages.stages.length === 12)
  }
  assert.deepEqual(
    ['timeline', 'distribution', 'serviceDistribution', 'stages'].map((name) => document.headline[name]),
    Array(4).fill(undefined),
  )
  assert.equal(document.spread.median, document.headline.latencyMs.p99)
  assertCsv(all, 'ratePerSecond', 'latencyMs.p50', 'serviceLatencyMs.max')
  assert.match(markdown, /^\| 400 \| .* \| intended start \|/m)
  assert.match(markdown, /^\| flushed \|/m)
  assert.deepEqual(pictures(all), ['400 commands/s', 'Latency'])
  assertAlone(all)
})

/** A contestant that says what it was told to, without any server. */
function contestant(
  name: string,
  more: Partial<Facts>,
  run: (window: number) => Partial<ContestRun>,
): Contestant {
  const facts: Facts = {
    ...{ name, title: `The ${name}`, transport: 'TCP, loopback', isDurable: true },
    ...{ acknowledgement: 'durable: said so', configuration: 'none', recommendation: 'none', ...more },
  }
  const counts = { lost: 0, duplicated: 0, reordered: null, unknown: 0, refused: 0, clientUtilisation: 0.5 }
  return {
    facts,
    startMs: 1,
    missing: () => undefined,
    start: async () => ({
      version: '1.2.3',
      run: async ({ window }) => ({
        ...{ opsPerSecond: 100 * window, commands: 100 * window, latencyMs: summarize([1, 2, 3]) },
        ...counts,
        ...run(window),
      }),
    }),
  }
}

const ours = contestant('ours', { isOurs: true }, () => ({ reordered: 0 }))
const peer = contestant('peer', { isDurable: false, acknowledgement: 'not durable: said so' }, (window) => ({
  opsPerSecond: 50 * window,
  refused: 1,
}))
const absent: Contestant = {
  ...contestant('absent', {}, () => ({})),
  missing: () => ({ what: 'absentd', install: 'apt-get install absentd' }),
}

test('bench compare: a row of each contestant and window, and what each acknowledgement means', async () => {
  let left = 0
  const guest: Contestant = {
    ...ours,
    start: async (...given) => ({ ...(await ours.start(...given)), leave: async () => void left++ }),
  }
  const command = compareCommandOf(() => [guest, peer, absent])
  const all = await written(command, { ...small, window: [1, 8], repeat: 3 })
  const { code, document, stdout, markdown } = all
  assert.equal(code, 0, stdout)
  assertFields(document, '# The JSON of', ['verification', 'spreads'], ['contestants'])
  assert.deepEqual([document.benchmark, document.verdict], ['compare', 'pass'])
  assert.equal(document.runs.length, 2 * 2 * 3)
  for (const row of document.runs) assertFields(row, 'Rows of `compare`')
  const { rows } = document.headline
  assert.deepEqual(
    rows.map(({ contestant, window, opsPerSecond, troupeToPeer, refused }: Record<string, unknown>) => [
      ...[contestant, window, opsPerSecond, troupeToPeer, refused],
    ]),
    [
      ['ours', 1, 100, null, 0],
      ['peer', 1, 50, 2, 3],
      ['ours', 8, 800, null, 0],
      ['peer', 8, 400, 2, 3],
    ],
  )
  assert.deepEqual(
    document.contestants.map(({ name, kind, version }: Record<string, unknown>) => [name, kind, version]),
    [
      ['ours', 'measured', '1.2.3'],
      ['peer', 'measured', '1.2.3'],
      ['absent', 'skipped', null],
    ],
  )
  assert.equal(left, 3, 'after each repeat')
  assertCsv(all, 'window', 'repeat', 'opsPerSecond', 'refused')
  assert.match(markdown, /^\| 8 \| The peer \| TCP, loopback \| no \| 400 \|/m)
  assert.match(markdown, /^- \*\*The absent\*\*: skipped, absentd not found; `apt-get install absentd`$/m)
  const shown = ['Acknowledged per second, 1 outstanding', 'Acknowledged per second, 8 outstanding']
  assert.deepEqual(pictures(all), shown)
  assertAlone(all)
})

test('bench compare: a contestant that fails leaves it undecided, a loss of ours fails it', async () => {
  const broken: Contestant = { ...peer, start: () => Promise.reject(new Error('it has ended')) }
  const undecided = await written(
    compareCommandOf(() => [ours, broken]),
    { ...small, window: [1], repeat: 1 },
  )
  assert.deepEqual([undecided.code, undecided.document.verdict], [2, 'unknown'])
  assert.match(undecided.stdout, /failed: it has ended/)
  const lossy = contestant('ours', { isOurs: true }, () => ({ lost: 1 }))
  const lost = await written(
    compareCommandOf(() => [lossy, peer]),
    { ...small, window: [1], repeat: 1 },
  )
  assert.deepEqual([lost.code, lost.document.verdict], [1, 'fail'])
})
