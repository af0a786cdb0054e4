import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { parseOptions } from '../options.ts'
import { faultsOf, injectOptions } from './faults-of.ts'

function faults(...args: string[]): readonly Fault[] {
  const parsed = parseOptions(args, injectOptions, 'troupe fault inject')
  assert.ok(parsed.kind === 'values')
  return faultsOf(parsed.values)
}

test('links of a node: what it sends and receives, or one way to another', () => {
  const around = { from: ['n2'], to: 'all' }
  assert.deepEqual(
    faults('--node', 'n2', '--delay', '200ms', '--jitter', '50ms', '--loss', '5%', '--correlation', '25%'),
    [
      { kind: 'delay', timeMs: 200, jitterMs: 50, correlation: 25, links: around },
      { kind: 'loss', percent: 5, correlation: 25, links: around },
    ],
  )
  const links = { from: 'primaries', to: ['n1', 'n3'], direction: 'outbound' }
  assert.deepEqual(faults('--node', 'leader', '--to', 'n1,n3', '--direction', 'outbound', '--link', 'drop'), [
    { kind: 'link', mode: 'drop', links },
  ])
  assert.deepEqual(faults('--burst', '1%,30%', '--rate', '64kB/s', '--reorder', '10%', '--gap', '3'), [
    { kind: 'loss', gilbertElliott: { toBad: 1, toGood: 30, lossInBad: 100, lossInGood: 0 } },
    { kind: 'reorder', percent: 10, gap: 3 },
    { kind: 'rate', bytesPerSecond: 64_000 },
  ])
})

test('the rest of netem', () => {
  assert.deepEqual(
    faults('--loss-state', '1%, 20%', '--slot', '10ms..20ms', '--slot-frames', '5', '--limit', '9'),
    [
      { kind: 'loss', states: { p13: 1, p31: 20 } },
      { kind: 'slot', timeMs: 10, mostMs: 20, frames: 5 },
      { kind: 'limit', frames: 9 },
    ],
  )
  const [, reorder] = faults('--delay', '5ms', '--reorder', '10%', '--correlation', '50%')
  assert.deepEqual(reorder, { kind: 'reorder', percent: 10, correlation: 50 })
  assert.throws(() => faults('--loss-state', '1%,1%,1%,1%,1%,1%'), /--loss-state/)
  assert.throws(() => faults('--slot-frames', '5', '--limit', '9'), /--slot with it/)
})

test('partitions by shape or by groups', () => {
  assert.deepEqual(faults('--partition', 'halves'), [{ kind: 'partition', split: 'halves' }])
  assert.deepEqual(faults('--partition', 'bridge'), [{ kind: 'partition', topology: 'bridge' }])
  assert.deepEqual(faults('--partition', 'n1/n2,n3', '--direction', 'inbound'), [
    { kind: 'partition', groups: [['n1'], ['n2', 'n3']], direction: 'inbound' },
  ])
})

test('clock, disk, process, heap, failpoint', () => {
  const nodes = ['n1']
  const at = (...args: string[]): readonly Fault[] => faults('--node', 'n1', ...args)
  assert.deepEqual(at('--clock', 'bump', '--by', '-5s'), [
    { kind: 'clock', mode: 'bump', nodes, byMs: -5000 },
  ])
  assert.deepEqual(at('--clock', 'strobe', '--by', '200ms', '--every', '50ms'), [
    { kind: 'clock', mode: 'strobe', nodes, byMs: 200, everyMs: 50 },
  ])
  assert.deepEqual(at('--clock', 'rate', '--factor', '1.5'), [
    { kind: 'clock', mode: 'rate', nodes, rate: 1.5 },
  ])
  assert.deepEqual(at('--disk', 'slow', '--by', '20ms'), [
    { kind: 'storage', mode: 'slow', nodes, timeMs: 20 },
  ])
  assert.deepEqual(at('--disk', 'full', '--kill'), [
    { kind: 'storage', mode: 'full', nodes },
    { kind: 'crash', nodes },
  ])
  assert.deepEqual(at('--stall', '--for', '2s'), [{ kind: 'stall', nodes, forMs: 2000 }])
  assert.deepEqual(at('--heap', '90%', '--failpoint', 'after-save=2*off->1*panic'), [
    { kind: 'heap', nodes, percent: 90 },
    { kind: 'failpoint', nodes, name: 'after-save', term: '2*off->1*panic' },
  ])
})

test('what does not go together is one line', () => {
  const refusals: [string[], RegExp][] = [
    [[], /fault is undefined; expected one or more/],
    [['--pause'], /--node is undefined; expected the node for --pause/],
    [['--node', 'n1,n1', '--pause'], /--node is "n1,n1"/],
    [['--delay', '200'], /--delay is "200"; expected a time with its unit/],
    [['--jitter', '5ms'], /--jitter is "5ms"; expected --delay or --disk slow with it/],
    [['--loss', '5'], /--loss is "5"; expected a percentage/],
    [['--burst', '1%'], /--burst is "1%"; expected two to four/],
    [['--node', 'n1', '--clock', 'bump'], /--by is undefined/],
    [['--node', 'n1', '--clock', 'wind'], /--clock is "wind"/],
    [['--node', 'n1', '--disk', 'melt'], /--disk is "melt"/],
    [
      ['--node', 'n1', '--pause', '--every', '1s'],
      /--every is "1s"; expected --clock step or strobe with it/,
    ],
    [['--partition', 'somehow'], /--partition is "somehow"/],
    [['--link', 'cut'], /--link is "cut"; expected drop or jam/],
    [['--node', 'n1', '--stall', '--for', '2h'], /--for is "2h"; expected a time from 1ms to 1h/],
    [['--node', 'n1', '--failpoint', 'nowhere=off'], /--failpoint is "nowhere=off"; expected NAME=TERM/],
  ]
  for (const [args, expected] of refusals) {
    assert.throws(
      () => faults(...args),
      (error) => RaftError.is(error, 'INVALID_OPTIONS') && expected.test(error.message),
      args.join(' '),
    )
  }
})
