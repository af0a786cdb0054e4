import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { parseOptions } from './options.ts'

const table = {
  size: { kind: 'integer', min: 1, max: 100, default: 64, help: '' },
  seconds: { kind: 'number', min: 0.1, default: 5, help: '' },
  limit: { kind: 'integer', min: 1, help: '' },
  window: { kind: 'integers', min: 1, default: [1024], help: '' },
  machine: { kind: 'choice', choices: ['kv', 'log'], default: 'kv', help: '' },
  json: { kind: 'text', placeholder: 'FILE', help: '' },
  rig: { kind: 'flag', help: '' },
} as const

function valuesOf(...args: string[]) {
  const parsed = parseOptions(args, table, 'troupe test')
  assert.ok(parsed.kind === 'values')
  return parsed.values
}

describe('values', () => {
  test('are the defaults where nothing is given', () => {
    assert.deepEqual(valuesOf(), {
      size: 64,
      seconds: 5,
      limit: undefined,
      window: [1024],
      machine: 'kv',
      json: undefined,
      rig: false,
    })
  })

  test('are read in both ways of writing, the last one counts', () => {
    const { size, seconds, window, machine, json, rig } = valuesOf(
      ...['--size', '1', '--size=7', '--seconds', '0.5', '--window', '1,64, 8_192'],
      ...['--machine', 'log', '--json', '-', '--rig'],
    )
    assert.deepEqual([size, seconds, window, machine, json, rig], [7, 0.5, [1, 64, 8192], 'log', '-', true])
  })

  test('--help is asked for wherever it stands, whatever else is wrong', () => {
    assert.equal(parseOptions(['--nonsense', '-h'], table, 'troupe test').kind, 'help')
    assert.equal(parseOptions(['--size', '5', '--help'], table, 'troupe test').kind, 'help')
  })
})

describe('each mistake gets one line that names field, value and what is expected', () => {
  const mistakes: readonly (readonly [args: string, line: string])[] = [
    ['--size -5', '--size is -5; expected an integer from 1 to 100'],
    ['--size=101', '--size is 101; expected an integer from 1 to 100'],
    ['--size 1.5', '--size is 1.5; expected an integer from 1 to 100'],
    ['--size five', '--size is "five"; expected an integer from 1 to 100'],
    ['--size 0x10', '--size is "0x10"; expected an integer from 1 to 100'],
    ['--seconds 0', '--seconds is 0; expected a number of at least 0.1'],
    ['--seconds 5s', '--seconds is "5s"; expected a number of at least 0.1'],
    ['--window 1,,2', '--window is "1,,2"; expected integers of at least 1, with commas between them'],
    ['--window 0', '--window is 0; expected integers of at least 1, with commas between them'],
    ['--machine queue', '--machine is "queue"; expected kv or log'],
    ['--size', '--size has no value; expected an integer from 1 to 100'],
    ['--json', '--json has no value; expected a file'],
    ['--json --rig', '--json has no value; expected a file'],
    ['--json=', '--json has no value; expected a file'],
    ['--rig=yes', '--rig is "yes"; expected no value'],
    ['--no-such', 'unknown flag "--no-such"; see troupe test --help'],
    ['-x', 'unknown flag "-x"; see troupe test --help'],
    ['--constructor 1', 'unknown flag "--constructor"; see troupe test --help'],
    ['word', 'unknown command "word"; see troupe test --help'],
    ['-- word', 'unknown command "word"; see troupe test --help'],
  ]
  for (const [args, line] of mistakes) {
    test(args, () => {
      assert.throws(
        () => parseOptions(args.split(' '), table, 'troupe test'),
        (error) => {
          assert.ok(RaftError.is(error, 'INVALID_OPTIONS'))
          assert.equal(error.message, line)
          return true
        },
      )
    })
  }
})
