import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from './errors.ts'
import { defaultRaftKnobs, type RaftKnobs, resolveRaftKnobs } from './options.ts'

function assertRefused(given: Record<string, unknown>, field: string, expected: RegExp): void {
  assert.throws(
    () => resolveRaftKnobs(given as Partial<RaftKnobs>),
    (error: unknown) => {
      assert.ok(RaftError.is(error, 'INVALID_OPTIONS'))
      assert.equal(error.data.field, `raft.${field}`)
      assert.deepEqual(error.data.value, given[field])
      assert.match(error.data.expected, expected)
      assert.ok(error.message.includes(field) && !error.message.includes('\n'))
      return true
    },
  )
}

test('without options the defaults hold, frozen', () => {
  assert.deepEqual(resolveRaftKnobs(), defaultRaftKnobs)
  assert.ok(Object.isFrozen(resolveRaftKnobs()))
})

test('an undefined field keeps its default', () => {
  const given = { heartbeatIntervalMs: undefined, maxTailBytes: 5 } as unknown as Partial<RaftKnobs>
  const knobs = resolveRaftKnobs(given)
  assert.deepEqual([knobs.heartbeatIntervalMs, knobs.maxTailBytes], [defaultRaftKnobs.heartbeatIntervalMs, 5])
})

test('an unknown option is named, with those there are', () => {
  assertRefused({ heartbeatMs: 5 }, 'heartbeatMs', /heartbeatIntervalMs/)
})

test('bounds are positive integers', () => {
  for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '8', null]) {
    assertRefused({ maxInflightMessages: value }, 'maxInflightMessages', /positive integer/)
    assertRefused({ maxUncommittedBytes: value }, 'maxUncommittedBytes', /positive integer/)
  }
})

test('times are positive, staggers not negative', () => {
  for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '50']) {
    assertRefused({ heartbeatIntervalMs: value }, 'heartbeatIntervalMs', /positive number/)
    assertRefused({ goneRetryMs: value }, 'goneRetryMs', /positive number/)
  }
  assertRefused({ goneStaggerMs: -0.1 }, 'goneStaggerMs', /not negative/)
  assert.equal(resolveRaftKnobs({ goneStaggerMs: 0 }).goneStaggerMs, 0)
})

test('§5.6 the heartbeat must come before the election timeout', () => {
  const [min] = [defaultRaftKnobs.electionTimeoutMinMs]
  assertRefused({ heartbeatIntervalMs: min }, 'heartbeatIntervalMs', new RegExp(`less than .*${min}`))
  assert.ok(resolveRaftKnobs({ heartbeatIntervalMs: min - 1 }))
})

test('the longest election timeout is not below the shortest', () => {
  assertRefused({ electionTimeoutMaxMs: 299 }, 'electionTimeoutMaxMs', /at least .*300/)
  assert.ok(resolveRaftKnobs({ electionTimeoutMaxMs: 300 }))
})
