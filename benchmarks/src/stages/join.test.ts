import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeTrace, TraceRows } from '@troupe/cluster'
import { joinStages, type Traces } from './join.ts'

const rows = (width: number, ...given: readonly (readonly number[])[]): TraceRows => ({
  width,
  values: Float64Array.from(given.flat()),
})

/** began, handed, applied, ended, term, lastIndex, token, commit, applied */
const before = [0, 0, 0, 0, 1, 6, 6, 6, 6]
const nothing = { taken: rows(3), proposed: rows(3) }

/** The leader took the frame at 12, made entry 7 of it in its turn from 13 on, and flushed it at 20. */
const leader = (flushedMs = 20): NodeTrace => ({
  turns: rows(9, before, [13, 15, 15.5, 15.6, 1, 7, 7, 6, 6], [30, 31, 34, 35, 1, 7, 0, 7, 7]),
  flushes: rows(2, [6, 5], [7, flushedMs]),
  taken: rows(3, [3, 100, 12]),
  proposed: rows(3, [3, 100, 7]),
})

/** A follower had it with its disk at `handedMs`, which was busy until `busyUntilMs`. */
const follower = (handedMs: number, busyUntilMs: number, flushedMs: number): NodeTrace => ({
  ...nothing,
  turns: rows(9, before, [handedMs - 1, handedMs, handedMs, handedMs, 1, 7, 70, 6, 6]),
  flushes: rows(2, [69, busyUntilMs], [70, flushedMs]),
})

/** Proposed at 10, left at 11, answered at 40. */
const client = {
  sent: rows(5, [3, 100, 5, 10, 11]),
  answered: rows(3, [3, 100, 40]),
}

function traces(nodes: Readonly<Record<string, NodeTrace>>): Traces {
  return { client, nodes: new Map(Object.entries(nodes)), voters: ['n1', 'n2', 'n3'] }
}

const both = { n2: follower(18, 19, 25), n3: follower(17, 2, 90) }

test('the stages of a command that a follower completed the quorum of', () => {
  const { samples, leftOut } = joinStages(traces({ n1: leader(), ...both }))
  assert.equal(leftOut, 0)
  assert.equal(samples.length, 1)
  const [sample] = samples
  assert.deepEqual(sample?.times, {
    queued: 1,
    mailbox: 1,
    waiting: 1,
    stepped: 2,
    replicated: 3,
    diskQueue: 1,
    flushed: 6,
    acknowledged: 5,
    committed: 1,
    applied: 3,
    replied: 1,
    returned: 5,
  })
  assert.deepEqual(
    [sample?.totalMs, sample?.completedBy, sample?.commandCount, sample?.index],
    [30, 'n2', 5, 7],
  )
})

test('the stages of a command whose leader was the last one that the quorum needed', () => {
  const [sample] = joinStages(traces({ n1: leader(28), ...both })).samples
  assert.equal(sample?.completedBy, 'n1')
  assert.deepEqual([sample?.times.replicated, sample?.times.diskQueue, sample?.times.flushed], [0, 0, 13])
})

test('what the other nodes did is told too', () => {
  const [sample] = joinStages(traces({ n1: leader(), ...both })).samples
  assert.deepEqual(sample?.nodes, [
    { id: 'n1', isLeader: true, handedAfterMs: 0, diskQueueMs: 0, flushMs: 5 },
    { id: 'n2', isLeader: false, handedAfterMs: 3, diskQueueMs: 1, flushMs: 6 },
    { id: 'n3', isLeader: false, handedAfterMs: 2, diskQueueMs: 0, flushMs: 73 },
  ])
})

test('a node without a vote completes no quorum', () => {
  const learner = { n4: follower(16, 2, 16.5) }
  const [sample] = joinStages(traces({ n1: leader(), ...both, ...learner })).samples
  assert.equal(sample?.completedBy, 'n2')
})

test('an entry of another term at the same index is another entry', () => {
  const stranger = { ...both.n2, turns: rows(9, before, [1, 2, 2, 2, 2, 7, 70, 6, 6]) }
  const { samples } = joinStages(traces({ n1: leader(), n2: stranger, n3: both.n3 }))
  assert.equal(samples.length, 0, 'n3 flushed it after the answer had come')
})

test('what was truncated and appended again counts from the second time on', () => {
  const [again, , last] = [before, [], [24, 24.5, 24.5, 24.5, 1, 7, 70, 6, 6]] as const
  const n2 = { ...both.n2, turns: rows(9, again, [1, 2, 2, 2, 1, 7, 69, 6, 6], again, last) }
  const [sample] = joinStages(traces({ n1: leader(), n2, n3: both.n3 })).samples
  assert.equal(sample?.times.replicated, 9.5)
})

test('what a ring has forgotten is left out and counted', () => {
  const [, made, done] = [
    before,
    [13, 15, 15.5, 15.6, 1, 7, 7, 6, 6],
    [30, 31, 34, 35, 1, 7, 0, 7, 7],
  ] as const
  const forgetful = { ...leader(), turns: rows(9, made, done) }
  assert.deepEqual(joinStages(traces({ n1: forgetful, ...both })), { samples: [], leftOut: 1 })
  const untold = { ...leader(), proposed: rows(3) }
  assert.deepEqual(joinStages(traces({ n1: untold, ...both })), { samples: [], leftOut: 1 })
})

test('what has no answer yet is nobody’s sample', () => {
  const open = { ...traces({ n1: leader(), ...both }), client: { ...client, answered: rows(3) } }
  assert.deepEqual(joinStages(open), { samples: [], leftOut: 0 })
})

test('a thread that lost its processor wrote things down late: others were quicker', () => {
  const turns = rows(9, before, [13, 19, 15.5, 15.6, 1, 7, 7, 6, 6], [30, 31, 34, 60, 1, 7, 0, 7, 7])
  const [sample] = joinStages(traces({ n1: { ...leader(), turns }, ...both })).samples
  assert.deepEqual([sample?.times.stepped, sample?.times.replicated], [5, 0])
  assert.deepEqual([sample?.times.replied, sample?.times.returned], [6, 0])
})
