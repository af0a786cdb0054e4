import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { kv } from '@troupe/machines'
import fc from 'fast-check'
import { keyName, Workload, type WorkloadSpec } from './workload.ts'

const spec: WorkloadSpec = { machine: 'kv', keys: 1000, sizeBytes: 64, seed: 1 }

/** Bytes of a value in msgpack, by its specification: small integers, strings and short arrays. */
function msgpackBytes(value: unknown): number {
  if (typeof value === 'number') return 1
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + msgpackBytes(item), 1)
  const { length } = value as string
  if (length < 32) return 1 + length
  if (length < 256) return 2 + length
  return (length < 65_536 ? 3 : 5) + length
}

test('the size of a command is that of its encoding', () => {
  for (const machine of ['kv', 'log'] as const) {
    for (const sizeBytes of [12, 16, 39, 41, 64, 128, 255, 256, 300, 4096, 70_000]) {
      const workload = new Workload({ ...spec, machine, sizeBytes })
      for (const sequence of [0, 1, 999, 123_456]) {
        assert.equal(msgpackBytes(workload.commandAt(sequence)), sizeBytes, `${machine} ${sizeBytes}`)
      }
    }
  }
})

test('a size that no string has gets one byte less', () => {
  for (const [sizeBytes, actual] of [
    [33, 32],
    [258, 257],
    [65_539, 65_538],
  ] as const) {
    const workload = new Workload({ ...spec, machine: 'log', sizeBytes })
    assert.equal(msgpackBytes(workload.commandAt(0)), actual)
  }
})

test('every key is written equally often, whatever the seed', () => {
  const anySpec = fc.record({ keys: fc.integer({ min: 1, max: 500 }), seed: fc.nat() })
  fc.assert(
    fc.property(anySpec, ({ keys, seed }) => {
      const workload = new Workload({ ...spec, keys, seed })
      const counts = new Array<number>(keys).fill(0)
      for (let sequence = 0; sequence < 3 * keys; sequence++) {
        const key = workload.keyAt(sequence)
        counts[key] = (counts[key] ?? 0) + 1
      }
      assert.ok(counts.every((count) => count === 3))
    }),
  )
})

test('a sequence number says which command it is', () => {
  const workload = new Workload(spec)
  const again = new Workload(spec)
  assert.deepEqual(
    workload.commandsAt(5000, 3),
    [5000, 5001, 5002].map((number) => again.commandAt(number)),
  )
})

test('two writes of one key differ', () => {
  for (const keys of [1000, 160, 1]) {
    const workload = new Workload({ ...spec, keys })
    assert.notDeepEqual(workload.commandAt(7), workload.commandAt(7 + keys), `${keys} keys`)
  }
})

test('a size too small for the key is refused with what would do', () => {
  assert.throws(
    () => new Workload({ ...spec, keys: 100_000, sizeBytes: 9 }),
    (error) =>
      RaftError.is(error, 'INVALID_OPTIONS') && /--size is 9; expected at least 10 bytes/.test(error.message),
  )
})

test('an answer tells how much of the writes it has seen', () => {
  const workload = new Workload(spec)
  const value = workload.valueAt(0)
  assert.deepEqual(workload.queryAt(0), kv.get(keyName(workload.keyAt(0), spec)))
  assert.equal(workload.seenBy(undefined), 0)
  assert.equal(workload.seenBy({ key: 'k', value, version: 4 }), 4)
  assert.equal(workload.seenBy({ key: 'k', value: `${value}x`, version: 4 }), -1)
  const records = new Workload({ ...spec, machine: 'log' })
  assert.equal(records.seenBy({ first: 0, next: 12 }), 12)
  assert.equal(records.seenBy(undefined), -1)
})
