/**
 * Points whose limit is known because they are made so: a closed loop through resources of given capacity. The smallest
 * capacity decides the throughput, and commands wait in front of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Evidence, explain, type LimitKind } from './explain.ts'
import type { StagesMs, SweepUtilisation } from './point.ts'
import { pointOf } from './sweep.fixture.ts'

interface Made {
  readonly window: number
  readonly maxInflightMessages: number
  readonly commandsPerEntry: number
  readonly delayMs: number
  readonly flushMs: number
  /** Commands a second that each actor can do. */
  readonly client: number
  readonly leader: number
  readonly followers: number
}

const WORK_MS = 0.2

type Capacities = Readonly<Record<'client' | 'leader' | 'followers' | 'pipeline' | 'window', number>>

const commitMs = ({ delayMs, flushMs }: Made): number => 2 * delayMs + flushMs

const capacitiesOf = (made: Made): Capacities => ({
  client: made.client,
  leader: made.leader,
  followers: made.followers,
  // One entry a message: so many are on their way at once, each for the time of a commit.
  pipeline: (made.maxInflightMessages * made.commandsPerEntry * 1000) / Math.max(0.001, commitMs(made)),
  window: (made.window * 1000) / (WORK_MS + commitMs(made)),
})

/** What would be measured of it. */
function evidenceOf(made: Made, hasStages: boolean): Evidence {
  const capacities = capacitiesOf(made)
  const opsPerSecond = Math.min(...Object.values(capacities))
  const busy = (capacity: number): number => opsPerSecond / capacity
  const { client, leader, followers } = capacities
  const utilisation: SweepUtilisation = {
    client: busy(client),
    leader: busy(leader),
    followers: busy(followers),
    processors: 0.5,
  }
  const totalMs = (made.window * 1000) / opsPerSecond
  const waitMs = totalMs - WORK_MS - commitMs(made)
  const waits = (of: keyof Capacities): number => (opsPerSecond === capacities[of] ? waitMs : 0)
  const stagesMs: StagesMs = {
    queued: waits('client'),
    mailbox: waits('leader'),
    waiting: waits('pipeline'),
    stepped: WORK_MS,
    replicated: made.delayMs + waits('followers'),
    diskQueue: 0,
    flushed: made.flushMs,
    acknowledged: made.delayMs,
  }
  const perSecond = opsPerSecond / made.commandsPerEntry
  const point = pointOf(made, opsPerSecond, totalMs * 1.5)
  const rates = { ...point.rates, entriesPerSecond: perSecond, appendsPerSecond: perSecond }
  return { ...point, rates, p50Ms: totalMs, utilisation, ...(hasStages ? { stagesMs } : {}) }
}

/** What is made to be the limit; undefined where two capacities are too close to each other. */
function limitOf(made: Made): LimitKind | undefined {
  const [first, second] = Object.entries(capacitiesOf(made)).sort(([, left], [, right]) => left - right)
  if (first === undefined || second === undefined || second[1] < 1.5 * first[1]) return undefined
  if (first[0] !== 'pipeline') return first[0] as LimitKind
  return made.flushMs > 2 * made.delayMs ? 'flush' : 'round-trips'
}

const made = fc.record({
  window: fc.constantFrom(1, 16, 256, 4096, 65_536),
  maxInflightMessages: fc.constantFrom(1, 4, 64),
  commandsPerEntry: fc.constantFrom(1, 16, 512),
  delayMs: fc.constantFrom(0, 0.5, 5, 50),
  flushMs: fc.constantFrom(0, 0.3, 3, 30),
  client: fc.constantFrom(1e4, 1e5, 1e6),
  leader: fc.constantFrom(1e4, 1e5, 1e6),
  followers: fc.constantFrom(1e4, 1e5, 1e6),
})

