import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pointsOf } from './axes.ts'
import { ResultsFile } from './results-file.ts'
import { gridOf, runOf } from './sweep.fixture.ts'
import { SweepReport } from './sweep-report.ts'
import { keyOf, type SweepPlan, sweepProgress, verdictOf } from './sweep-run.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-sweep-run-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const plan: SweepPlan = {
  points: pointsOf(gridOf({ window: [1, 8, 64] })),
  times: { seconds: 1, warmupSeconds: 0, stageSeconds: 0 },
  measuring: { durability: 'memory', seconds: 1, warmupSeconds: 0, keys: 10, seed: 1, hasFaults: false },
  origin: { engine: 'abc', machine: 'def' },
  repeat: 2,
  clusterOptions: { durability: 'memory', seed: 1 },
  engine: { engine: 'threads', durability: 'memory' },
}

/** A file in which the first `measured` points have a run on the cluster `c1`. */
function fileWith(name: string, measured: number): ResultsFile {
  const file = new ResultsFile(join(scratch, name))
  for (const settings of plan.points.slice(0, measured)) {
    const { measuring, origin } = plan
    const place = { key: keyOf(plan, settings), cluster: 'c1', date: '2026-01-01', origin, measuring }
    file.append({ kind: 'run', ...place, settings, result: runOf(settings.window, settings.window) })
  }
  return file
}

test('progress tells what is measured, checked and still to be repeated', () => {
  const file = fileWith('progress.jsonl', 2)
  assert.deepEqual(sweepProgress(plan, file), { points: 3, measured: 2, unchecked: 2, repeatsMissing: 2 })
  assert.equal(verdictOf(plan, file), 'unknown')
  file.append({ kind: 'check', cluster: 'c1', verdict: 'pass' })
  assert.deepEqual(sweepProgress(plan, file), { points: 3, measured: 2, unchecked: 0, repeatsMissing: 2 })
  assert.equal(verdictOf(plan, file), 'pass')
})

test('what is said after Ctrl-C: what is done, where it is kept, and how to go on', () => {
  const report = new SweepReport({ explains: false, configuration: {}, engine: plan.engine })
  assert.equal(report.interrupted('again'), 'interrupted before the first point')
  const file = fileWith('interrupted.jsonl', 2)
  file.append({ kind: 'check', cluster: 'c1', verdict: 'pass' })
  report.show(plan, file)
  assert.equal(
    report.interrupted('pnpm troupe bench sweep --fresh'),
    `interrupted: 2 of 3 points are measured and kept in ${file.path}\ngo on with: pnpm troupe bench sweep`,
  )
  const all = fileWith('all.jsonl', 3)
  report.show(plan, all)
  const text = report.interrupted('pnpm troupe bench sweep')
  assert.match(text, /^interrupted: 3 of 3 points/)
  assert.match(text, /^of 3 nobody looked whether commands were lost: those are measured again$/m)
  assert.match(text, /^3 points on or near a front are still to be repeated$/m)
})
