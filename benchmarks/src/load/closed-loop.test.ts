import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { Workload } from '../workload.ts'
import { ClosedLoop, type Proposer } from './closed-loop.ts'
import { keyCounts, keyCountsBuffer, Ledger } from './ledger.ts'

const keys = 100
const spec = { window: 4, batch: 1, warmupMs: 0, durationMs: 60_000 }

/** A loop over `propose`, which gets the number of the call from 0 on. */
function loopOver(propose: (call: number, loop: ClosedLoop) => Promise<unknown>) {
  const workload = new Workload({ machine: 'kv', keys, sizeBytes: 64, seed: 1 })
  const ledger = new Ledger(workload, keyCounts(keyCountsBuffer(keys)))
  const seen: unknown[] = []
  const proposer: Proposer = {
    propose: (command) => propose(seen.push(command) - 1, loop),
    proposeMany: async (commands) => {
      await propose(seen.push(commands) - 1, loop)
      return commands.map(() => undefined)
    },
    query: async () => undefined,
    ask: async () => ({ answer: undefined, served: 'linearizable' }),
  }
  const loop: ClosedLoop = new ClosedLoop(proposer, workload, ledger)
  return { loop, ledger, seen, workload }
}

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume))
const busy = new RaftError('BUSY', 'full', { retryAfterMs: 0, limit: 'x' })
const indeterminate = new RaftError('INDETERMINATE', 'who knows', { reason: 'x' })

test('has as many commands outstanding as there are callers', async () => {
  let outstanding = 0
  let greatest = 0
  const { loop, ledger } = loopOver(async (call) => {
    greatest = Math.max(greatest, ++outstanding)
    await turn()
    outstanding--
    if (call === 100) loop.stop()
  })
  const result = await loop.run(spec)
  assert.equal(greatest, 4)
  assert.ok(ledger.acknowledged >= 101)
  assert.ok(result.commands > 0 && result.latency.count > 0)
})

test('a batch is one call of many commands', async () => {
  const { loop, ledger, seen, workload } = loopOver(async (call) => {
    await turn()
    if (call === 2) loop.stop()
  })
  await loop.run({ ...spec, window: 1, batch: 5 })
  assert.deepEqual(seen[1], workload.commandsAt(5, 5))
  assert.equal(ledger.acknowledged, 15)
  assert.equal(loop.nextSequence, 15)
})

test('what has not happened is proposed again, the same command', async () => {
  const { loop, ledger, seen } = loopOver(async (call) => {
    if (call === 0) throw busy
    if (call === 1) loop.stop()
  })
  await loop.run({ ...spec, window: 1 })
  assert.deepEqual(seen[1], seen[0])
  assert.equal(ledger.acknowledged, 1)
  assert.equal(ledger.unknown, 0)
})

test('what may have happened is counted as unknown and not proposed again', async () => {
  const { loop, ledger, seen } = loopOver(async (call) => {
    if (call === 0) throw indeterminate
    loop.stop()
  })
  await loop.run({ ...spec, window: 1 })
  assert.notDeepEqual(seen[1], seen[0])
  assert.deepEqual([ledger.acknowledged, ledger.unknown], [1, 1])
})

test('an answer that it does not understand ends the run', async () => {
  const { loop } = loopOver(async (call) => {
    await turn()
    if (call === 9) throw new TypeError('what is this')
  })
  await assert.rejects(loop.run(spec), /what is this/)
})
