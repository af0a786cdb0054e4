import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CellResult, type ElectionTrial } from './cell-result.ts'
import { cellsNamed } from './cells.ts'
import { goalsOf } from './goals.ts'
import { electionPage } from './markdown.ts'
import { ElectionReport } from './report.ts'

const trial = (number: number, toLeaderMs: number): ElectionTrial => ({
  trial: number,
  victim: 'n1',
  leader: 'n2',
  timeToDetectionMs: toLeaderMs - 5,
  timeToLeaderMs: toLeaderMs,
  timeToFirstCommitMs: toLeaderMs + 2,
  timeToCaughtUpMs: 100,
  timeToFullRecoveryMs: toLeaderMs + 102,
  candidacies: 1,
  wastedElections: number === 1 ? 2 : 0,
  contestedTerms: 0,
  commandsPerSecond: { before: 100, during: number, after: 90 },
})

function resultOf(name: string, times: readonly number[]): CellResult {
  const [cell] = cellsNamed(name)
  const result = new CellResult(cell ?? assert.fail())
  result.trials.push(...times.map((ms, index) => trial(index + 1, ms)))
  return result
}

describe('what a cell sums up to', () => {
  it('percentiles by nearest rank, no 99th of fewer than a hundred, the worst always', () => {
    const few = resultOf('silent-5', [100, 200, 310]).summary('timeToLeaderMs')
    assert.deepEqual([few.p50, few.p99, few.max], [200, null, 310])
    const times = Array.from({ length: 100 }, (_, index) => index + 1)
    const many = resultOf('silent-5', times).summary('timeToLeaderMs')
    assert.deepEqual([many.p50, many.p99, many.max], [50, 99, 100])
  })

  it('shares, totals and means', () => {
    const result = resultOf('silent-5', [100, 300, 301, 400])
    assert.equal(result.ledWithin(300), 0.5)
    assert.equal(result.total('wastedElections'), 2)
    assert.deepEqual(result.commandsPerSecond, { before: 100, during: 3, after: 90 })
    assert.equal(resultOf('silent-5', []).ledWithin(300), null)
  })
})

describe('goals', () => {
  const outcomes = (result: CellResult) => goalsOf(result).map(({ isMet }) => isMet)
  const hundred = (ms: number): number[] => Array.from({ length: 100 }, () => ms)

  it('are reached, missed, or not decided by so few trials', () => {
    assert.deepEqual(outcomes(resultOf('silent-5', hundred(180))), [true, true])
    assert.deepEqual(outcomes(resultOf('silent-5', [...hundred(180), 301, 301])), [false, true])
    assert.deepEqual(outcomes(resultOf('silent-5', [200])), [undefined, false])
    assert.deepEqual(outcomes(resultOf('crash-3', [2])), [true, undefined])
    assert.deepEqual(outcomes(resultOf('crash-3', hundred(19))), [false, false])
    assert.deepEqual(outcomes(resultOf('pause-3', [200])), [])
  })

  it('calm has to last a minute, and ends with the first election', () => {
    const result = resultOf('calm-5-narrow', [])
    result.calmMs = 59_000
    assert.deepEqual(outcomes(result), [undefined])
    result.calmMs = 60_000
    assert.deepEqual(outcomes(result), [true])
    result.spuriousElections = 1
    assert.deepEqual(outcomes(result), [false])
  })
})

describe('the page', () => {
  it('has a line for each cell, the faults that were there, the goals and the command', () => {
    const report = new ElectionReport({}, 'sim')
    report.results.push(resultOf('silent-5', [180]), resultOf('pause-3', [200]))
    const page = electionPage(report, 'pnpm troupe bench election')
    const rows = page.split('\n').filter((line) => line.startsWith('| '))
    assert.equal(rows.length, 4)
    assert.equal(new Set(rows.map((row) => row.split('|').length)).size, 1)
    assert.match(page, /^\| silent-5 \| silent-crash \| 5 \| 150–300\/50 \| idle \| 1 \|/m)
    assert.match(page, /- `pause`: the leader's thread stands still/)
    assert.match(page, /- `silent-5`: fault to new leader: median ≤ 190 ms: reached/)
    assert.doesNotMatch(page, /`stall`/)
  })
})
