import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { loadFiles } from '../load-files.ts'
import { RunMetrics } from '../metrics/run-metrics.ts'
import { runSuite } from '../run-suite.ts'
import { SimEngine } from '../sim/sim-engine.ts'
import { runScenarioSeed } from '../sim/sim-worker.ts'
import { electionsOf } from './elections.ts'
import { compareLogs, referenceOf } from './log-comparison.ts'
import { ReportFolder } from './report-folder.ts'
import { replicaLagOf, serviceOf } from './service.ts'
import { storyOf } from './story.ts'
import { shortFault } from './words.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-reports-'))
after(() => rmSync(folder, { recursive: true }))

describe('logs beside each other', () => {
  const log = (node: string, ...terms: readonly [from: number, to: number, term: number][]) => ({
    ...{ node, base: 0, commit: 0 },
    terms: terms.map(([from, to, term]) => ({ from, to, term })),
  })

  test('part where the first entry is another, and lack what is behind it', () => {
    const leader = log('n1', [1, 5, 1], [6, 9, 3])
    const logs = [
      leader,
      log('n2', [1, 5, 1], [6, 7, 2]),
      log('n3', [1, 4, 1]),
      log('n4', [1, 5, 1], [6, 9, 3]),
    ]
    assert.equal(referenceOf(logs), leader)
    const told = compareLogs(logs, leader).map(({ parts, parted, missing, terms }) => [
      parts,
      parted,
      missing,
      terms,
    ])
    assert.deepEqual(told, [
      [undefined, 0, 0, []],
      [6, 2, 4, [2]],
      [undefined, 0, 5, []],
      [undefined, 0, 0, []],
    ])
  })

  test('may be longer than that of the leader, and have parted within a term of it', () => {
    const leader = log('n1', [1, 3, 1], [4, 4, 4])
    const [longer] = compareLogs([log('n2', [1, 9, 1])], leader)
    assert.deepEqual([longer?.parts, longer?.parted, longer?.missing], [4, 6, 1])
  })

  test('are the same where one of them is in a snapshot', () => {
    const leader = { ...log('n1', [8, 9, 2]), base: 7 }
    assert.equal(compareLogs([log('n2', [1, 7, 1], [8, 9, 2])], leader)[0]?.parts, undefined)
  })
})

describe('a story', () => {
  const story = storyOf([
    {
      atMs: 0,
      kind: 'run',
      version: 1,
      case: 'a',
      file: 'f',
      engine: 'sim',
      seed: 1,
      nodes: ['n1', 'n2'],
      clients: [],
    },
    { atMs: 1, kind: 'started', node: 'n1', boot: 1 },
    { atMs: 1, kind: 'started', node: 'n2', boot: 1 },
    { atMs: 10, kind: 'role', node: 'n1', role: 'candidate', term: 1 },
    { atMs: 11, kind: 'role', node: 'n2', role: 'candidate', term: 1 },
    { atMs: 30, kind: 'role', node: 'n1', role: 'candidate', term: 2 },
    { atMs: 32, kind: 'role', node: 'n1', role: 'leader', term: 2 },
    { atMs: 40, kind: 'log', node: 'n1', last: 9, lastTerm: 2, commit: 9, applied: 9 },
    { atMs: 40, kind: 'operation', client: 'c1', what: 'write', outcome: 'ok', tookMs: 7 },
    { atMs: 50, kind: 'phase', phase: 'during' },
    { atMs: 50, kind: 'stopped', node: 'n1', boot: 1 },
    { atMs: 50, kind: 'fault', what: 'crash n1 for 30 ms', nodes: ['n1'] },
    { atMs: 80, kind: 'started', node: 'n1', boot: 2 },
    { atMs: 90, kind: 'operation', client: 'c1', what: 'read', outcome: 'open', tookMs: 7 },
    { atMs: 100, kind: 'end', verdict: 'pass' },
  ])

  test('has what each node was, without holes', () => {
    const roles = [...(story.nodes.get('n1') ?? [])].map(({ fromMs, toMs, role, term }) => [
      fromMs,
      toMs,
      role,
      term,
    ])
    assert.deepEqual(roles, [
      [0, 1, 'down', 0],
      [1, 10, 'follower', 0],
      [10, 30, 'candidate', 1],
      [30, 32, 'candidate', 2],
      [32, 50, 'leader', 2],
      [50, 80, 'down', 2],
      [80, 100, 'follower', 2],
    ])
  })

  test('has a crash for as long as the node is down', () => {
    assert.deepEqual(story.faults, [{ what: 'crash n1 for 30 ms', nodes: ['n1'], fromMs: 50, toMs: 80 }])
  })

  test('has elections with what came of them', () => {
    const [split, won] = electionsOf(story.events)
    assert.deepEqual([split?.leader, split?.candidates], [undefined, ['n1', 'n2']])
    assert.deepEqual([won?.leader, won?.electedMs, won?.endedMs, won?.why], ['n1', 32, 50, 'died'])
  })

  test('has what clients got, and how far replicas are behind', () => {
    const { answeredPerSecond, failedPerSecond, p50Ms } = serviceOf(story)
    assert.deepEqual(answeredPerSecond, [0, 0, 50, 0, 0])
    assert.deepEqual(failedPerSecond, [0, 0, 0, 0, 50])
    assert.equal(p50Ms[2], 7)
    const lag = replicaLagOf(story).nodes.map(({ node, entries }) => [node, entries])
    assert.deepEqual(lag, [
      ['n1', [null, null, null, 0, null, null, null, null, null, null]],
      ['n2', Array.from({ length: 10 }, () => null)],
    ])
  })
})

