import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import type { Command, CommandContext } from '../command.ts'
import { commands as listed, loadAll } from '../index.ts'
import type { Report } from '../report.ts'
import { parseWorkloadFile } from './read-workload-file.ts'
import { runCommandOf } from './run-command.ts'

const commands = await loadAll(listed)
const folders = ['../../../examples/workloads/', '../../figures/']
const scratch = mkdtempSync(join(tmpdir(), 'troupe-workload-test-'))
after(() => rmSync(scratch, { recursive: true }))

test('a step has the defaults of its command but for what it says', () => {
  const text = 'steps:\n  - command: throughput\n    options: { window: 64, reads: lease, rig: true }\n'
  const { name, steps } = parseWorkloadFile(text, 'my.yaml', commands)
  assert.equal(name, 'my.yaml')
  const [{ values, command, thresholds } = assert.fail()] = steps
  assert.deepEqual([command.name, thresholds], ['throughput', undefined])
  const { window, reads, rig, nodes, data } = values as Record<string, unknown>
  assert.deepEqual([window, reads, rig, nodes, data], [[64], 'lease', true, 3, undefined])
})

test('every example is a workload, and so is what the committed figures are made by', () => {
  for (const folder of folders) {
    const url = new URL(folder, import.meta.url)
    const names = readdirSync(url)
    assert.ok(names.length > 0)
    for (const name of names) parseWorkloadFile(readFileSync(new URL(name, url), 'utf8'), name, commands)
  }
})

describe('a mistake is told by file, line, field, value and what is expected', () => {
  const step = (more: string): string => `name: x\nsteps:\n  - command: throughput\n${more}`
  const mistakes: readonly (readonly [text: string, message: RegExp])[] = [
    ['steps: [', /^w\.yaml:1: YAML is ".+"; expected a file that can be parsed$/],
    ['name: x', /^w\.yaml:1: steps is undefined; expected a list of steps$/],
    ['name: x\nstep: 1', /^w\.yaml:2: step is 1; expected one of name, steps$/],
    [
      'steps:\n  - command: fly',
      /^w\.yaml:2: steps\[0\]\.command is "fly"; expected one of main, throughput,/,
    ],
    [
      step('    options:\n      nodes: 3\n      seconds: fast'),
      /^w\.yaml:6: steps\[0\]\.options\.seconds is "fast"; expected a number of at least 0\.1$/,
    ],
    [
      step('    options:\n      nods: 3'),
      /^w\.yaml:5: steps\[0\]\.options\.nods is 3; expected one of window,/,
    ],
    [
      step('    options: { window: [1, 0] }'),
      /^w\.yaml:4: steps\[0\]\.options\.window is .*; expected a list of integers from 1 to 131,072$/,
    ],
    [
      step('    thresholds:\n      maxP99: 3'),
      /^w\.yaml:5: steps\[0\]\.thresholds\.maxP99 is 3; expected one of minOpsPerSecond,/,
    ],
  ]
  for (const [text, message] of mistakes) {
    test(message.source.slice(0, 60), () => {
      assert.throws(
        () => parseWorkloadFile(text, 'w.yaml', commands),
        (error) => RaftError.is(error, 'INVALID_OPTIONS') && message.test(error.message),
      )
    })
  }
})

test('a step that misses a threshold fails the file, and the others run all the same', async () => {
  const measured: unknown[] = []
  const quick: Command = {
    name: 'quick',
    summary: 'measures nothing',
    options: { size: { kind: 'integer', min: 1, default: 7, help: 'of it' } },
    run: async (values, { onDocument }) => {
      measured.push(values['size'])
      const headline = { opsPerSecond: 100, latencyMs: { p99: 4 } }
      const rest = { configuration: {}, environment: null }
      const document = { benchmark: 'quick', headline, ...rest, runs: [{ size: values['size'] }] }
      const report: Report = {
        verdict: 'pass',
        print: (output) => output.line(`measured ${values['size']}`),
        document: () => document,
      }
      onDocument?.({ command: 'troupe', schema: 1, verdict: 'pass', ...document }, report)
      return 0
    },
  }
  const file = join(scratch, 'two.yaml')
  const steps =
    '  - command: quick\n    thresholds: { maxP99Ms: 3 }\n  - command: quick\n    options: { size: 9 }\n'
  writeFileSync(file, `steps:\n${steps}`)
  let stdout = ''
  const context: CommandContext = {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: () => {} },
    env: {},
    signal: new AbortController().signal,
  }
  const at = (ending: string): string => join(scratch, `two.${ending}`)
  const files = { json: '-', csv: at('csv'), markdown: at('md'), html: at('html') }
  const code = await runCommandOf(async () => [quick]).run({ file, ...files }, context)
  assert.equal(code, 1)
  assert.deepEqual(measured, [7, 9])
  const document = JSON.parse(stdout)
  assert.deepEqual(
    document.steps.map(({ verdict }: { verdict: string }) => verdict),
    ['fail', 'pass'],
  )
  assert.equal(document.steps[0].findings[0].measured, 4)
  assert.equal(document.steps[1].document.runs[0].size, 9)
  assert.deepEqual(readFileSync(at('csv'), 'utf8').trimEnd().split('\r\n'), [
    'step,size',
    'quick,7',
    'quick,9',
  ])
  const markdown = readFileSync(at('md'), 'utf8')
  assert.match(markdown, /^# .*two.yaml\n[\s\S]*## quick\n/)
  assert.match(markdown, /measured 7[\s\S]*quick: fail[\s\S]*measured 9[\s\S]*quick: pass/)
  assert.match(markdown, /pnpm troupe bench run --file /)
  assert.match(readFileSync(at('html'), 'utf8'), /a step failed, or missed a threshold/)
})
