import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import type { CaseRun } from '../engine.ts'
import { figureNames } from '../figures.ts'
import { MetricsServer } from './metrics-server.ts'
import { metricName, RunMetrics } from './run-metrics.ts'

const runOf = (figures: CaseRun['figures'], verdict: CaseRun['verdict'] = 'pass'): CaseRun => ({
  ...{
    seed: 1,
    verdict,
    failure: undefined,
    reason: undefined,
    events: 1,
    elapsedMs: 1,
    situations: {},
    figures,
  },
  ...{ applied: 0, skipped: 0, isHistoryDecided: true, traceHash: undefined, timeline: undefined },
})

test('every figure has a name, the three phases of one the same', () => {
  assert.equal(metricName('replicaLagMsAfter'), 'replica_sync_lag_ms')
  assert.equal(metricName('failureRateBefore'), metricName('failureRateDuring'))
  assert.equal(metricName('termChangesPerMinuteBefore'), 'term_changes_per_minute')
  for (const name of figureNames) assert.match(metricName(name), /^[a-z][a-z_]*$/)
})

test('runs are counted by their verdict, figures are summaries with their phase, the present run beside them', () => {
  const metrics = new RunMetrics()
  metrics.planned(5)
  metrics.ran('a "b"\\', 'sim', runOf({ replicaLagMsDuring: [1, 2, 3, 10], splitVotes: [0] }))
  metrics.ran('a "b"\\', 'sim', runOf({ replicaLagMsDuring: [4] }, 'fail'))
  metrics.says('a "b"\\', 'sim', { seed: 3, text: '', share: 0.25, figures: { failureRateDuring: [0.5] } })
  const { text } = metrics
  const of = '{case="a \\"b\\"\\\\",engine="sim"'
  for (const line of [
    'troupe_lab_runs_planned 5',
    `troupe_lab_runs_total${of},verdict="fail"} 1`,
    `troupe_lab_run_progress${of},seed="3"} 0.25`,
    `troupe_lab_replica_sync_lag_ms${of},phase="during",quantile="0.5"} 3`,
    `troupe_lab_replica_sync_lag_ms${of},phase="during",quantile="1"} 10`,
    `troupe_lab_replica_sync_lag_ms_sum${of},phase="during"} 20`,
    `troupe_lab_replica_sync_lag_ms_count${of},phase="during"} 5`,
    `troupe_lab_now_request_failure_rate${of},phase="during"} 0.5`,
    `troupe_lab_split_votes_count${of}} 1`,
  ])
    assert.ok(text.split('\n').includes(line), line)
  assert.equal(text.match(/^# TYPE troupe_lab_replica_sync_lag_ms summary$/gm)?.length, 1)
  assert.match(text, /^# HELP troupe_lab_replica_sync_lag_ms how long/m)
})

test('they are served, and an address that is taken is refused', async (t) => {
  const server = await MetricsServer.open('127.0.0.1', 0, new RunMetrics())
  t.after(() => server.close())
  const url = `http://127.0.0.1:${server.port}`
  const answer = await fetch(`${url}/metrics`)
  assert.match(answer.headers.get('content-type') ?? '', /version=0\.0\.4/)
  assert.match(await answer.text(), /^# HELP troupe_lab_runs_planned/)
  assert.equal((await fetch(`${url}/other`)).status, 404)
  await assert.rejects(MetricsServer.open('127.0.0.1', server.port, new RunMetrics()), (error) =>
    RaftError.is(error, 'INVALID_OPTIONS'),
  )
})
