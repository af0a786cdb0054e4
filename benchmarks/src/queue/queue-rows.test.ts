import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Goal, mediansOf, type QueueRow, rateRow, reachedOf, timesPeer } from './queue-rows.ts'

function row(contestant: 'troupe' | 'bullmq', perSecond: number, round = 1, goals: readonly Goal[] = []) {
  const about = { what: 'sendMany', contestant, conditions: '', round, goals }
  return rateRow(about, perSecond * 2, 2)
}

describe('rows of the queue benchmark', () => {
  it('are summed up by the median of their rounds', () => {
    const rows = [row('troupe', 30, 1), row('bullmq', 4, 1), row('troupe', 10, 2), row('troupe', 20, 3)]
    assert.deepEqual(
      mediansOf(rows).map(({ contestant, messagesPerSecond }) => [contestant, messagesPerSecond]),
      [
        ['troupe', 20],
        ['bullmq', 4],
      ],
    )
  })

  it('are compared with the peer, where it ran', () => {
    const ours = row('troupe', 40)
    assert.equal(timesPeer(ours, [ours, row('bullmq', 10)]), 4)
    assert.equal(timesPeer(ours, [ours]), null)
    assert.equal(timesPeer(row('bullmq', 10), [ours]), null)
  })

  it('tell which goals are reached: speeds are least, times are most', () => {
    const speed: Goal[] = [
      { what: 'messagesPerSecond', bound: 50 },
      { what: 'timesPeer', bound: 4 },
    ]
    const late: QueueRow = {
      ...row('troupe', 1),
      ...{ what: 'latency', messagesPerSecond: null, p50Ms: 2, p99Ms: 20 },
      goals: [
        { what: 'p50Ms', bound: 3 },
        { what: 'p99Ms', bound: 15 },
        { what: 'longestGapMs', bound: 1 },
      ],
    }
    const rows = [row('troupe', 40, 1, speed), row('bullmq', 10), late]
    assert.deepEqual(
      reachedOf(rows).map(({ what, isMet }) => [what, isMet]),
      [
        ['messagesPerSecond', false],
        ['timesPeer', true],
        ['p50Ms', true],
        ['p99Ms', false],
      ],
    )
  })
})
