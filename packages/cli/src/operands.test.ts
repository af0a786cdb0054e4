import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { takeOperands } from './operands.ts'

const table = {
  force: { kind: 'flag', help: 'of it' },
  nodes: { kind: 'integer', min: 1, help: 'of it' },
} as const
const path = 'troupe backup DIR FILE'
const take = (...args: readonly string[]) => takeOperands(args, ['DIR', 'FILE'], table, path)

test('operands stand anywhere between the options', () => {
  const operands = ['here', 'there']
  assert.deepEqual(take('here', 'there'), { operands, rest: [] })
  assert.deepEqual(take('--force', 'here', '--nodes', '3', 'there'), {
    operands,
    rest: ['--force', '--nodes', '3'],
  })
})

test('what is missing or too much is named', () => {
  const refused = (message: RegExp) => (error: unknown) =>
    RaftError.is(error, 'INVALID_OPTIONS') && message.test(error.message)
  assert.throws(() => take('here'), refused(/^FILE has no value; expected .*troupe backup --help$/))
  assert.throws(() => take('--force'), refused(/^DIR has no value/))
  assert.throws(
    () => take('a', 'b', 'c'),
    refused(/^argument is "c"; expected no more than troupe backup DIR FILE/),
  )
})
