/** The `troupe bench` commands as a user types them, with a real cluster and small sizes: some as a child process. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type Ended, TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
const { scratch } = command
after(() => command.remove())

/** Small and quick; the figures mean nothing. */
const small = ['--keys', '500', '--seed', '7']

/** Where a run writes each kind of output, and what it wrote. */
function outputs(name: string) {
  const at = (ending: string): string => join(scratch, 'outputs', `${name}.${ending}`)
  const read = (ending: string): string => readFileSync(at(ending), 'utf8')
  return {
    args: ['--json', at('json'), '--csv', at('csv'), '--markdown', at('md'), '--html', at('html')],
    document: () => JSON.parse(read('json')),
    rows: () => read('csv').trimEnd().split('\r\n'),
    markdown: () => read('md'),
    page: () => read('html'),
    /** Titles and kinds of the page's pictures. */
    pictures: () =>
      [...read('html').matchAll(/<figcaption><strong>(.*?)<\/strong>/g)].map(([, title]) => title),
  }
}

type Run = (...args: readonly string[]) => Promise<Ended & { readonly left: string[] }>

const run: Run = (...args) => command.runHere('bench', ...args)
const runAsChild: Run = (...args) => command.run('bench', ...args)

describe('bench queue', () => {
  test('measures each way once, and says under which conditions', async () => {
    const { args, document, rows } = outputs('queue')
    const small = ['--seconds', '0.2', '--repeat', '1', '--compare', 'bullmq']
    const { code, stdout, stderr, left } = await run('queue', ...small, ...args)
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { runs, headline, notes } = document()
    const ours = runs.filter(({ contestant }: { contestant: string }) => contestant === 'troupe')
    assert.deepEqual(
      ours.map(({ what }: { what: string }) => what),
      ['sendMany', 'all the way', 'single sends', 'latency', 'leader crash'],
    )
    for (const { conditions } of runs) assert.match(conditions, /256 B/)
    // Where Redis or its client is missing a word says so.
    assert.equal(runs.length + 2 * notes.length, 7, stdout)
    assert.ok(headline.goals.length >= 6)
    assert.equal(rows().length, runs.length + 1)
  })

  test('says how to start a cluster where none answers', async () => {
    const { code, stderr } = await run('queue', '--connect', '127.0.0.1:1')
    assert.equal(code, 64)
    assert.match(
      stderr,
      /--connect is "127\.0\.0\.1:1"; expected a cluster that runs; `pnpm troupe up .*` starts one/,
    )
  })
})

describe('bench topology', () => {
  test('puts mesh, ring and star side by side, and each loss below', async () => {
    const { args, document, rows, markdown } = outputs('topology')
    const times = ['--seconds', '0.2', '--warmup-seconds', '0.1', '--window', '16', '--repeat', '1']
    const sizes = ['--watch-ms', '100', '--nodes', '4']
    const { code, stdout, stderr, left } = await run('topology', ...small, ...times, ...sizes, ...args)
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    assert.match(stdout, /ring +4 +1\.33 +2/)
    assert.match(markdown(), /\| star \| 5 \|/)
    const { headline, runs, losses, lossesSummed } = document()
    assert.deepEqual(Object.keys(headline), ['mesh', 'ring', 'star'])
    assert.deepEqual(
      ['mesh', 'ring', 'star'].map((topology) => headline[topology].connections),
      [6, 4, 5],
    )
    for (const { opsPerSecond, hopsMeasured } of runs) assert.ok(opsPerSecond > 0 && hopsMeasured >= 1)
    assert.ok(headline.ring.hopsMeasured > 1)
    assert.equal(losses.length, 12)
    for (const { pauseMs, cutPairs } of losses) assert.ok(pauseMs > 0 && cutPairs === 0)
    assert.deepEqual(
      lossesSummed.map(({ reached }: { reached: boolean }) => reached),
      losses.map(() => true),
    )
    assert.equal(rows().length, 4)
  })

  test('refuses nodes that could not come back', async () => {
    const { code, stderr } = await run('topology', '--durability', 'memory')
    assert.equal(code, 64)
    assert.match(stderr, /--durability is "memory"; expected flush-before-ack/)
  })
})

