import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '@troupe/core'
import { HeartbeatLog, joinHeartbeats } from './heartbeat-log.ts'

const heartbeat = (from: string, to: string, round: number, kind = 'heartbeat'): Message =>
  ({ kind, from, to, term: 2, round }) as unknown as Message

test('a delay is that of one heartbeat to one follower, and its answer is found', () => {
  let nowMs = 0
  const [n1, n2, n3] = [1, 2, 3].map(() => new HeartbeatLog(() => nowMs)) as [
    HeartbeatLog,
    HeartbeatLog,
    HeartbeatLog,
  ]
  n1.sending([heartbeat('n1', 'n2', 1), heartbeat('n1', 'n3', 1), heartbeat('n1', 'n2', 1, 'appendRequest')])
  nowMs = 3
  n2.received(heartbeat('n1', 'n2', 1))
  nowMs = 5
  n3.received(heartbeat('n1', 'n3', 1))
  nowMs = 7
  n1.received(heartbeat('n2', 'n1', 1, 'heartbeatReply'))
  nowMs = 100
  n1.sending([heartbeat('n1', 'n2', 2)])
  nowMs = 200
  n1.sending([heartbeat('n1', 'n3', 3)])
  const take = () => new Map([n1, n2, n3].map((log, at) => [`n${at + 1}`, log.take()]))
  // The last is under way, the one before it is lost.
  assert.deepEqual(joinHeartbeats(take(), 50), { delaysMs: [3, 5], roundTripsMs: [7], lost: 1 })
  assert.deepEqual(joinHeartbeats(take(), 50), { delaysMs: [], roundTripsMs: [], lost: 0 })
})
