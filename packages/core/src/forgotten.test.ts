/** A log that was rolled back behind its node's back: whoever counts on what it has acknowledged proves it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { incarnationOf, ofKind, Subject } from '../test/subject.ts'

/** A heartbeat of `b`, which leads term 1, and knows what `a` has acknowledged. */
const heartbeat = (commit: number) =>
  ({ kind: 'heartbeat', term: 1, commit, round: 1, toIncarnation: incarnationOf('a') }) as const

const following = (log: readonly number[]): Subject => new Subject({ log, hardState: { term: 1, vote: '' } })

test('a heartbeat that commits more than there is proves that it was there', () => {
  const subject = following([1, 1]).receive('b', heartbeat(4)).receive('b', heartbeat(3))
  assert.equal(subject.turn().forgotten, 4)
})

test('one that commits what is there proves nothing, flushed or not', () => {
  const subject = following([1, 1]).receive('b', heartbeat(2))
  const { forgotten } = subject.turn()
  assert.deepEqual([forgotten, subject.core.commitIndex], [undefined, 2])
})

test('an append that commits more proves nothing: it tells what the leader has', () => {
  const append = {
    kind: 'appendRequest',
    term: 1,
    prevIndex: 2,
    prevTerm: 1,
    commit: 9,
    entries: [],
  } as const
  const subject = following([1, 1]).receive('b', append)
  assert.deepEqual([subject.turn().forgotten, subject.core.commitIndex], [undefined, 2])
})

test('what an earlier incarnation has acknowledged is not told to its namesake', () => {
  const leader = new Subject().becomeLeader().commitAll()
  const beats = ofKind(leader.waitUntilDue().sent(), 'heartbeat')
  assert.deepEqual(
    beats.map(({ to, toIncarnation, commit }) => [to, toIncarnation, commit]),
    [
      ['b', incarnationOf('b'), 1],
      ['c', incarnationOf('c'), 1],
    ],
  )
  const namesake = following([]).receive('b', { ...heartbeat(4), toIncarnation: 77 })
  assert.deepEqual([namesake.turn().forgotten, namesake.core.leader], [undefined, undefined])
})

test('from the next start on it is damage, which the leader repairs', () => {
  const before = following([1, 1, 1, 1])
  before.disk.rollBack(2)
  const rolledBack = before.restart()
  assert.equal(rolledBack.core.lastIndex, 2)
  rolledBack.receive('b', heartbeat(4))
  rolledBack.disk.forgotten(rolledBack.turn().forgotten as number)
  const damaged = rolledBack.restart()
  assert.deepEqual([damaged.core.lastIndex, damaged.core.damaged], [4, [{ from: 3, to: 4 }]])
  damaged.receive('b', heartbeat(4)).wait(0)
  const { forgotten, messages } = damaged.turn()
  assert.deepEqual([forgotten, damaged.core.commitIndex], [undefined, 0], 'it knows what it does not know')
  assert.deepEqual(ofKind(messages, 'repairRequest')[0]?.range, { from: 3, to: 4 })
})

test('a node that knows of its damage is told nothing new by more of it', () => {
  const subject = following([1, 1, 1])
  subject.disk.damaged = [{ from: 2, to: 3 }]
  assert.equal(subject.restart().receive('b', heartbeat(9)).turn().forgotten, undefined)
})
