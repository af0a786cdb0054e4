import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Workload } from '../workload.ts'
import { AckTimes } from './ack-times.ts'
import { keyCounts, keyCountsBuffer, Ledger } from './ledger.ts'
import { type BoundedProposer, OpenLoop, Schedule } from './open-loop.ts'

const keys = 100

test('a schedule starts one command at once and the others evenly', () => {
  const schedule = new Schedule(20_000, 1000)
  assert.equal(schedule.due(999.99), 0)
  assert.equal(schedule.due(1000), 1)
  assert.equal(schedule.due(1001), 21)
  assert.equal(schedule.due(2000), 20_001)
  assert.equal(schedule.startOf(20), 1001)
})

test('whatever the ticks, each command is due once and not before its start', () => {
  const ticks = fc.array(fc.double({ min: 0.01, max: 500, noNaN: true }), { maxLength: 50 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), ticks, (rate, pauses) => {
      const schedule = new Schedule(rate, 0)
      let started = 0
      let nowMs = 0
      for (const pause of pauses) {
        nowMs += pause
        const due = schedule.due(nowMs)
        assert.ok(due >= started && Math.abs(due - 1 - (nowMs * rate) / 1000) <= 1)
        if (due > 0) assert.ok(schedule.startOf(due - 1) <= nowMs + 1e-6)
        started = due
      }
    }),
  )
})

function openLoop(proposer: Partial<BoundedProposer>, rate: number) {
  const workload = new Workload({ machine: 'kv', keys, sizeBytes: 64, seed: 1 })
  const ledger = new Ledger(workload, keyCounts(keyCountsBuffer(keys)))
  const full: BoundedProposer = {
    propose: async () => undefined,
    proposeMany: async () => [],
    query: async () => undefined,
    ask: async () => ({ answer: undefined, served: 'linearizable' }),
    room: () => 1000,
    ...proposer,
  }
  const loop = new OpenLoop(full, workload, ledger, new AckTimes(() => 'n1'), { ratePerSecond: rate }, 0)
  return { loop, ledger }
}

test('a stall is felt by every command that should have started meanwhile', async () => {
  const stalled = Promise.withResolvers<void>()
  const enough = Promise.withResolvers<void>()
  let proposed = 0
  const propose = async (): Promise<void> => {
    if (++proposed === 40) enough.resolve()
    await stalled.promise
  }
  const { loop, ledger } = openLoop({ propose }, 5000)
  await enough.promise
  stalled.resolve()
  const { started, latency } = await loop.stop()
  assert.ok(started >= 40)
  assert.equal(ledger.acknowledged, started)
  assert.equal(latency.count, started)
  // The first waited for the 40th to be due, 7.8 ms later.
  assert.ok(latency.max >= 7.5e6, `${latency.max} ns`)
})

test('commands for which there is no room start later, with their intended start', async () => {
  let hasRoom = false
  const enough = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  let questions = 0
  const room = (): number => {
    if (++questions === 10) asked.resolve()
    return hasRoom ? 1000 : 0
  }
  let proposed = 0
  const propose = async (): Promise<void> => {
    if (++proposed === 20) enough.resolve()
  }
  const { loop } = openLoop({ propose, room }, 10_000)
  await asked.promise
  hasRoom = true
  await enough.promise
  const { latency } = await loop.stop()
  assert.ok(latency.max >= 5e6, `${latency.max} ns: ten ticks without room`)
})

test('an answer that it does not understand is told at the end', async () => {
  const failed = Promise.withResolvers<void>()
  const propose = async (): Promise<void> => {
    failed.resolve()
    throw new TypeError('what is this')
  }
  const { loop } = openLoop({ propose }, 1000)
  await failed.promise
  await assert.rejects(loop.stop(), /what is this/)
})