describe('bench throughput', () => {
  test('measures, verifies and writes one JSON document', async () => {
    const path = join(scratch, 'throughput.json')
    const sizes = ['--window', '1,16', '--seconds', '0.3', '--warmup-seconds', '0.1', '--rig']
    const { code, stdout, stderr, left } = await runAsChild('throughput', ...small, ...sizes, '--json', path)
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    assert.match(stdout, /outstanding +op\/s +p50 ms/)
    assert.match(stdout, /0 lost, 0 applied twice, 0 out of order; replicas equal/)

    const document = JSON.parse(readFileSync(path, 'utf8'))
    assert.deepEqual(Object.keys(document).slice(0, 4), ['schema', 'benchmark', 'headline', 'verdict'])
    const { headline, verdict, environment, configuration } = document
    assert.equal(verdict, 'pass')
    assert.ok(headline.opsPerSecond > 0 && headline.latencyMs.p50 > 0)
    assert.deepEqual([headline.lost, headline.duplicated, headline.unknown], [0, 0, 0])
    assert.equal(environment.nodeVersion, process.version)
    assert.equal(environment.durability, 'flush-before-ack')
    assert.equal(typeof environment.fileSystem.durable, 'boolean')
    assert.equal(configuration.sizeBytes, 64)
    assert.deepEqual(
      document.runs.map(({ window }: { window: number }) => window),
      [1, 16],
    )
    for (const { elections, commandsPerEntry, rig, opsRatioToRig } of document.runs) {
      // On a busy machine there may be some: what the engine does by itself is asked in calm.test.ts.
      assert.ok(Number.isInteger(elections))
      assert.ok(commandsPerEntry >= 1 && rig.opsPerSecond > 0 && opsRatioToRig > 0)
    }
  })

  test('counts the positions of a log, and keeps the data where --data says', async () => {
    const data = join(scratch, 'kept')
    const times = ['--seconds', '0.2', '--warmup-seconds', '0.1']
    const sizes = ['--machine', 'log', '--batch', '8', '--window', '4', ...times, '--data', data]
    const { code, stdout, stderr } = await run('throughput', ...small, ...sizes, '--json', '-')
    assert.equal(code, 0, stderr)
    const { verification, headline } = JSON.parse(stdout)
    assert.equal(headline.batch, 8)
    assert.ok(verification.acknowledged > 0)
    assert.deepEqual([verification.lost, verification.duplicated], [0, 0])
    assert.ok(readdirSync(data).length > 0)
    assert.match(stderr, /outstanding +batch +op\/s/)

    const again = await run('throughput', ...sizes)
    assert.equal(again.code, 64)
    assert.match(again.stderr, /^troupe: --data is .* expected a directory that is empty or not there yet\n$/)
  })

  test('says in which stages commands spend their time, and what the actors do', async () => {
    const profiles = join(scratch, 'profiles')
    const sizes = ['--window', '64', '--seconds', '0.5', '--warmup-seconds', '0.1', '--durability', 'memory']
    const asked = ['--stages', '--profile', profiles, '--json', '-']
    const { code, stdout, stderr } = await run('throughput', ...small, ...sizes, ...asked)
    assert.equal(code, 0, stderr)
    assert.match(stderr, /^flushed +[\d.]+ +[\d.]+/m)
    assert.match(stderr, / \(leader\): [\d.]+ % busy/)
    const { runs, headline } = JSON.parse(stdout)
    const [{ stages, profiles: actors }] = runs
    assert.ok(stages.frames > 0 && stages.total.p50Ms > 0 && stages.nodes.length === 3)
    assert.equal(stages.stages.length, 12)
    assert.deepEqual([headline.stages, headline.profiles], [undefined, undefined])
    assert.deepEqual(actors.map(({ actor }: { actor: string }) => actor).sort(), ['load', 'n1', 'n2', 'n3'])
    for (const { file, functions } of actors) {
      assert.ok(functions.length > 0)
      assert.ok(JSON.parse(readFileSync(file, 'utf8')).nodes.length > 0)
    }
    assert.equal(readdirSync(profiles).length, 4)
  })

  test('under a fault it tells of before, during and after', async () => {
    const files = outputs('faulty')
    const load = ['--window', '8', '--warmup-seconds', '0.3', '--seconds', '0.5', '--fault', 'delay']
    const { code, stdout, stderr } = await run('throughput', ...small, ...load, ...files.args)
    assert.equal(code, 0, stderr)
    assert.match(
      stdout,
      /^op\/s around the fault: [\d,–]+ before, [\d,–]+ during, [\d,–]+ after it was healed$/m,
    )
    const [{ timeline, aroundFault, latencyMs, lost, duplicated, reordered }] = files.document().runs
    const happened = timeline.events.map(({ kind }: { kind: string }) => kind)
    assert.deepEqual(
      happened.filter((kind: string) => kind === 'fault' || kind === 'heal'),
      ['fault', 'heal'],
    )
    assert.deepEqual(Object.keys(aroundFault), ['before', 'during', 'after'])
    assert.ok(latencyMs.p50 > 16, 'the way and back')
    assert.deepEqual([lost, duplicated, reordered], [0, 0, 0])
    assert.deepEqual(files.pictures(), ['8 outstanding', 'Latency by load'])
  })

  test('Ctrl-C ends it cleanly', async () => {
    const args = ['bench', 'throughput', ...small, '--window', '16', '--seconds', '60']
    const { code, stdout, left } = await command.interrupt(/troupe, 16 outstanding/, ...args)
    assert.equal(code, 130)
    assert.match(stdout, /interrupted: this is what there was/)
    assert.deepEqual(left, [])
  })
})

