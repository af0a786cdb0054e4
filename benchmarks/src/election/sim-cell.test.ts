import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bench } from '../bench.ts'
import { CellResult } from './cell-result.ts'
import { freeCell } from './cells.ts'
import { type ElectionFaultName, electionFaultNames, electionFaultOf } from './election-faults.ts'
import { measureSimCell } from './sim-cell.ts'
import type { CellSettings } from './threads-cell.ts'
import { timeouts } from './timeouts.ts'

const stream = { write: () => true }
const context = { stdout: stream, stderr: stream, env: {}, signal: new AbortController().signal }

async function simulated(fault: ElectionFaultName, nodes: number, trials = 1): Promise<CellResult> {
  await using bench = new Bench(context, { data: undefined, usesDisk: false, expectedMs: 1 })
  const times = fault === 'delay-200' ? timeouts(1000, 2000) : timeouts(150, 300)
  const result = new CellResult(freeCell(fault, nodes, times, 'idle'))
  const settings = { trials, watchMs: 5000, values: { seed: 1 } } as CellSettings
  await measureSimCell(bench, result, settings)
  return result
}

describe('in virtual time', () => {
  for (const fault of electionFaultNames) {
    it(`${fault}: the leader is lost and another leads, or nothing happens`, async () => {
      const { leastNodes, strike } = electionFaultOf(fault)
      const result = await simulated(fault, leastNodes)
      assert.equal(result.verdict, 'pass', result.verification?.reason ?? '')
      if (strike === undefined) {
        assert.deepEqual([result.spuriousElections, result.trials.length], [0, 0])
        assert.ok(result.calmMs >= 5000)
        return
      }
      const [trial] = result.trials
      assert.ok(trial)
      const { timeToDetectionMs, timeToLeaderMs, timeToFirstCommitMs, timeToFullRecoveryMs } = trial
      assert.ok(timeToLeaderMs > 0 && timeToFirstCommitMs >= timeToLeaderMs)
      assert.ok(timeToFullRecoveryMs >= trial.timeToCaughtUpMs)
      if (fault === 'restart-storm')
        assert.equal(timeToDetectionMs !== null && timeToDetectionMs < 200, false)
      else assert.ok(timeToDetectionMs !== null && timeToDetectionMs <= timeToLeaderMs)
    })
  }

  it('nobody misses a leader before the shortest timeout, unless a closed connection tells of it', async () => {
    const silent = await simulated('silent-crash', 3, 3)
    for (const { timeToDetectionMs } of silent.trials) assert.ok((timeToDetectionMs ?? 0) >= 150 - 50)
    const told = await simulated('crash', 3, 3)
    for (const { timeToLeaderMs } of told.trials) assert.ok(timeToLeaderMs < 100)
  })

  it('a seed gives the same trials again', async () => {
    const [first, second] = [await simulated('pause', 3, 2), await simulated('pause', 3, 2)]
    assert.deepEqual(first.trials, second.trials)
    assert.notEqual(first.trials[0]?.timeToLeaderMs, first.trials[1]?.timeToLeaderMs)
  })
})
