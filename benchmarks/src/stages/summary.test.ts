import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type StageSample, type StageTimes, stageNames } from './stage.ts'
import { summarizeStages } from './summary.ts'

const zero = Object.fromEntries(stageNames.map((stage) => [stage, 0])) as StageTimes

function sample(commandCount: number, flushed: number, applied: number): StageSample {
  const times = { ...zero, flushed, applied }
  return { commandCount, index: 1, totalMs: flushed + applied, times, completedBy: 'n1', nodes: [] }
}

test('a frame counts as many times as it holds commands', () => {
  const report = summarizeStages({ samples: [sample(3, 1, 0), sample(1, 9, 0)], leftOut: 2 })
  assert.deepEqual(report?.total, { p50Ms: 1, p99Ms: 9, meanMs: 3 })
  assert.deepEqual([report?.commands, report?.frames, report?.leftOut], [4, 2, 2])
})

test('shares are of the time of all commands, those of the tail of the slowest hundredth', () => {
  const fast = Array.from({ length: 1980 }, () => sample(1, 3, 1))
  const slow = Array.from({ length: 20 }, () => sample(1, 3, 97))
  const report = summarizeStages({ samples: [...fast, ...slow], leftOut: 0 })
  const flushed = report?.stages.find(({ stage }) => stage === 'flushed')
  const applied = report?.stages.find(({ stage }) => stage === 'applied')
  assert.equal(flushed?.share, 0.6048)
  assert.equal(applied?.share, 0.3952)
  assert.equal(applied?.tailShare, 0.97)
})

test('of too few frames no tail is told, of none nothing', () => {
  const report = summarizeStages({ samples: [sample(1, 1, 1)], leftOut: 0 })
  assert.equal(report?.stages[0]?.tailShare, null)
  assert.equal(summarizeStages({ samples: [], leftOut: 9 }), undefined)
})
