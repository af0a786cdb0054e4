import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { summarize } from '../latency.ts'
import { orderOf } from '../turns.ts'
import { choosePeers } from './compare.ts'
import { CompareReport } from './compare-report.ts'
import type { ComparedRun } from './comparison.ts'
import { lossesOf } from './losses.ts'
import { peers } from './peer-contestant.ts'
import { RateMeter } from './rate-meter.ts'
import { troupeTcp, troupeThreads } from './troupe-contestant.ts'

const names = (contestants: readonly { readonly facts: { readonly name: string } }[]): string[] =>
  contestants.map(({ facts }) => facts.name)

test('peers are chosen by name, and a wrong name is told with the right ones', () => {
  assert.deepEqual(names(choosePeers(undefined)), ['etcd', 'rabbitmq', 'jetstream', 'redis', 'liferaft'])
  assert.deepEqual(names(choosePeers('redis, etcd')), ['etcd', 'redis'])
  assert.throws(
    () => choosePeers('etcd,consul'),
    (error) =>
      RaftError.is(error, 'INVALID_OPTIONS') &&
      error.message ===
        '--peers is "consul"; expected one or more of etcd, rabbitmq, jetstream, redis, liferaft',
  )
})

test('who begins changes from repeat to repeat', () => {
  const orders = [0, 1, 2, 3].map((repeat) => orderOf(['a', 'b', 'c'], repeat).join(''))
  assert.deepEqual(orders, ['abc', 'bca', 'cab', 'abc'])
  assert.deepEqual(orderOf([], 1), [])
})

test('every peer says what its acknowledgement means, and only some are durable', () => {
  for (const { facts } of peers) {
    assert.match(facts.acknowledgement, facts.isDurable ? /^durable: / : /^not durable: /, facts.name)
    assert.ok(facts.configuration !== '' && facts.recommendation !== '', facts.name)
  }
  assert.deepEqual(names(peers.filter(({ facts }) => facts.isDurable)), ['etcd', 'rabbitmq'])
})

test('what is stored is held against what was acknowledged', () => {
  assert.deepEqual(lossesOf(10, 2, 10), { lost: 0, duplicated: 0 })
  assert.deepEqual(lossesOf(10, 2, 12), { lost: 0, duplicated: 0 })
  assert.deepEqual(lossesOf(10, 2, 9), { lost: 1, duplicated: 0 })
  assert.deepEqual(lossesOf(10, 2, 13), { lost: 0, duplicated: 1 })
})

test('the rate in the progress bar is that since the total before', () => {
  let nowMs = 0
  const meter = new RateMeter(() => nowMs)
  assert.equal(meter.note(500), '')
  nowMs = 250
  assert.equal(meter.note(1500), '4,000 op/s')
  assert.equal(meter.note(1500), '')
})

describe('the verdict of a comparison', () => {
  const run = (contestant: string, more: Partial<ComparedRun> = {}): ComparedRun => ({
    contestant,
    repeat: 1,
    window: 1,
    opsPerSecond: 1,
    commands: 1,
    latencyMs: summarize([1]),
    lost: 0,
    duplicated: 0,
    reordered: 0,
    unknown: 0,
    refused: 0,
    clientUtilisation: null,
    ...more,
  })
  const reportOf = (...runs: readonly ComparedRun[]): CompareReport => {
    const report = new CompareReport([troupeThreads, ...peers], 'troupe', {})
    report.runs.push(...runs)
    return report
  }

  test('is about us: what a peer loses stands in its row', () => {
    assert.equal(reportOf(run('troupe'), run('redis', { lost: 5 })).verdict, 'pass')
    assert.equal(reportOf(run('troupe', { lost: 1 }), run('redis')).verdict, 'fail')
    assert.equal(reportOf(run('troupe', { duplicated: 1 })).verdict, 'fail')
  })

  test('is about each engine of ours, and rests on the one that all are compared with', () => {
    const report = (...runs: readonly ComparedRun[]): CompareReport => {
      const made = new CompareReport([troupeTcp, troupeThreads, ...peers], 'troupe-tcp', {})
      made.runs.push(...runs)
      return made
    }
    assert.equal(report(run('troupe-tcp'), run('troupe')).verdict, 'pass')
    assert.equal(report(run('troupe-tcp'), run('troupe', { lost: 1 })).verdict, 'fail')
    assert.equal(report(run('troupe')).verdict, 'unknown')
    const { rows } = report(run('troupe-tcp', { opsPerSecond: 3 }), run('troupe', { opsPerSecond: 4 }))
    assert.deepEqual(
      rows.map(({ transport, troupeToPeer }) => [transport, troupeToPeer]),
      [
        ['TCP, loopback', null],
        ['threads, in process', 0.75],
      ],
    )
  })

  test('is open where somebody failed, not where somebody is not here', () => {
    const report = reportOf(run('troupe'))
    report.skip('etcd', { what: 'etcd', install: 'apt-get install etcd-server' })
    assert.equal(report.verdict, 'pass')
    report.fail('redis', 'it has ended')
    assert.equal(report.verdict, 'unknown')
    assert.equal(reportOf().verdict, 'unknown')
    assert.deepEqual(
      [report.isOut('etcd'), report.isOut('redis'), report.isOut('liferaft')],
      [true, true, false],
    )
  })

  test('comes with what was skipped and what failed, in the document and in Markdown', () => {
    const report = reportOf(run('troupe'), run('liferaft'))
    report.setVersion('liferaft', '1.4.0')
    report.skip('etcd', { what: 'etcd', install: 'apt-get install etcd-server' })
    report.fail('redis', 'redis-1 has ended (1)\nits log')
    const markdown = report.markdown()
    assert.match(markdown, /^- \*\*etcd\*\*: skipped, etcd not found; `apt-get install etcd-server`$/m)
    assert.match(
      markdown,
      /^- \*\*Redis streams, WAIT 1\*\*: failed: redis-1 has ended \(1\) its log\. acknowledged/m,
    )
    assert.match(markdown, /^- \*\*@markwylde\/liferaft 1\.4\.0\*\*: acknowledged: not durable/m)
    const { contestants } = report.document() as unknown as { contestants: { name: string; kind: string }[] }
    assert.deepEqual(
      contestants.map(({ name, kind }) => `${name} ${kind}`),
      [
        'troupe measured',
        'etcd skipped',
        'rabbitmq measured',
        'jetstream measured',
        'redis failed',
        'liferaft measured',
      ],
    )
  })
})
