import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Workload } from '../workload.ts'
import { keyCounts, keyCountsBuffer, Ledger } from './ledger.ts'
import { type ReadConsistency, Reads } from './reads.ts'

const workload = new Workload({ machine: 'kv', keys: 10, sizeBytes: 64, seed: 1 })

/** Reads of a cluster that always answers that a key was written `version` times. */
function readsOf(consistency: ReadConsistency, version: number, percent = 100) {
  const answer = version === 0 ? undefined : { key: 'k', value: workload.valueAt(0), version }
  const asker = {
    query: async () => answer,
    ask: async () => ({ answer, served: 'linearizable' as const }),
  }
  const ledger = new Ledger(workload, keyCounts(keyCountsBuffer(10)))
  return { ledger, reads: new Reads({ consistency, percent }, asker, workload, ledger) }
}

test('an answer older than what was acknowledged before is a violation', async () => {
  const { ledger, reads } = readsOf('linearizable', 1)
  await reads.read(3, false)
  ledger.acknowledge(3, undefined)
  await reads.read(3, false)
  assert.equal(reads.result(2).violations, 0)
  ledger.acknowledge(13, undefined)
  await reads.read(3, false)
  const { violations, behind } = reads.result(3)
  assert.deepEqual([violations, behind, reads.answered], [1, 0, 3])
})

test('what is acknowledged while a read is under way need not be seen', async () => {
  const { ledger, reads } = readsOf('lease', 0)
  const reading = reads.read(3, false)
  ledger.acknowledge(3, undefined)
  await reading
  assert.equal(reads.result(1).violations, 0)
})

test('stale reads may be behind, but not make things up', async () => {
  const { ledger, reads } = readsOf('stale', 0)
  ledger.acknowledge(3, undefined)
  await reads.read(3, false)
  assert.deepEqual([reads.result(1).violations, reads.result(1).behind], [0, 1])
  reads.take(0, { key: 'k', value: 'of somebody else', version: 1 })
  assert.equal(reads.result(1).violations, 1)
})

test('reads are scattered evenly among the calls', () => {
  for (const percent of [0, 1, 30, 95, 100]) {
    const { reads } = readsOf('lease', 0, percent)
    const calls = Array.from({ length: 1000 }, (_, call) => reads.has(call))
    assert.equal(calls.filter(Boolean).length, 10 * percent)
    for (let from = 0; from < 1000; from += 100) {
      assert.equal(calls.slice(from, from + 100).filter(Boolean).length, percent)
    }
  }
})

test('of a sample it is known how the answers came about', async () => {
  const { reads } = readsOf('lease', 0)
  await reads.read(1, true)
  await reads.read(2, false)
  assert.deepEqual(reads.result(2).served, { linearizable: 1 })
})
