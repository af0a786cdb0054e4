import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { summarize } from '../latency.ts'
import { renderTable } from '../terminal/table.ts'
import { type ComparedRun, compareRuns, comparisonColumns, markdownTable } from './comparison.ts'
import type { Facts } from './contestant.ts'

const facts = (name: string, title: string, isDurable: boolean): Facts => ({
  name,
  title,
  transport: 'TCP, loopback',
  isDurable,
  acknowledgement: '',
  configuration: '',
  recommendation: '',
})
const contestants = [
  facts('troupe', 'Troupe', true),
  facts('etcd', 'etcd', true),
  facts('redis', 'Redis', false),
]

const run = (
  contestant: string,
  repeat: number,
  opsPerSecond: number,
  more: Partial<ComparedRun> = {},
): ComparedRun => ({
  contestant,
  repeat,
  window: 64,
  opsPerSecond,
  commands: opsPerSecond,
  latencyMs: summarize([1]),
  lost: 0,
  duplicated: 0,
  reordered: null,
  unknown: 0,
  refused: 0,
  clientUtilisation: null,
  ...more,
})

describe('a comparison', () => {
  test('takes the median of the repeats, and sums up what went wrong', () => {
    const runs = [
      run('etcd', 1, 100, { latencyMs: summarize([5]), unknown: 2, refused: 1 }),
      run('etcd', 2, 300, { latencyMs: summarize([1]), lost: 3 }),
      run('etcd', 3, 200, { latencyMs: summarize([2]), unknown: 1, duplicated: 4 }),
    ]
    const [row] = compareRuns(runs, contestants, 'troupe')
    assert.ok(row)
    assert.deepEqual([row.opsPerSecond, row.p50Ms, row.repeats], [200, 2, 3])
    assert.deepEqual([row.lost, row.duplicated, row.unknown, row.refused], [3, 4, 3, 1])
  })

  test('tells how far the repeats lie apart, and when that is too far', () => {
    const spreadOf = (...speeds: number[]) => {
      const runs = speeds.map((speed, index) => run('etcd', index + 1, speed))
      const [row] = compareRuns(runs, contestants, 'troupe')
      return [row?.spread, row?.isSpreadWide]
    }
    assert.deepEqual(spreadOf(100), [null, false])
    assert.deepEqual(spreadOf(90, 100, 110), [0.1, false])
    assert.deepEqual(spreadOf(50, 100, 110), [0.3, true])
  })

  test('compares within a repeat: what slows both down leaves the ratio as it is', () => {
    const runs = [
      run('troupe', 1, 1000, { latencyMs: summarize([1]) }),
      run('etcd', 1, 100, { latencyMs: summarize([4]) }),
      run('troupe', 2, 100, { latencyMs: summarize([10]) }),
      run('etcd', 2, 10, { latencyMs: summarize([40]) }),
      run('troupe', 3, 500, { latencyMs: summarize([2]) }),
      run('etcd', 3, 50, { latencyMs: summarize([8]) }),
    ]
    const [own, peer] = compareRuns(runs, contestants, 'troupe')
    assert.deepEqual([own?.troupeToPeer, own?.p50PeerToTroupe], [null, null])
    assert.deepEqual([peer?.troupeToPeer, peer?.p50PeerToTroupe], [10, 4])
  })

  test('has no ratio where one of both was not measured', () => {
    const runs = [run('troupe', 1, 1000), run('etcd', 2, 100), run('redis', 1, 0)]
    const rows = compareRuns(runs, contestants, 'troupe')
    assert.deepEqual(
      rows.map(({ troupeToPeer }) => troupeToPeer),
      [null, null, null],
    )
  })

  test('has a row for each window and contestant, in their order', () => {
    const runs = [
      run('redis', 1, 1, { window: 1024 }),
      run('redis', 1, 1),
      run('etcd', 1, 1),
      run('troupe', 1, 1),
    ]
    const rows = compareRuns(runs, contestants, 'troupe')
    assert.deepEqual(
      rows.map(({ window, contestant }) => `${window} ${contestant}`),
      ['64 troupe', '64 etcd', '64 redis', '1024 redis'],
    )
  })

  test('is shown as a table and as Markdown, cell by cell the same', () => {
    const rows = compareRuns([run('troupe', 1, 5000), run('redis', 1, 2000)], contestants, 'troupe')
    assert.match(
      renderTable(comparisonColumns, rows)[3] ?? '',
      /64 +Redis +TCP, loopback +no +2,000 .* 2\.50/,
    )
    const lines = markdownTable(comparisonColumns, rows)
    assert.match(lines[1] ?? '', /^\| ---: \| --- \| /)
    assert.match(lines[3] ?? '', /^\| 64 \| Redis \| TCP, loopback \| no \| 2,000 \|/)
    assert.deepEqual(markdownTable([{ title: 'a|b', value: () => 'c|d' }], [0])[2], '| c\\|d |')
  })
})
