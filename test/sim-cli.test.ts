/**
 * `troupe sim` as a user runs it: a fixed set of seeds, and a fresh one each time, which is run twice and compared byte
 * for byte. A fresh seed that fails has found something: the message says how to see it again.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isFull } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
after(() => command.remove())

/** Enough for the fixed set to reach every place; a campaign runs the many. */
const [size, seconds] = isFull ? ['120', '30'] : ['24', '6']

/** What a small number of seeds need not reach. */
const rare = ['damageCrashes', 'framesCorrupted', 'undecidedHistories']
const fresh = Math.floor(Date.now() / 1000)

describe('troupe sim', () => {
  /** Runs seeds from there on; gives the report. */
  const clean = async (from: number, seeds: string, ...more: readonly string[]) => {
    const path = join(command.scratch, `${from}.json`)
    const args = ['--seeds', seeds, '--seconds', seconds, '--from', String(from), ...more]
    const { code, stdout, left } = await command.run('sim', ...args, '--json', path)
    assert.notEqual(code, 1, stdout)
    assert.deepEqual(left, [])
    const report = JSON.parse(readFileSync(path, 'utf8'))
    assert.deepEqual([report.seeds, report.failures], [Number(seeds), []], stdout)
    // A history can be too hard to decide; that most are decided is what counts.
    assert.ok(report.unknown.length <= Number(seeds) / 10, stdout)
    return report
  }

  test('a fixed set of seeds is clean, and reaches every place', async () => {
    const { coverage } = await clean(1, size)
    for (const [place, count] of Object.entries<number>(coverage)) {
      assert.ok(count > 0 || rare.includes(place), `${place} never happened`)
    }
  })

  test('a fresh set of seeds is clean, and each does the same twice', async () => {
    await clean(fresh, isFull ? size : '8', '--check-determinism')
  })

  test('seeds with a queue are clean, and each does the same twice', async () => {
    const more = ['--workload', 'queue', '--check-determinism', '--seconds', isFull ? '10' : '2']
    const { coverage } = await clean(fresh, isFull ? '60' : '6', ...more)
    for (const what of ['sends', 'deliveries', 'redeliveries', 'acks'])
      assert.ok(coverage[what] > 0, `${what} never happened`)
  })

  test('on a calm day the first leader stays, whatever the knobs are, and nothing is dropped', async () => {
    const path = join(command.scratch, 'calm.json')
    const size = isFull ? ['--seeds', '200', '--seconds', '30'] : ['--seeds', '10', '--seconds', '3']
    const { code, stdout } = await command.run(
      'sim',
      ...size,
      '--from',
      String(fresh),
      '--calm',
      '--json',
      path,
    )
    assert.equal(code, 0, stdout)
    const { seeds: ran, coverage } = JSON.parse(readFileSync(path, 'utf8'))
    assert.equal(coverage.faults, 0)
    assert.ok(coverage.elections >= ran, stdout)
  })

  test('one seed tells its timeline, a line for each event', async () => {
    const { code, stdout } = await command.run('sim', '--seed', '5', '--seconds', '0.5', '--timeline')
    assert.equal(code, 0)
    assert.match(stdout, /^ *\d+\.\d{3} n\d \w+ +t\d+ c\d+ a\d+ l\d+ \| /m)
    assert.match(stdout, /seed 5: pass/)
  })

  test('steps show every node: role, term, vote, log, commit, applied', async () => {
    const { code, stdout } = await command.run(
      'sim',
      '--seed',
      '5',
      '--seconds',
      '0.1',
      '--nodes',
      '3',
      '--step',
    )
    assert.equal(code, 0)
    for (const column of ['role', 'term', 'vote', 'votes', 'log', 'commit', 'applied']) {
      assert.ok(stdout.includes(column), column)
    }
  })

  test('Ctrl-C ends it with what was found so far', async () => {
    const args = ['sim', '--seeds', '100000', '--seconds', '1']
    const { code, stdout } = await command.interrupt(/\d+ of 100000/, ...args)
    assert.equal(code, 130)
    assert.match(stdout, /\d+ of 100000 seeds in .* \d+ passed, 0 failed/)
  })

  test('a failing seed becomes a schedule, and that fails when it is replayed', async () => {
    const path = join(command.scratch, 'shrunk.json')
    const slip = 'commits-earlier-term-by-counting'
    const size = ['--seeds', '60', '--seconds', '5', '--events', '100000']
    const { code, stdout } = await command.run('sim', 'shrink', '--mutant', slip, ...size, '--out', path)
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^mutant commits-earlier-term-by-counting: .*\n {2}breaks: .*§5\.4\.2/m)
    assert.match(stdout, /\d+ steps became \d+, by \d+ tries/)
    const { mutant, fails } = JSON.parse(readFileSync(path, 'utf8'))
    const again = await command.run('sim', 'replay', path, '--timeline')
    assert.equal(again.code, 1, again.stdout)
    assert.ok(again.stdout.includes(`FAILED: ${fails.invariant}`), again.stdout)
    assert.equal(mutant, slip)
    const asIs = await command.run('sim', 'replay', path, '--as-is')
    assert.notEqual(asIs.code, 1, asIs.stdout)
  })

  test('a mutant is found, and the table says by what', async () => {
    const path = join(command.scratch, 'mutants.json')
    const args = ['--only', 'commits-earlier-term-by-counting', '--events', '0', '--json', path]
    const { code, stdout } = await command.run('sim', 'mutants', ...args)
    assert.equal(code, 0, stdout)
    assert.match(stdout, /^commits-earlier-term-by-counting +Raft §5\.4\.2.* committed on a quorum/m)
    const [killed] = JSON.parse(readFileSync(path, 'utf8'))
    assert.equal(killed.foundBy, 'committed on a quorum')
  })

  test('a campaign goes on where the last one stopped, and sums up', async () => {
    const file = join(command.scratch, 'campaign.json')
    const args = ['sim', 'campaign', '--minutes', '0.03', '--seconds', '0.5', '--file', file]
    let next = 1
    for (const runs of [1, 2]) {
      const { code, stdout } = await command.run(...args)
      assert.equal(code, 0, stdout)
      const campaign = JSON.parse(readFileSync(file, 'utf8'))
      assert.equal(campaign.runs.length, runs)
      const run = campaign.runs.at(-1)
      assert.equal(run.from, next)
      assert.ok(run.seeds > 0 && run.events > 0 && run.virtualHours >= 0)
      next += run.seeds
      assert.equal(campaign.nextSeed, next)
    }
    assert.match(readFileSync(join(command.scratch, 'campaign.md'), 'utf8'), /\| together +\|/)
  })
})

test('wrong usage is one line, and 64', async () => {
  const { code, stdout, stderr } = await command.run('sim', '--nodes', '8')
  assert.deepEqual([code, stdout], [64, ''])
  assert.match(stderr, /^troupe: --nodes is 8; expected an integer from 1 to 7\n$/)
})
