import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simpleConfiguration } from '@troupe/core'
import { ASIDE_TOPICS, type Aside } from '@troupe/wire'
import { Gossip } from './gossip.ts'
import type { NodeNews } from './node-news.ts'
import { StatusBoard } from './status-board.ts'

const news: NodeNews = {
  ...{ role: 'follower', term: 1, leader: null, commit: 1, applied: 1, lastIndex: 1 },
  disk: 'ok',
  mailboxDepth: 0,
}

function spreading() {
  const times = { electionTimeoutMaxMs: 600, heartbeatIntervalMs: 100 }
  const members = simpleConfiguration(['n1', 'n2'].map((id) => ({ id, incarnation: 1 })))
  const board = new StatusBoard({ id: 'n1', incarnation: 1, boot: 1 }, times, () => members, 0)
  board.peerUp('n2')
  const sent: [to: string, aside: Aside][] = []
  const send = (to: string, aside: Aside): void => void sent.push([to, aside])
  return { sent, board, gossip: new Gossip({ board, heartbeatIntervalMs: 100, news: () => news, send }) }
}

test('it spreads at the end of a turn, once an interval, also where heartbeats come a little early', () => {
  const { gossip, sent } = spreading()
  const turns = [0, 10, 60, 98, 120, 197, 300].map((nowMs) => [nowMs, gossip.turnEnded(nowMs)] as const)
  assert.deepEqual(
    turns.filter(([, hasSpread]) => hasSpread).map(([nowMs]) => nowMs),
    [0, 98, 197, 300],
  )
  assert.equal(sent.length, 4)
  assert.deepEqual(
    [...new Set(sent.map(([to, { topic }]) => `${to} ${topic}`))],
    [`n2 ${ASIDE_TOPICS.status}`],
  )
})

test('it wants a turn before the next interval is over where none comes', () => {
  const { gossip } = spreading()
  assert.equal(gossip.deadlineMs, Number.NEGATIVE_INFINITY)
  gossip.turnEnded(1000)
  assert.equal(gossip.deadlineMs, 1150)
  gossip.turnEnded(1060)
  assert.equal(gossip.deadlineMs, 1150)
  assert.ok(gossip.turnEnded(1150))
})

test('topics of later releases are passed over', () => {
  const { gossip, board } = spreading()
  gossip.received('n2', { topic: 4711, body: 'whatever' }, 0)
  assert.equal(board.ignored, 0)
  gossip.received('n2', { topic: ASIDE_TOPICS.status, body: 'whatever' }, 0)
  assert.equal(board.ignored, 1)
})
