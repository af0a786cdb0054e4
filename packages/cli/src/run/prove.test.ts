import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type Case, type CaseRun, judge, loadFiles } from '@troupe/lab'
import { isBroken } from './prove.ts'

const directory = mkdtempSync(join(tmpdir(), 'prove-'))
after(() => rmSync(directory, { recursive: true }))

async function caseOf(text: string): Promise<Case> {
  const file = join(directory, 'a.yaml')
  writeFileSync(file, `name: a\nphases: [{ wait: 1s }]\n${text}`)
  const [loaded] = await loadFiles([file])
  assert.ok(loaded !== undefined)
  return loaded.item
}

const run = (verdict: CaseRun['verdict'], invariant?: string): CaseRun =>
  ({
    ...{ seed: 1, verdict, events: 1, elapsedMs: 1, applied: 1, skipped: 0, situations: {}, figures: {} },
    ...(invariant !== undefined && { failure: { invariant, message: '', atMs: 1 } }),
    ...{ reason: undefined, isHistoryDecided: true, traceHash: undefined, timeline: undefined },
  }) as CaseRun

describe('options that are to break a scenario', () => {
  const isBrokenBy = (item: Case, runs: readonly CaseRun[]): boolean => isBroken(judge(item, runs), runs)

  test('do where its trap is out of reach, not where it passes or its runs came to nothing', async () => {
    const item = await caseOf('assert: [{ sometimes: [two leaders at once] }]\n')
    assert.equal(isBrokenBy(item, [run('pass')]), true)
    assert.equal(isBrokenBy(item, [run('fail', 'monotonic')]), true)
    assert.equal(isBrokenBy(item, [{ ...run('pass'), situations: { 'two leaders at once': 1 } }]), false)
    assert.equal(isBrokenBy(item, [run('pass'), run('unknown')]), false)
  })

  test('do where what is expected to break holds, not where it breaks as expected or nothing was seen', async () => {
    const item = await caseOf('expect: { fail: [leader completeness] }\n')
    assert.equal(isBrokenBy(item, [run('pass'), run('pass')]), true)
    assert.equal(isBrokenBy(item, [run('fail', 'monotonic')]), true)
    assert.equal(isBrokenBy(item, [run('pass'), run('fail', 'leader completeness')]), false)
    assert.equal(isBrokenBy(item, [run('pass'), run('unknown')]), false)
  })
})
