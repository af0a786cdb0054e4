import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { type ClusterValues, clientSettings, clusterOptions, configurationOf } from './options.ts'

const values: ClusterValues = {
  engine: 'threads',
  nodes: 3,
  durability: 'flush-before-ack',
  data: undefined,
  storage: 'memory',
  seed: 1,
  'linger-ms': undefined,
  'commit-linger-ms': undefined,
  'max-batch-bytes': undefined,
  'max-batch-commands': undefined,
  'max-inflight-messages': undefined,
  'max-uncommitted-entries': undefined,
}

test('knobs that were not given are left to the engine', () => {
  const { raft, batching } = clusterOptions(values, 'kv')
  assert.deepEqual([raft, batching], [{}, {}])
})

test('knobs that were given reach their place', () => {
  const knobs = { 'linger-ms': 2, 'max-batch-commands': 64, 'max-inflight-messages': 8 }
  const { raft, batching } = clusterOptions({ ...values, ...knobs }, 'kv')
  assert.deepEqual(raft, { maxInflightMessages: 8 })
  assert.deepEqual(batching, { lingerMs: 2, maxBatchCommands: 64 })
})

test('the client has room for the largest window', () => {
  assert.equal(clientSettings([1, 64], 512).maxOutstandingCommands, 65_536)
  assert.equal(clientSettings([1], 1).maxOutstandingCommands, 16_384)
  assert.equal(clientSettings([1], 10_000).maxBatchCommands, 10_000)
})

test('more commands outstanding than anyone has memory for are refused', () => {
  assert.throws(
    () => clientSettings([131_072], 512),
    (error) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.value === 131_072 * 512,
  )
})

test('the configuration in a document names units', () => {
  const given = { size: 64, rate: 5, 'linger-ms': 0, data: undefined, json: 'x' }
  assert.deepEqual(configurationOf(given), { sizeBytes: 64, commandsPerSecond: 5, lingerMs: 0, data: null })
})