describe('bench election', () => {
  test('crashes the leader and measures what its clients feel', async () => {
    const sizes = ['--trials', '3', '--fault', 'crash', '--rate', '500']
    const files = outputs('election')
    const { code, stdout, stderr, left } = await run('election', ...small, ...sizes, ...files.args)
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { headline, runs: trials, verdict, cells } = files.document()
    assert.equal(verdict, 'pass')
    assert.equal(trials.length, 3)
    for (const { victim, leader, timeToLeaderMs, timeToFirstCommitMs } of trials) {
      assert.notEqual(victim, leader)
      assert.ok(timeToLeaderMs > 0 && timeToFirstCommitMs >= timeToLeaderMs)
    }
    assert.ok(headline.timeToLeaderMs.p50 > 0 && headline.timeToFirstCommitMs.max > 0)
    assert.equal(headline.timeToFirstCommitMs.p99, null, 'there is none of three')
    assert.equal(headline.timeToFirstCommitMs.samples, 3)
    assert.ok(headline.elections >= 3)
    assert.deepEqual([headline.lost, headline.duplicated, headline.unexpectedExits], [0, 0, 0])
    assert.match(stdout, /fault to first commit under it/)
    const { fromMs, binMs, commandsPerSecond } = cells[0].failover
    assert.ok(fromMs < 0 && commandsPerSecond.length * binMs > -fromMs, 'from before the loss to after it')
    assert.equal(files.rows().length, 1 + 3)
    assert.match(files.markdown(), /^\| crash-3-300-load \| crash \| 3 \|/m)
    const [failover, distribution] = files.pictures()
    assert.match(failover ?? '', /commands per second around the loss of the leader/)
    assert.match(distribution ?? '', /times from the fault/)
  })

  test('runs several named cells, each with a cluster of its own, and writes a page', async () => {
    const page = join(scratch, 'elections.md')
    const sizes = ['--cell', 'pause-3,stall-3', '--trials', '1', '--rate', '200', '--markdown', page]
    const { code, stdout, stderr, left } = await run('election', ...small, ...sizes, '--json', '-')
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { headline, runs } = JSON.parse(stdout)
    assert.deepEqual(Object.keys(headline), ['pause-3', 'stall-3'])
    assert.deepEqual(
      runs.map(({ cell }: { cell: string }) => cell),
      ['pause-3', 'stall-3'],
    )
    for (const { timeToDetectionMs, timeToLeaderMs } of runs) {
      assert.ok(timeToDetectionMs >= 0 && timeToLeaderMs >= timeToDetectionMs)
    }
    assert.match(readFileSync(page, 'utf8'), /^\| pause-3 \| pause \| 3 \|/m)
  })

  test('the same in virtual time', async () => {
    const sizes = ['--engine', 'sim', '--cell', 'silent-5', '--trials', '3']
    const { code, stdout, stderr } = await run('election', ...sizes)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /fault to new leader +\d+/)
    assert.match(stdout, /virtual time/)
  })
})

