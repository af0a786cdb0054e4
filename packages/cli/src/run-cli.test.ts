import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Command, ListedCommand } from '@troupe/benchmarks'
import { RaftError } from '@troupe/core'
import { bench } from './bench.ts'
import { runCli } from './run-cli.ts'
import { soak } from './soak.ts'

function world(env: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const signal = new AbortController().signal
  return { written, context: { stdout: stream('stdout'), stderr: stream('stderr'), env, signal } }
}

describe('troupe', () => {
  test('--help goes to stdout, with exit code 0', async () => {
    const { written, context } = world()
    assert.equal(await runCli(['--help'], context), 0)
    assert.match(written.stdout, /usage: troupe COMMAND/)
    assert.equal(written.stderr, '')
  })

  test('without a command shows the help on stderr and ends with 64', async () => {
    const { written, context } = world()
    assert.equal(await runCli([], context), 64)
    assert.match(written.stderr, /usage: troupe COMMAND/)
    assert.equal(written.stdout, '')
  })

  test('--version prints the version', async () => {
    const { written, context } = world()
    assert.equal(await runCli(['--version'], context), 0)
    assert.match(written.stdout, /^\d+\.\d+\.\d+\n$/)
  })

  test('a wrong word gets one line and 64', async () => {
    for (const [args, line] of [
      [['serve'], 'troupe: unknown command "serve"; see troupe --help\n'],
      [['--serve'], 'troupe: unknown flag "--serve"; see troupe --help\n'],
      [['bench', 'serve'], 'troupe: unknown command "serve"; see troupe bench --help\n'],
    ] as const) {
      const { written, context } = world()
      assert.equal(await runCli(args, context), 64)
      assert.equal(written.stderr, line)
    }
  })

  test('shows a stack to those who ask for it', async () => {
    const { written, context } = world({ TROUPE_DEBUG: '1' })
    await runCli(['serve'], context)
    assert.match(written.stderr, /^troupe: unknown command.*\nRaftError: .*\n +at /)
  })
})

describe('troupe bench', () => {
  const table = { size: { kind: 'integer', min: 1, unit: 'bytes', default: 64, help: 'of it' } } as const

  function commandThat(run: Command<typeof table>['run']): Command {
    return { name: 'test', summary: 'tests', options: table, run } as Command
  }

  const listed = (command: Command): ListedCommand => ({ name: command.name, load: async () => command })

  test('--help lists the commands, COMMAND --help its options with units and defaults', async () => {
    const { written, context } = world()
    assert.equal(await runCli(['bench', '--help'], context), 0)
    for (const name of ['main', 'throughput', 'election', 'churn', 'memory', 'rig']) {
      assert.match(written.stdout, new RegExp(`^  ${name} `, 'm'))
    }
    assert.equal(await runCli(['bench', 'throughput', '--help'], context), 0)
    assert.match(written.stdout, /--seconds N +measured load of each run; in s \(default: 5\)/)
  })

  test('gives the command its values and hands on its exit code', async () => {
    const seen: unknown[] = []
    const commands = [listed(commandThat(async (values) => seen.push(values) + 1))]
    const load = async () => ({ commands })
    const { context } = world()
    assert.equal(await bench(['test', '--size', '5'], context, load), 2)
    assert.equal(await bench([], context, load), 3)
    assert.equal(await bench(['--size', '7'], context, load), 4)
    assert.deepEqual(seen, [{ size: 5 }, { size: 64 }, { size: 7 }])
  })

  test('knows names of two words, and the value that may stand behind one without its flag', async () => {
    const seen: unknown[] = []
    const named = {
      ...commandThat(async (values) => seen.push(values) * 0),
      name: 'check perf',
      operand: 'size',
    }
    const load = async () => ({ commands: [commandThat(async () => 1), named].map(listed) })
    const { context } = world()
    for (const args of [['7'], ['--size', '8'], []]) {
      assert.equal(await bench(['check', 'perf', ...args], context, load), 0)
    }
    assert.deepEqual(seen, [{ size: 7 }, { size: 8 }, { size: 64 }])
    await assert.rejects(bench(['check'], context, load), /unknown command "check"/)
    await assert.rejects(bench(['test', '7'], context, load), /unknown command "7"/)
  })

  test('says in one line that the benchmarks are not installed', async () => {
    const { context } = world()
    const missing = Object.assign(new Error("Cannot find package '@troupe/benchmarks'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    await assert.rejects(
      bench([], context, () => Promise.reject(missing)),
      (error) => error instanceof Error && /^bench needs @troupe\/benchmarks installed/.test(error.message),
    )
  })

  test('a package that the benchmarks themselves miss is told as it is', async () => {
    const { context } = world()
    const missing = Object.assign(new Error("Cannot find package 'lmdb'"), { code: 'ERR_MODULE_NOT_FOUND' })
    await assert.rejects(
      bench([], context, () => Promise.reject(missing)),
      /lmdb/,
    )
  })
})

describe('troupe soak', () => {
  test('--help lists its options with units and defaults', async () => {
    const { written, context } = world()
    assert.equal(await runCli(['soak', '--help'], context), 0)
    assert.match(written.stdout, /^usage: troupe soak \[options\]$/m)
    assert.match(written.stdout, /--minutes N +how long \(default: 10\)/)
    assert.equal(written.stderr, '')
  })

  test('says in one line that the benchmarks are not installed', async () => {
    const { context } = world()
    const missing = Object.assign(new Error("Cannot find package '@troupe/benchmarks'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    })
    await assert.rejects(
      soak([], context, () => Promise.reject(missing)),
      (error) => error instanceof Error && /^soak needs @troupe\/benchmarks installed/.test(error.message),
    )
  })
})

describe('what goes wrong in a command is one line and an exit code', () => {
  const failures: readonly (readonly [code: number, error: Error])[] = [
    [64, new RaftError('INVALID_OPTIONS', 'wrong', { field: 'x', value: 1, expected: 'y' })],
    [64, new RaftError('INVALID_DIRECTORY', 'wrong', { path: '/x', reason: 'y' })],
    [2, new RaftError('TIMEOUT', 'wrong', { timeoutMs: 1 })],
    [2, new TypeError('wrong\nand more')],
  ]
  for (const [code, error] of failures) {
    test(`${error instanceof RaftError ? error.code : error.name}: ${code}`, async () => {
      const { written, context } = world()
      const commands = [{ name: 'fail', summary: '', run: () => Promise.reject(error) }]
      assert.equal(await runCli(['fail'], context, commands), code)
      assert.equal(written.stderr, 'troupe: wrong\n')
    })
  }
})
