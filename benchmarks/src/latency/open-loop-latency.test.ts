/** What `bench latency` reports of an open loop, under a clock that the test sets: each figure is exact. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { AckTimes } from '../load/ack-times.ts'
import { keyCounts, keyCountsBuffer, Ledger } from '../load/ledger.ts'
import { ManualClock } from '../load/manual-clock.fixture.ts'
import { type BoundedProposer, OpenLoop, type OpenLoopSpec } from '../load/open-loop.ts'
import type { Conditions } from '../throughput/conditions.ts'
import { Workload } from '../workload.ts'
import { linesOf, runOf } from './latency-run.ts'

const keys = 100

/** A server that answers each command after `serviceMs`, but none while it stalls. */
class Server {
  readonly clock: ManualClock
  readonly serviceMs: number
  room = Number.POSITIVE_INFINITY
  #outstanding = 0
  #isStalled = false
  readonly #waiting: (() => void)[] = []

  constructor(clock: ManualClock, serviceMs: number) {
    this.clock = clock
    this.serviceMs = serviceMs
  }

  propose(): Promise<void> {
    this.#outstanding++
    return new Promise((resolve) => {
      this.clock.after(this.serviceMs, () => {
        const answer = (): void => {
          this.#outstanding--
          resolve()
        }
        if (this.#isStalled) this.#waiting.push(answer)
        else answer()
      })
    })
  }

  stall(): void {
    this.#isStalled = true
  }

  resume(): void {
    this.#isStalled = false
    for (const answer of this.#waiting.splice(0)) answer()
  }

  left(): number {
    return this.room - this.#outstanding
  }
}

function open(spec: OpenLoopSpec, server: Server, more: Partial<BoundedProposer> = {}) {
  const workload = new Workload({ machine: 'kv', keys, sizeBytes: 64, seed: 1 })
  const ledger = new Ledger(workload, keyCounts(keyCountsBuffer(keys)))
  const proposer: BoundedProposer = {
    propose: () => server.propose(),
    proposeMany: async () => [],
    query: async () => undefined,
    ask: async () => ({ answer: undefined, served: 'linearizable' }),
    room: () => server.left(),
    ...more,
  }
  const loop = new OpenLoop(proposer, workload, ledger, new AckTimes(() => 'n1'), spec, 0, server.clock)
  return { loop, ledger }
}

/** Stops it and lets what is outstanding be answered. */
async function ended(loop: OpenLoop, clock: ManualClock) {
  const stopping = loop.stop()
  await clock.advance(10_000)
  return stopping
}

const ms = (ns: number): number => Math.round(ns / 1e6)

test('while the server keeps up both latencies are its service time', async () => {
  const clock = new ManualClock()
  const { loop, ledger } = open({ ratePerSecond: 1000 }, new Server(clock, 3))
  await clock.advance(199)
  const { started, latency, serviceLatency } = await ended(loop, clock)
  assert.equal(started, 200)
  assert.equal(ledger.acknowledged, 200)
  for (const { count, min, max } of [latency, serviceLatency]) {
    assert.deepEqual([count, ms(min), ms(max)], [200, 3, 3])
  }
})

test('a stalled server shows in the latency from the intended start, and not in the other', async () => {
  const clock = new ManualClock()
  const server = new Server(clock, 1)
  server.room = 1
  const { loop } = open({ ratePerSecond: 1000 }, server)
  await clock.advance(100)
  server.stall()
  await clock.advance(500)
  server.resume()
  await clock.advance(1500)
  const { started, latency, serviceLatency } = await ended(loop, clock)
  // One by one, a millisecond each: the server never catches up with the 500 that waited, and all of them felt it.
  assert.ok(started >= 1590 && started <= 1610, `${started}`)
  assert.ok(ms(latency.percentile(50)) >= 495, `${ms(latency.percentile(50))} ms`)
  assert.equal(ms(serviceLatency.percentile(99)), 1)
  // The one command that was under way is all that the other knows of the stall.
  assert.ok(ms(serviceLatency.max) >= 499)
})

test('a generator that comes late is felt as well', async () => {
  const clock = new ManualClock()
  const { loop } = open({ ratePerSecond: 1000 }, new Server(clock, 2))
  await clock.advance(10)
  clock.skip(300)
  await clock.advance(10)
  const { latency, serviceLatency } = await ended(loop, clock)
  assert.ok(ms(latency.max) >= 300)
  assert.ok(ms(latency.percentile(50)) >= 140)
  assert.equal(ms(serviceLatency.percentile(50)), 2)
})

test('no command is left out, however long the stall: each has its start in the schedule', async () => {
  const clock = new ManualClock()
  const server = new Server(clock, 1)
  const { loop, ledger } = open({ ratePerSecond: 500 }, server)
  server.stall()
  await clock.advance(4000)
  server.resume()
  const { started, latency } = await ended(loop, clock)
  assert.equal(started, 2001)
  assert.deepEqual([ledger.acknowledged, latency.count], [2001, 2001])
  // Evenly from 4,000 ms down to nothing.
  const quarters = [25, 50, 75].map((percent) => ms(latency.percentile(percent)))
  for (const [index, expected] of [1000, 2000, 3000].entries()) {
    assert.ok(Math.abs((quarters[index] as number) - expected) <= 10, `${quarters}`)
  }
})

test('what should begin during the warm-up or after what is measured counts in no figure', async () => {
  const clock = new ManualClock()
  const server = new Server(clock, 5)
  const { loop, ledger } = open({ ratePerSecond: 1000, warmupMs: 100, measuredMs: 200 }, server)
  await clock.advance(90)
  server.stall()
  await clock.advance(8)
  server.resume()
  await clock.advance(402)
  const { completed, elapsedMs, latency } = await ended(loop, clock)
  assert.equal(ledger.acknowledged, 501)
  assert.equal(latency.count, 200)
  assert.deepEqual([ms(latency.min), ms(latency.max), elapsedMs], [5, 5, 200])
  // The last five were answered too late for the rate that was reached.
  assert.ok(completed >= 195 && completed <= 196, `${completed}`)
})

test('a command that is refused is tried again, and its latency goes on', async () => {
  const clock = new ManualClock()
  const server = new Server(clock, 1)
  let refusals = 3
  const propose = async (): Promise<void> => {
    if (refusals-- > 0) throw new RaftError('BUSY', 'later', { retryAfterMs: 40, limit: 'calls' })
    return server.propose()
  }
  const { loop, ledger } = open({ ratePerSecond: 1 }, server, { propose })
  await clock.advance(500)
  const { latency } = await ended(loop, clock)
  assert.equal(ledger.acknowledged, 1)
  assert.equal(ms(latency.max), 3 * 40 + 1)
})

test('the row has both, and says whether the rate was reached', async () => {
  const clock = new ManualClock()
  const server = new Server(clock, 2)
  server.room = 1
  const { loop } = open({ ratePerSecond: 1000 }, server)
  await clock.advance(1000)
  const result = await ended(loop, clock)
  const settings = { ratePerSecond: 1000, batch: 1, sizeBytes: 64, seconds: 1, warmupSeconds: 0, repeat: 1 }
  const conditions = {} as Conditions
  const timeline = { intervalSeconds: 1, points: [], events: [] }
  const run = runOf({ ...settings, conditions }, result, timeline)
  assert.equal(run.keptUp, false)
  assert.ok(run.opsPerSecond >= 490 && run.opsPerSecond <= 510, `${run.opsPerSecond}`)
  assert.ok((run.latencyMs.p50 ?? 0) > 200)
  assert.equal(Math.round(run.serviceLatencyMs.p50 ?? 0), 2)
  const lines = linesOf([{ ...run } as Parameters<typeof linesOf>[0][number]])
  assert.deepEqual(
    lines.map(({ from, latency }) => [from, latency.samples]),
    [
      ['intended start', result.started],
      ['actual start', result.started],
    ],
  )
})
