/**
 * The suite of scenarios: what every file of it has to have, and a few of them run as a user runs them.
 * All of them with many seeds: `pnpm troupe run test/scenarios`; with --full here.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadFiles } from '@troupe/lab'
import { checkShivizLog } from './shiviz-log.ts'
import { isFull } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

/** A row of what `pnpm troupe run … --prove --table` has written. */
interface Proof {
  readonly file: string
  readonly name: string
  readonly slip?: string
  readonly isProven: boolean
}

const suite = fileURLToPath(new URL('scenarios', import.meta.url))
const command = new TroupeCommand()
after(() => command.remove())

describe('the suite of scenarios', () => {
  test('is sound: each says where it comes from, proves that its trap was reached, and that it can fail', async () => {
    const loaded = await loadFiles([suite])
    for (const { item } of loaded) {
      const { source, about, assert: asserted = [], expect, proof } = item.scenario
      const where = basename(item.file)
      assert.ok(source !== undefined && about !== undefined, `${where} says where it comes from`)
      const hasTrap = asserted.some((one) => 'sometimes' in one || 'atLeast' in one)
      assert.ok(hasTrap || expect !== undefined, `${where} proves that its trap was reached`)
      assert.ok(proof?.slips !== undefined || proof?.broken !== undefined, `${where} says what breaks it`)
    }
    const names = loaded.map(({ item }) => item.name)
    assert.equal(new Set(names).size, names.length)
  })

  test('was broken by all that has to break it, as the committed table says', async () => {
    const kept = JSON.parse(readFileSync(new URL('../docs/scenario-proofs.json', import.meta.url), 'utf8'))
    const proven = new Set(kept.map((one: Proof) => one.isProven && `${one.file}: ${one.name}: ${one.slip}`))
    const loaded = await loadFiles([suite])
    const wanted = loaded.flatMap(({ item: { file, name, scenario } }) => {
      const { slips = [], broken } = scenario.proof ?? {}
      const by = broken === undefined ? slips : [...slips, undefined]
      return by.map((slip) => `${basename(file)}: ${name}: ${slip}`)
    })
    assert.deepEqual(
      wanted.filter((one) => !proven.has(one)),
      [],
    )
  })

  test('passes where a few of it are run with few seeds, and tells of it in files', async () => {
    const report = join(command.scratch, 'report')
    const files = isFull ? [suite] : ['04-duelling', '12-crash', '37-power', '49-pause'].map(fileOf)
    const size = isFull ? [] : ['--seeds', '4']
    const { code, stdout, left } = await command.run('run', ...files, ...size, '--report', report)
    assert.equal(code, 0, stdout)
    assert.deepEqual(left, [])
    const { verdict, cases } = JSON.parse(readFileSync(join(report, 'results.json'), 'utf8'))
    assert.equal(verdict, 'pass')
    assert.equal(cases.length >= 4, true)
    assert.match(readFileSync(join(report, 'junit.xml'), 'utf8'), /failures="0" errors="0"/)
    const index = readFileSync(join(report, 'index.html'), 'utf8')
    for (const { name, shown } of cases) {
      const [{ files, verdict: ofRun }] = shown
      assert.ok(index.includes(`href="${files.page}"`), `${name} has a page`)
      const page = readFileSync(join(report, files.page), 'utf8')
      assert.ok(page.includes(`class="banner ${ofRun}"`), `${name} begins with its verdict`)
      checkShivizLog(join(report, files.shiviz))
    }
  })

  test('fails on a bug on purpose, with the invariant and what to type', async () => {
    const { code, stdout } = await command.run('run', fileOf('25-figure-8'), '--seeds', '8', '--mutant', slip)
    assert.equal(code, 1, stdout)
    assert.match(stdout, /fail {4}figure 8 on a bad network/)
    assert.match(stdout, /committed on a quorum/)
    assert.match(stdout, /reproduce: pnpm troupe run .*25-figure-8.*--from \d+ --seeds 1 --timeline/)
  })
})

const slip = 'commits-earlier-term-by-counting'

const fileOf = (name: string): string => {
  const whole: Readonly<Record<string, string>> = {
    '04-duelling': '04-duelling-candidates.yaml',
    '12-crash': '12-crash-after-vote.yaml',
    '25-figure-8': '25-figure-8-unreliable.yaml',
    '37-power': '37-power-failure-without-flush.yaml',
    '49-pause': '49-pause-longer-than-a-lease.yaml',
  }
  return join(suite, whole[name] as string)
}

describe('the tables of what faults do', () => {
  test('have a file for each row, and a committed page with all of them', async () => {
    const loaded = await loadFiles([fileURLToPath(new URL('tables', import.meta.url))])
    const titles = new Set(loaded.map(({ item }) => item.scenario.table?.title))
    assert.deepEqual(
      [...titles].map((title) => title?.slice(0, 3)),
      ['(a)', '(b)', '(c)', '(d)', '(e)', '(f)'],
    )
    const page = readFileSync(new URL('../docs/fault-tables.md', import.meta.url), 'utf8')
    for (const title of titles) assert.ok(page.includes(`\n## ${title}\n`), `${title}`)
    const rows = page.split('\n').filter((line) => line.startsWith('| ')).length
    assert.equal(
      rows,
      loaded.length + 2 * titles.size,
      'a row for each case, and two of heads for each table',
    )
  })
})
