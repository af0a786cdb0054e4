import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterStatus } from '@troupe/cluster'
import { metricsBetween, type Snapshot } from './node-metrics.ts'

interface Counters {
  readonly elections?: number
  readonly commandsAppended?: number
  readonly entriesAppended?: number
  readonly entriesFlushed?: number
  readonly flushes?: number
  readonly entriesSent?: number
  readonly appendsSent?: number
  readonly emptyAppendsSent?: number
  readonly eventLoopActiveMs?: number
  readonly eventLoopIdleMs?: number
  readonly threadCpuMs?: number
}

function at(atMs: number, leader: string, counters: Readonly<Record<string, Counters>>): Snapshot {
  const sent = { entriesSent: 0, appendsSent: 0, emptyAppendsSent: 0 }
  const usage = { eventLoopActiveMs: 0, eventLoopIdleMs: 0, threadCpuMs: 0 }
  const counted = { elections: 0, commandsAppended: 0, entriesAppended: 0, entriesFlushed: 0, flushes: 0 }
  const zero = { ...counted, ...sent, ...usage }
  const nodes = Object.entries(counters).map(([id, given]) => ({
    id,
    running: true,
    metrics: { ...zero, mailboxGreatestDepth: 9, ...given },
  }))
  return { atMs, status: { leader, term: 1, nodes } as unknown as ClusterStatus }
}

test('are what the leader counted between the two', () => {
  const counted = { commandsAppended: 1000, entriesAppended: 10, entriesFlushed: 12, flushes: 8 }
  const sent = { entriesSent: 20, appendsSent: 7, emptyAppendsSent: 2 }
  const later = { commandsAppended: 3000, entriesAppended: 20, entriesFlushed: 32, flushes: 18, ...sent }
  const metrics = metricsBetween(at(1000, 'n1', { n1: counted }), at(1500, 'n1', { n1: later }))
  assert.deepEqual(metrics, {
    elections: 0,
    commandsPerEntry: 200,
    entriesPerAppend: 4,
    entriesPerFlush: 2,
    flushesPerSecond: 20,
    mailboxGreatestDepth: 9,
    actors: [{ actor: 'n1', role: 'leader', eventLoopUtilization: null, cpuUtilization: null }],
  })
})

test('elections of all nodes count, those of a node that was restarted from 0 on', () => {
  const before = at(0, 'n1', { n1: { elections: 4 }, n2: { elections: 1 } })
  const after = at(1, 'n1', { n1: { elections: 1 }, n2: { elections: 3 } })
  assert.equal(metricsBetween(before, after).elections, 2)
})

test('no ratio is told where the leader changed, or where nothing happened', () => {
  const changed = metricsBetween(at(0, 'n1', { n1: {}, n2: {} }), at(9, 'n2', { n1: {}, n2: { flushes: 5 } }))
  assert.equal(changed.flushesPerSecond, null)
  const idle = metricsBetween(at(0, 'n1', { n1: {} }), at(9, 'n1', { n1: {} }))
  assert.equal(idle.commandsPerEntry, null)
})

test('every thread tells how busy it was, a node that was started anew does not', () => {
  const before = at(0, 'n1', {
    n1: { eventLoopActiveMs: 100, eventLoopIdleMs: 900, threadCpuMs: 50 },
    n2: { eventLoopActiveMs: 500, eventLoopIdleMs: 500 },
  })
  const after = at(1, 'n1', {
    n1: { eventLoopActiveMs: 850, eventLoopIdleMs: 1150, threadCpuMs: 550 },
    n2: { eventLoopActiveMs: 10, eventLoopIdleMs: 90 },
  })
  const load = { eventLoopActiveMs: 0, eventLoopIdleMs: 0, threadCpuMs: null }
  const { actors } = metricsBetween(
    { ...before, load },
    { ...after, load: { ...load, eventLoopActiveMs: 1, eventLoopIdleMs: 3 } },
  )
  assert.deepEqual(actors, [
    { actor: 'n1', role: 'leader', eventLoopUtilization: 0.75, cpuUtilization: 0.5 },
    { actor: 'n2', role: 'follower', eventLoopUtilization: null, cpuUtilization: null },
    { actor: 'load', role: 'load', eventLoopUtilization: 0.25, cpuUtilization: null },
  ])
})