describe('bench check perf', () => {
  const sizes = [...small, '--rate', '200', '--seconds', '0.5']
  // What is too slow on a busy machine is not the question here.
  const lenient = ['--min-throughput', '1', '--max-latency-ms', '60000', '--max-stddev-ms', '60000']

  test('passes a bar that is kept, and says against what', async () => {
    const files = outputs('check-perf')
    const { code, stdout, stderr, left } = await run(
      'check',
      'perf',
      'm',
      ...sizes,
      ...lenient,
      '--stages',
      ...files.args,
    )
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { verdict, headline, findings, configuration } = files.document()
    assert.equal(verdict, 'pass')
    assert.deepEqual([configuration.commandsPerSecond, configuration.clients], [200, 200])
    assert.ok(headline.commands > 0 && headline.stddevMs >= 0)
    assert.ok(files.document().runs[0].stages.commands > 0)
    assert.match(stdout, /^flushed +[\d.]+ +[\d.]+/m)
    assert.equal(findings.length, 6)
    assert.match(stdout, /PASS +throughput/)
    assert.match(files.markdown(), /^PASS +throughput/m)
    assert.match(files.page(), /the bar is kept/)
    assert.deepEqual(files.pictures(), ['200 writes/s offered', 'Latency'])
  })

  test('fails with 1 where one threshold is not kept', async () => {
    const { code, stdout, stderr } = await run(
      'check',
      'perf',
      ...sizes,
      ...lenient,
      '--max-p99-ms',
      '0',
      '--json',
      '-',
    )
    assert.equal(code, 1, stderr)
    const { findings } = JSON.parse(stdout)
    const failed = findings.filter(({ verdict }: { verdict: string }) => verdict === 'fail')
    assert.deepEqual(
      failed.map(({ threshold }: { threshold: string }) => threshold),
      ['maxP99Ms'],
    )
  })
})

describe('bench sweep', () => {
  test('measures points under their conditions, keeps them, and writes a page', async () => {
    const results = join(scratch, 'sweep', 'results.jsonl')
    const page = join(scratch, 'sweep', 'page.html')
    const axes = ['--window', '8', '--delay-ms', '0,2', '--durability', 'memory', '--keys', '500']
    const sizes = ['--seconds', '0.2', '--warmup-seconds', '0.1', '--stage-seconds', '0.2', '--repeat', '1']
    const args = ['sweep', ...axes, ...sizes, '--results', results, '--json', '-']
    const table = join(scratch, 'sweep', 'points.csv')
    const first = await run(...args, '--html', page, '--csv', table, '--explain')
    assert.equal(first.code, 0, first.stderr)
    assert.deepEqual(first.left, [])
    const { verdict, fronts, runs } = JSON.parse(first.stdout)
    assert.equal(verdict, 'pass')
    assert.equal(fronts.length, 2)
    const [near, far] = runs
    assert.deepEqual([near.delayMs, far.delayMs], [0, 2])
    assert.ok(far.p50Ms >= 4, 'the way and back')
    for (const { opsPerSecond, utilisation, stagesMs, limit } of runs) {
      assert.ok(opsPerSecond > 0 && utilisation.leader > 0 && stagesMs.replicated >= 0)
      assert.ok(limit.why.length > 0)
    }
    assert.match(first.stderr, /network delay 2 ms[\s\S]*8 outstanding: /)
    assert.match(readFileSync(page, 'utf8'), /data-explorer/)
    assert.equal(readFileSync(table, 'utf8').trimEnd().split('\r\n').length, 1 + 2)

    const kept = readFileSync(results, 'utf8')
    const again = await run(...args)
    assert.equal(again.code, 0, again.stderr)
    assert.deepEqual(JSON.parse(again.stdout).runs, runs, 'nothing is run again')
    assert.equal(readFileSync(results, 'utf8'), kept)
  })
})