for (const hasStages of [true, false]) {
  test(`the resource that is made the narrowest is named, ${hasStages ? 'with' : 'without'} stages`, () => {
    const seen = new Set<LimitKind>()
    fc.assert(
      fc.property(made, (point) => {
        const expected = limitOf(point)
        if (expected === undefined) return
        seen.add(expected)
        const found = explain(evidenceOf(point, hasStages))
        assert.equal(found.kind, expected, found.why)
        assert.ok(found.share > 0.8 && found.share <= 1, found.why)
      }),
      { numRuns: 2000 },
    )
    assert.deepEqual([...seen].sort(), ['client', 'flush', 'followers', 'leader', 'round-trips', 'window'])
  })
}

const quiet: SweepUtilisation = { client: 0.3, leader: 0.4, followers: 0.3, processors: 0.4 }
const base: Evidence = { ...pointOf({ window: 256 }, 50_000, 10), utilisation: quiet }

test('a disk that is never idle is the limit: commands wait for the flush before theirs', () => {
  const stagesMs = { stepped: 0.1, diskQueue: 1.4, flushed: 2.2, acknowledged: 0.3 }
  const { kind, why } = explain({ ...base, stagesMs })
  assert.equal(kind, 'flush')
  assert.match(why, /90 % of the time is the disk's, and for 1\.40 ms of it commands wait/)
})

test('flushes that are made slow overlap: commands behind each other do not wait for each other', () => {
  const stagesMs = { stepped: 0.1, diskQueue: 4.6, flushed: 0.5, acknowledged: 0.3 }
  assert.equal(explain({ ...base, flushMs: 5, stagesMs }).kind, 'window')
})

test('waiting that was asked for by a linger is no lack of room', () => {
  const stagesMs = { waiting: 5, replicated: 0.2, flushed: 0.2 }
  assert.equal(explain({ ...base, stagesMs }).kind, 'round-trips')
  assert.equal(explain({ ...base, stagesMs, lingerMs: 5 }).kind, 'window')
})

test('entries that reach followers later than their way takes wait for a message to come back', () => {
  const stagesMs = { stepped: 0.1, replicated: 14, flushed: 0.2, acknowledged: 5 }
  const { kind, why } = explain({ ...base, delayMs: 5, stagesMs })
  assert.equal(kind, 'round-trips')
  assert.match(why, /9\.00 ms later than the way of 5\.00 ms/)
})

test('a message that is always in use holds up nobody while it takes all commands along', () => {
  const rates = { ...base.rates, appendsPerSecond: 95 }
  const evidence = { ...base, rates, window: 16, maxInflightMessages: 1, delayMs: 5 }
  const stagesMs = { mailbox: 0.2, replicated: 5.4, flushed: 0.1, acknowledged: 5.3 }
  assert.equal(explain({ ...evidence, stagesMs, p50Ms: 11.4 }).kind, 'window')
  assert.equal(explain({ ...evidence, p50Ms: 11.4 }).kind, 'window')
  assert.equal(explain({ ...evidence, stagesMs: { ...stagesMs, replicated: 11 } }).kind, 'round-trips')
  assert.equal(explain({ ...evidence, p50Ms: 19.7 }).kind, 'round-trips')
})

test('all processors busy and no actor by itself: there are too few of them', () => {
  const utilisation = { client: 0.6, leader: 0.7, followers: 0.6, processors: 0.96 }
  assert.equal(explain({ ...base, utilisation }).kind, 'processors')
  const leader = explain({ ...base, utilisation: { ...utilisation, leader: 0.97 } })
  assert.equal(leader.kind, 'leader')
  assert.match(
    leader.why,
    /the leader's event loop is busy for 97 % of the time, and all processors are busy/,
  )
})

test('where only the window limits, it is told what the latency consists of', () => {
  const slow = { ...base, delayMs: 5, stagesMs: { stepped: 1, replicated: 5, flushed: 1, acknowledged: 5 } }
  assert.match(explain(slow).why, /more than 256 outstanding .*; of 12\.0 ms round trips take 83 %/)
  const { utilisation: _, ...unknown } = base
  assert.match(explain({ ...unknown, delayMs: 2, p50Ms: 5 }).why, /round trips take at least 80 %/)
})
