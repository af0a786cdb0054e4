import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { CommandContext } from './command.ts'
import { defaultReportPath, type OutputFiles, type Report, runAndReport } from './report.ts'
import type { Verdict } from './verify.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-report-test-'))
after(() => rmSync(scratch, { recursive: true }))

function world(verdict: Verdict = 'pass', own: Partial<Report> = {}, more: Partial<OutputFiles> = {}) {
  const written = { stdout: '', stderr: '' }
  const interruption = new AbortController()
  const stream = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const context: CommandContext = {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: {},
    signal: interruption.signal,
  }
  const report: Report = {
    verdict,
    print: (output) => output.line('the table'),
    document: () => ({
      benchmark: 'test',
      headline: { opsPerSecond: 5 },
      configuration: {},
      environment: null,
      runs: [{ opsPerSecond: 5 }],
    }),
    ...own,
  }
  const run = (json: string | undefined, work: Parameters<typeof runAndReport>[3] = async () => {}) =>
    runAndReport(
      context,
      { data: undefined, json, usesDisk: false, expectedMs: 1, command: 'troupe test', ...more },
      report,
      work,
    )
  return { written, interruption, run }
}

test('the exit code is the verdict', async () => {
  assert.equal(await world('pass').run(undefined), 0)
  assert.equal(await world('fail').run(undefined), 1)
  assert.equal(await world('unknown').run(undefined), 2)
})

test('JSON to stdout has it for itself, tables go to stderr', async () => {
  const { written, run } = world()
  await run('-')
  assert.equal(written.stderr, 'the table\n')
  assert.deepEqual(Object.keys(JSON.parse(written.stdout)).slice(0, 4), [
    'schema',
    'benchmark',
    'headline',
    'verdict',
  ])
})

test('JSON goes into a file, in a folder that was not there', async () => {
  const { written, run } = world('fail')
  const path = join(scratch, 'new', 'report.json')
  assert.equal(await run(path), 1)
  const document = JSON.parse(readFileSync(path, 'utf8'))
  assert.deepEqual([document.headline, document.verdict], [{ opsPerSecond: 5 }, 'fail'])
  assert.ok(written.stdout.includes(path))
})

test('a file that cannot be written is refused before the run', async () => {
  const { run } = world()
  let ran = false
  const work = async (): Promise<void> => {
    ran = true
  }
  await assert.rejects(run(scratch, work), { message: /^--json is .*; expected a file that can be written/ })
  assert.equal(ran, false)
})

test('after Ctrl-C it prints what there is, removes its data and ends with 130', async () => {
  const { written, interruption, run } = world()
  let directory = ''
  const code = await run(undefined, async (bench) => {
    directory = bench.directory
    assert.ok(existsSync(directory))
    interruption.abort()
    await bench.or(new Promise(() => {}))
  })
  assert.equal(code, 130)
  assert.match(written.stdout, /the table\n\ninterrupted/)
  assert.equal(existsSync(directory), false)
})

test('a report may say itself what Ctrl-C left', async () => {
  const { written, interruption, run } = world('pass', {
    interrupted: (command) => `3 of 5 are done; go on with ${command}`,
  })
  const code = await run(undefined, async (bench) => {
    interruption.abort()
    await bench.or(new Promise(() => {}))
  })
  assert.equal(code, 130)
  assert.match(written.stdout, /the table\n\n3 of 5 are done; go on with troupe test\n$/)
})

test('every format has its file, and a report may write some of them itself', async () => {
  const files = {
    csv: join(scratch, 'all', 'report.csv'),
    markdown: join(scratch, 'all', 'report.md'),
    html: join(scratch, 'all', 'report.html'),
  }
  const own = { csvRows: () => [{ atSeconds: 1 }], markdown: ({ command }: { command: string }) => command }
  await world('pass', own, files).run(join(scratch, 'all', 'report.json'))
  assert.equal(readFileSync(files.csv, 'utf8'), 'atSeconds\r\n1\r\n')
  assert.equal(readFileSync(files.markdown, 'utf8'), 'troupe test')
  assert.match(readFileSync(files.html, 'utf8'), /<p>the table<\/p>/)
  assert.equal(JSON.parse(readFileSync(join(scratch, 'all', 'report.json'), 'utf8')).command, 'troupe test')
})

test('an error goes on after what there is was printed and the data removed', async () => {
  const { written, run } = world()
  let directory = ''
  const work = async (bench: { readonly directory: string }): Promise<void> => {
    directory = bench.directory
    throw new Error('the disk is gone')
  }
  const path = join(scratch, 'failed.json')
  await assert.rejects(run(path, work), /the disk is gone/)
  assert.match(written.stdout, /the table/)
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).verdict, 'unknown')
  assert.equal(existsSync(directory), false)
})

test('reports are named by what they are and when', () => {
  const name = defaultReportPath('main', new Date('2026-01-31T12:00:00.123Z'))
  assert.equal(name, 'reports/main-2026-01-31T12-00-00.json')
})