test('Ctrl-C in a sweep keeps and checks what is done, and says how to go on', async () => {
  const results = join(scratch, 'interrupted.jsonl')
  const page = join(scratch, 'interrupted.html')
  const axes = ['--window', '4,8,16', '--durability', 'memory', '--keys', '500']
  const sizes = ['--seconds', '0.3', '--warmup-seconds', '0', '--stage-seconds', '0', '--repeat', '1']
  const args = ['sweep', ...axes, ...sizes, '--results', results, '--html', page]
  const { code, stdout } = await command.interrupt(/troupe, 8 outstanding/, 'bench', ...args)
  assert.equal(code, 130)
  assert.match(stdout, /^interrupted: [12] of 3 points are measured and kept in .*interrupted\.jsonl$/m)
  assert.match(stdout, /^go on with: pnpm troupe bench sweep --window 4,8,16 /m)
  assert.match(readFileSync(page, 'utf8'), /Not finished: [12] of 3 points/)
  assert.match(readFileSync(results, 'utf8'), /"kind":"check".*"verdict":"pass"/)

  const again = await run(...args)
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stderr, /^[12] points are there already/m)
})

describe('every benchmark writes JSON, CSV, Markdown and a page', () => {
  const files = (name: string, ...args: readonly string[]) => {
    const written = outputs(name)
    return { written, ended: run(...args, ...written.args) }
  }

  test('rig', async () => {
    const sizes = ['--window', '2,4', '--seconds', '0.1', '--warmup-seconds', '0']
    const { written, ended } = files('rig', 'rig', ...sizes)
    const { code, stderr } = await ended
    assert.equal(code, 0, stderr)
    const { command: typed, runs } = written.document()
    assert.match(typed, /^pnpm troupe bench rig --window 2,4 --seconds 0\.1 --warmup-seconds 0 --json /)
    assert.equal(written.rows().length, 1 + runs.length)
    assert.match(written.markdown(), /^\| outstanding \|/m)
    assert.deepEqual(written.pictures(), ['Operations per second', 'Median latency'])
  })

  test('log', async () => {
    const sizes = ['--sizes', '100', '--seconds', '0.1', '--repeat', '1', '--open-entries', '0']
    const { written, ended } = files('log', 'log', ...sizes)
    const { code, stderr } = await ended
    assert.equal(code, 0, stderr)
    assert.match(written.rows()[0] ?? '', /^sizeBytes,bareFlushesPerSecond,logFlushesPerSecond/)
    assert.match(written.markdown(), /^\| bytes \| lmdb flushes\/s/m)
    assert.deepEqual(written.pictures(), ['Flushes per second, entries of 100 bytes'])
  })

  test('churn', async () => {
    const sizes = ['--seconds', '0.1', '--min-pause-ms', '10', '--max-pause-ms', '20', '--rate', '500']
    const { written, ended } = files('churn', 'churn', ...small, ...sizes)
    const { code, stderr } = await ended
    assert.equal(code, 0, stderr)
    const { runs: steps, timeline } = written.document()
    assert.equal(written.rows().length, 1 + steps.length)
    assert.ok(timeline.events.some(({ kind }: { kind: string }) => kind === 'exit'))
    assert.match(written.page(), /nothing was lost, applied twice or out of order/)
    assert.deepEqual(written.pictures(), ['While nodes crashed and came back', 'Latency'])
  })

  test('memory', async () => {
    const { written, ended } = files('memory', 'memory', ...small, '--seconds', '0.5', '--window', '4')
    const { code, stderr } = await ended
    assert.equal(code, 0, stderr)
    const [names, ...rows] = written.rows()
    assert.equal(names, 'atSeconds,privateBytes,diskBytes')
    assert.equal(rows.length, written.document().samples.length)
    assert.ok(rows.length >= 2)
    for (const row of rows) for (const value of row.split(',')) assert.ok(Number(value) > 0, row)
    assert.deepEqual(written.pictures(), ['Memory and disk', 'Meanwhile'])
  })

  test('micro', async () => {
    const sizes = ['--only', 'mailbox', '--rounds', '1', '--slice-ms', '5']
    const { written, ended } = files('micro', 'micro', ...sizes)
    const { code, stderr } = await ended
    assert.equal(code, 0, stderr)
    assert.match(written.rows()[0] ?? '', /^name,unit,yardstick,nsPerUnit,ratio,spread$/)
    assert.match(written.markdown(), /^\| mailbox: push and drain \|/m)
    assert.deepEqual(written.pictures(), ['Multiples of the yardstick “loop”'])
  })
})

test('wrong usage is one line, and 64', async () => {
  const { code, stdout, stderr } = await runAsChild('throughput', '--nodes', '0')
  assert.equal(code, 64)
  assert.match(stderr, /^troupe: --nodes is 0; expected an integer from 1 to 9\n$/)
  assert.equal(stdout, '')
})
