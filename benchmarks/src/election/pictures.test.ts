import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CellResult, type ElectionTrial } from './cell-result.ts'
import { type Cell, namedCells } from './cells.ts'
import { picturesOf } from './pictures.ts'

const trialAfter = (commitMs: number): ElectionTrial => ({
  ...{ trial: 1, victim: 'n1', leader: 'n2', candidacies: 1, wastedElections: 0, contestedTerms: 0 },
  timeToDetectionMs: commitMs / 4,
  timeToLeaderMs: commitMs / 2,
  timeToFirstCommitMs: commitMs,
  timeToCaughtUpMs: 10,
  timeToFullRecoveryMs: commitMs * 20,
  commandsPerSecond: null,
})

function resultOf(cell: Cell, ...commitsMs: readonly number[]): CellResult {
  const result = new CellResult(cell)
  result.trials.push(...commitsMs.map(trialAfter))
  return result
}

const [cell] = namedCells as readonly [Cell]

test('one cell: throughput around the loss, as far as it tells something, and the times', () => {
  const result = resultOf(cell, 40, 80, 100)
  const samples = Array.from({ length: 400 }, (_, index) => ({ atMs: index * 10, acknowledged: index }))
  result.failover.add(samples, 100)
  const [failover, distribution] = picturesOf([result])
  assert.ok(failover?.kind === 'failover')
  // Five times the median commit of 80 ms, from 100 ms before the loss on.
  assert.deepEqual([failover.atMs[0], failover.atMs.at(-1)], [-95, 395])
  assert.deepEqual(
    failover.markers.map(({ at, label }) => [at, label]),
    [
      [0, 'leader lost'],
      [40, 'another leads 40.0 ms'],
      [80, 'first commit 80.0 ms'],
    ],
  )
  assert.ok(distribution?.kind === 'distribution')
  assert.deepEqual(
    distribution.series.map(({ points }) => points.at(-1)?.ms),
    [25, 50, 100, 2000],
  )
})

test('several cells are compared first; of very many nothing else is drawn', () => {
  const few = picturesOf([resultOf(cell, 10), resultOf(cell, 30), resultOf(cell)])
  assert.deepEqual(
    few.map(({ kind }) => kind),
    ['bars', 'distribution', 'distribution'],
  )
  const many = picturesOf(Array.from({ length: 30 }, () => resultOf(cell, 10)))
  assert.deepEqual(
    many.map(({ kind }) => kind),
    ['bars'],
  )
  assert.deepEqual(picturesOf([resultOf(cell)]), [])
})