test('a cut is told by its sides, where it has any', () => {
  const cut = (what: string): string => shortFault({ what, nodes: [] })
  assert.equal(cut('cut n1>n2 n2>n1 n1>n3 n3>n1 n1>c1 c1>n1 for 1000000000 ms'), 'cut n1 | n2 n3 c1')
  assert.equal(cut('cut n1>n2 n2>n1 n1>n3 n3>n1 c1>n2 n2>c1 c1>n3 n3>c1 for 9 ms'), 'cut n1 c1 | n2 n3')
  assert.equal(cut('cut n1>n2 n1>n3 for 9 ms'), 'cut n1>n2 n1>n3')
})

const text = `
name: leader <crash>
workload: { clients: 2 }
seeds: { runs: 2 }
phases:
  - kill: { target: leader, downFor: 300ms }
  - until: { is: leader, within: 5s }
  - wait: 200ms
assert:
  - figures: { recoverySecondsDuring: { max: 5 }, timeToReplicatedMsDuring: { max: 5000 } }
  - figures: { termChangesPerMinuteDuring: { min: 1 }, leadershipsPerNode: { max: 5 }, splitVotes: { max: 20 } }
`

test('a report has a page that stands alone for the suite and for each run that matters', async (t) => {
  const file = join(folder, 'case.yaml')
  writeFileSync(file, text)
  const engine = new SimEngine({ threads: 1 })
  t.after(() => engine.close())
  const report = new ReportFolder(join(folder, 'report'), 'pnpm troupe run case.yaml')
  const metrics = new RunMetrics()
  const seen: string[] = []
  const result = await runSuite(await loadFiles([file]), {
    ...{ engines: [engine], engine: 'sim', signal: AbortSignal.timeout(60_000) },
    eventLogFolder: report.eventLogFolder,
    onProgress: ({ runs, ofRuns, cases }) => void seen.push(`${runs}/${ofRuns} ${cases}`),
    onRun: ({ name }, ran, run) => metrics.ran(name, ran, run),
    onCase: (one) => report.writeCase(one),
  })
  report.writeSuite(result)
  assert.equal(result.verdict, 'pass', JSON.stringify(result.cases[0]?.asserted))
  assert.deepEqual(seen, ['1/2 0', '2/2 0', '2/2 1'])
  const read = (name: string): string => readFileSync(join(folder, 'report', name), 'utf8')
  const results = JSON.parse(read('results.json'))
  assert.equal(results.schema, 1)
  const [{ files, seed }] = results.cases[0].shown
  assert.equal(seed, 1)
  for (const name of [files.page, files.events, files.shiviz])
    assert.ok(existsSync(join(folder, 'report', name)))
  const page = read(files.page)
  for (const words of [
    'is leader in term 1',
    '1 fault within',
    'Before, during and after',
    'election safety',
    '--from 1',
  ])
    assert.ok(page.includes(words), words)
  assert.ok(page.includes('leader &lt;crash&gt;') && !page.includes('<crash>'))
  const index = read('index.html')
  assert.ok(index.includes(`href="${files.page}"`))
  for (const text of [page, index]) {
    const bare = text.replaceAll(/<!--.*?-->/gs, '').replaceAll(/\/\*!.*?\*\//gs, '')
    assert.doesNotMatch(bare, /https?:|<(?:script|img|iframe)\b[^>]*\ssrc=|<link|@import|url\(/)
  }
  assert.match(
    metrics.text,
    /troupe_lab_recovery_time_s\{case="leader <crash>",engine="sim",phase="during",quantile="0.5"\} 0\.\d+/,
  )
})

test('a run that fails has why, and what happened last', async () => {
  const file = join(folder, 'unknown.yaml')
  writeFileSync(file, 'name: b\nphases:\n  - until: { is: noLeader, within: 50ms }\n')
  const [loaded] = await loadFiles([file])
  assert.ok(loaded)
  const run = runScenarioSeed(loaded.item.scenario, 1)
  assert.equal(run.verdict, 'unknown')
  const engine = new SimEngine({ threads: 1 })
  try {
    const report = new ReportFolder(join(folder, 'unknown'), 'x')
    const result = await runSuite([loaded], {
      ...{ engines: [engine], engine: 'sim', runs: 3, signal: AbortSignal.timeout(60_000) },
      eventLogFolder: report.eventLogFolder,
      onCase: (one) => report.writeCase(one),
    })
    const [shown] = result.cases[0]?.shown ?? []
    assert.equal(result.cases[0]?.shown.length, 3)
    const page = readFileSync((shown?.eventLog ?? '').replace('.ndjson', '.html'), 'utf8')
    assert.match(page, /This run shows nothing: not within 50 ms: noLeader/)
    assert.match(page, /The last things that happened/)
  } finally {
    await engine.close()
  }
})
