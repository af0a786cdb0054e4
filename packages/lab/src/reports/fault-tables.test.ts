import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CaseRun } from '../engine.ts'
import type { Scenario } from '../scenario/scenario.ts'
import type { Cell } from '../scenario/table-spec.ts'
import { columnsOf, tableRowOf } from './fault-tables.ts'

const plain: CaseRun = {
  ...{ seed: 1, verdict: 'pass', failure: undefined, reason: undefined, events: 1, elapsedMs: 1 },
  ...{ situations: {}, figures: {}, applied: 1, skipped: 0, isHistoryDecided: true },
  ...{ traceHash: undefined, timeline: undefined },
}

const runs: readonly CaseRun[] = [
  {
    ...plain,
    figures: { timeToLeaderMs: [100, 400], electionsDuring: [2] },
    situations: { 'split vote': 3 },
  },
  { ...plain, figures: { timeToLeaderMs: [200, 290.4], electionsDuring: [5], failureRateDuring: [0.125] } },
]

function cellText(cell: Cell, of: readonly CaseRun[] = runs): string | undefined {
  const scenario = { table: { title: 't', columns: [{ head: 'h', cell }] } } as unknown as Scenario
  return tableRowOf(scenario, { nodes: 3 }, of, columnsOf([scenario]))?.cells[0]?.[1]
}

describe('a cell of a table', () => {
  test('is a parameter of the case', () => {
    assert.equal(cellText({ row: 'nodes' }), '3')
    assert.equal(cellText({ row: 'other' }), '–')
  })

  test('is a figure over all values of all runs, or over the n-th of each', () => {
    assert.equal(cellText({ figure: { name: 'timeToLeaderMs', of: 'max', unit: 'ms' } }), '400 ms')
    assert.equal(cellText({ figure: { name: 'timeToLeaderMs', of: 'max', at: 1, unit: 'ms' } }), '200 ms')
    assert.equal(cellText({ figure: { name: 'timeToLeaderMs', of: 'min', at: 2 } }), '290')
    assert.equal(cellText({ figure: { name: 'timeToLeaderMs', of: 'max', at: 3 } }), '–')
    assert.equal(cellText({ figure: { name: 'electionsDuring', of: 'range' } }), '2–5')
    assert.equal(cellText({ figure: { name: 'electionsDuring', of: 'sum' } }), '7')
    assert.equal(cellText({ figure: { name: 'failureRateDuring', of: 'mean', unit: '%' } }), '13 %')
  })

  test('is a share of values within a bound, with how many there are', () => {
    assert.equal(cellText({ share: { name: 'timeToLeaderMs', within: 300 } }), '75.0 % of 4')
    assert.equal(cellText({ share: { name: 'openWrites', within: 300 } }), '–')
  })

  test('counts runs that reached a situation', () => {
    assert.equal(cellText({ situation: 'split vote' }), '1 of 2 runs')
  })

  test('says what was lost, and claims nothing of runs that show nothing', () => {
    const failure = { invariant: 'leader completeness', message: 'm', atMs: 1 }
    assert.equal(cellText({ lost: true }), 'nothing')
    assert.equal(
      cellText({ lost: true }, [plain, { ...plain, verdict: 'fail', failure }]),
      'leader completeness: in 1 of 2 runs',
    )
    assert.match(cellText({ lost: true }, [plain, { ...plain, verdict: 'unknown' }]) ?? '', /not known/)
  })
})

test('the columns of a table are those of its first case', () => {
  const first = {
    table: { title: 't', columns: [{ head: 'h', cell: { row: 'nodes' } }] },
  } as unknown as Scenario
  const second = { table: { title: 't' } } as unknown as Scenario
  const stranger = { table: { title: 'other' } } as unknown as Scenario
  const columns = columnsOf([first, second, stranger])
  assert.deepEqual(tableRowOf(second, { nodes: 5 }, runs, columns)?.cells, [['h', '5']])
  assert.equal(tableRowOf(stranger, { nodes: 5 }, runs, columns), undefined)
})
