import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aroundFault } from './around-fault.ts'
import type { TimelineEvent, TimelinePoint } from './timeline.ts'

const point = (atSeconds: number, opsPerSecond: number): TimelinePoint => ({
  atSeconds,
  opsPerSecond,
  p50Ms: 1,
  p99Ms: 1,
  maxMs: 1,
})
const event = (atSeconds: number, kind: TimelineEvent['kind']): TimelineEvent => ({
  atSeconds,
  kind,
  text: '',
})
const points = [
  point(1, 100),
  point(2, 200),
  point(3, 77),
  point(4, 10),
  point(6, 40),
  point(7, 77),
  point(8, 90),
]

test('means by time, without the intervals in which the fault came or went', () => {
  const events = [event(2.5, 'fault'), event(2.6, 'election'), event(6.5, 'heal')]
  assert.deepEqual(aroundFault({ intervalSeconds: 1, points, events }), {
    before: 150,
    during: 30,
    after: 90,
  })
})

test('what strikes again and again lasts from the first strike to the last healing', () => {
  const events = [event(1, 'fault'), event(2, 'heal'), event(3, 'fault'), event(7, 'heal')]
  const { before, after } = aroundFault({ intervalSeconds: 1, points, events }) ?? {}
  assert.deepEqual([before, after], [100, 90])
})

test('a fault that was never healed has no after, and without one there is nothing to tell', () => {
  const around = aroundFault({ intervalSeconds: 1, points, events: [event(0, 'fault')] })
  assert.deepEqual([around?.before, around?.after], [null, null])
  assert.equal(aroundFault({ intervalSeconds: 1, points, events: [event(1, 'election')] }), undefined)
})
