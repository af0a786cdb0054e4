/** Leadership transfer (thesis §3.10), election priority. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestCluster } from '../test/cluster.ts'
import { memberOf, ofKind, Subject } from '../test/subject.ts'
import { simpleConfiguration } from './configuration.ts'
import type { RaftKnobs } from './options.ts'
import type { NodeId } from './types.ts'

const leading = (knobs: Partial<RaftKnobs> = {}): Subject => new Subject({ knobs }).becomeLeader().commitAll()
const asked = (subject: Subject): NodeId[] => ofKind(subject.sent(), 'timeoutNow').map(({ to }) => to)
const heartbeat = (term: number) => ({ kind: 'heartbeat', term, commit: 0, round: 0 }) as const

test('thesis §3.10 a target that has everything is told to campaign at once', () => {
  const subject = leading()
  assert.equal(subject.core.transferLeadership('b'), undefined)
  assert.equal(subject.core.transferTarget, 'b')
  assert.deepEqual(asked(subject), ['b'])
  assert.equal(subject.core.role, 'leader', 'it leads until another does')
})

test('thesis §3.10 a target that lags is brought up to date first', () => {
  const subject = leading()
  subject.propose()
  subject.turn()
  assert.equal(subject.core.transferLeadership('b'), undefined)
  assert.deepEqual(asked(subject), [])
  subject.accept('c', 2)
  assert.deepEqual(asked(subject), [], 'another one')
  subject.accept('b', 2)
  assert.deepEqual(asked(subject), ['b'])
  subject.accept('b', 2)
  assert.deepEqual(asked(subject), [], 'once')
})

test('thesis §3.10 no proposal is taken while a transfer is under way', () => {
  const subject = leading()
  subject.core.transferLeadership('b')
  assert.equal(subject.core.proposalRefusal, 'BUSY')
  const proposal = { kind: 'proposal', term: 1, id: 4, commandCount: 1, payload: Uint8Array.of(1) } as const
  const messages = subject.receive('c', proposal).sent()
  assert.deepEqual(
    ofKind(messages, 'proposalRefused').map(({ to, id }) => [to, id]),
    [['c', 4]],
  )
})

test('thesis §3.10 a transfer that takes an election timeout too long is given up', () => {
  const subject = leading({ transferTimeoutMs: 120 })
  subject.core.transferLeadership('b')
  assert.equal(subject.core.deadlineMs, subject.nowMs + 50)
  subject.beat().beat()
  assert.equal(subject.core.deadlineMs - subject.nowMs, 20, 'it is due in time')
  subject.waitUntilDue()
  assert.deepEqual([subject.core.transferTarget, subject.core.proposalRefusal], [undefined, undefined])
})

test('where no target is named, the voter that is furthest and connected gets it', () => {
  const subject = new Subject({ voters: 4 }).becomeLeader().commitAll()
  subject.propose()
  subject.turn()
  subject.flush()
  subject.accept('c', 2).accept('d', 2)
  subject.core.peerGone('c')
  assert.equal(subject.core.transferLeadership(undefined), undefined)
  assert.equal(subject.core.transferTarget, 'd')
})

test('a learner, a stranger, and the leader itself cannot take over; one transfer at a time', () => {
  const configuration = simpleConfiguration([memberOf('a'), memberOf('b')], [memberOf('l')])
  const subject = new Subject({ configuration }).becomeLeader().commitAll()
  for (const id of ['l', 'x', 'a']) assert.equal(subject.core.transferLeadership(id)?.reason, 'INVALID', id)
  assert.equal(subject.core.transferTarget, undefined)
  subject.core.transferLeadership('b')
  assert.equal(subject.core.transferLeadership('b')?.reason, 'IN_PROGRESS')
  const alone = new Subject({ voters: 1 }).waitUntilDue()
  alone.turn()
  alone.flush()
  assert.equal(alone.core.transferLeadership(undefined)?.reason, 'INVALID')
})

test('thesis §3.10 whoever is told to campaign does so without a pre-vote, and says that it was asked', () => {
  const subject = new Subject({ log: [1] })
    .receive('b', heartbeat(1))
    .receive('b', { kind: 'timeoutNow', term: 1 })
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 2])
  subject.turn()
  assert.deepEqual(
    ofKind(subject.flush(), 'voteRequest').map(({ to, isTransfer }) => [to, isTransfer]),
    [
      ['b', true],
      ['c', true],
    ],
  )
})

test('thesis §3.10 only the leader of the term, and only a follower of it, is obeyed', () => {
  const stranger = new Subject({ log: [1] })
    .receive('b', heartbeat(1))
    .receive('c', { kind: 'timeoutNow', term: 1 })
  assert.equal(stranger.core.role, 'follower')
  const late = new Subject({ log: [1] })
    .receive('c', heartbeat(2))
    .receive('b', { kind: 'timeoutNow', term: 1 })
  assert.deepEqual([late.core.role, late.core.term], ['follower', 2])
  const leader = leading().receive('b', { kind: 'timeoutNow', term: 1 })
  assert.equal(leader.core.role, 'leader')
})

test('an election that was asked for says so only once: the next one begins with pre-votes', () => {
  const subject = new Subject({ log: [1] })
    .receive('b', heartbeat(1))
    .receive('b', { kind: 'timeoutNow', term: 1 })
  subject.turn()
  subject.flush()
  subject.waitForElection()
  assert.equal(subject.core.role, 'preCandidate')
  subject.becomeCandidate().turn()
  assert.deepEqual(
    ofKind(subject.flush(), 'voteRequest').map(({ isTransfer }) => isTransfer),
    [false, false],
  )
})

test('thesis §3.10 in a cluster: the target leads within a round of messages, in the next term', () => {
  for (const target of ['a', 'b', 'c']) {
    const cluster = new TestCluster(3)
    assert.ok(cluster.runUntil(() => cluster.leaders.length === 1, 5000))
    cluster.runUntil(() => false, 200)
    const [old] = cluster.leaders
    if (old?.life === undefined || old.id === target) continue
    const { term } = old.life.core
    old.inbox.push({ kind: 'control', id: 1, command: { kind: 'transferLeadership', to: target } })
    cluster.turn(old)
    cluster.settle()
    assert.deepEqual(
      cluster.leaders.map(({ id, life }) => [id, life?.core.term]),
      [[target, term + 1]],
    )
  }
})

test('a node of lower priority waits longer before it asks, half a maximal timeout more at 50, a whole one at 0', () => {
  const waits = (electionPriority: number): number[] => {
    const subject = new Subject({ knobs: { electionPriority } })
    return Array.from({ length: 100 }, () => {
      subject.receive('b', heartbeat(1))
      return subject.core.deadlineMs - subject.nowMs
    })
  }
  for (const [priority, extraMs] of [
    [100, 0],
    [50, 300],
    [0, 600],
  ] as const) {
    const all = waits(priority)
    assert.ok(Math.min(...all) >= 300 + extraMs && Math.max(...all) <= 600 + extraMs, `priority ${priority}`)
  }
})

test('with a leader that is gone a node of lower priority lets the others go first', () => {
  const dueMs = (electionPriority: number): number => {
    const subject = new Subject({ knobs: { electionPriority } }).receive('b', heartbeat(1))
    subject.core.peerGone('b')
    return subject.core.deadlineMs - subject.nowMs
  }
  assert.ok(dueMs(100) <= 2)
  assert.ok(dueMs(0) >= 8 && dueMs(0) <= 10)
})

test('of two that ask at the same time the one of higher priority goes first, if their logs are equal', () => {
  const request = { kind: 'preVoteRequest', term: 1, lastIndex: 0, lastTerm: 0 } as const
  const answer = (own: number, other: number, lastIndex = 0): boolean | undefined => {
    const subject = new Subject({ knobs: { electionPriority: own } }).waitUntilDue()
    subject.turn()
    const lastTerm = lastIndex === 0 ? 0 : 1
    subject.receive('b', { ...request, priority: other, lastIndex, lastTerm })
    return ofKind(subject.sent(), 'preVoteReply')[0]?.granted
  }
  assert.equal(answer(50, 100), true)
  assert.equal(answer(100, 50), false)
  assert.equal(answer(50, 50), false, 'a before b')
  assert.equal(answer(100, 0, 3), true, 'a longer log goes before any priority')
})

test('priority decides nothing about safety: a node of priority 0 is elected where no other can be', () => {
  const subject = new Subject({ knobs: { electionPriority: 0 }, log: [1, 1] }).becomeLeader()
  assert.equal(subject.core.role, 'leader')
})
