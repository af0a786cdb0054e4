/** DESIGN laws 5 and 6: what waits for the disk, what does not, and what a crash takes back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entriesOf, incarnationOf, ofKind, Subject } from '../test/subject.ts'

const append = (term: number, prevIndex: number, prevTerm: number, terms: readonly number[], commit = 0) =>
  ({
    kind: 'appendRequest',
    term,
    prevIndex,
    prevTerm,
    commit,
    entries: entriesOf(terms, prevIndex + 1),
  }) as const
const heartbeat = (term: number) => ({ kind: 'heartbeat', term, commit: 0, round: 0 }) as const
const kindsOf = (messages: readonly { kind: string }[]): string[] => messages.map(({ kind }) => kind)

test('law 6: RequestVote leaves only after term, own vote and all earlier entries are flushed', () => {
  const subject = new Subject().receive('b', append(1, 0, 0, [1, 1]))
  subject.turn()
  subject.core.peerGone('b')
  subject.becomeCandidate()
  const ready = subject.turn()
  assert.deepEqual(ofKind(ready.messages, 'voteRequest'), [])
  assert.deepEqual(ready.persist?.hardState, {
    term: 2,
    vote: 'a',
    voteIncarnation: incarnationOf('a'),
  })
  assert.deepEqual(ofKind(subject.flush(1), 'voteRequest'), [], 'the flush of the entries is not enough')
  assert.deepEqual(
    ofKind(subject.flush(1), 'voteRequest').map(({ to, lastIndex }) => [to, lastIndex]),
    [
      ['b', 2],
      ['c', 2],
    ],
  )
})

test('law 6: the own vote counts only after its flush', () => {
  const subject = new Subject({ voters: 3 }).becomeCandidate()
  subject.turn()
  subject.receive('b', { kind: 'voteReply', term: 1, granted: true })
  assert.equal(subject.core.role, 'candidate')
  subject.flush()
  assert.equal(subject.core.role, 'leader')
})

test('law 6: a candidate that times out takes no vote of its earlier term with it', () => {
  const subject = new Subject({ voters: 5, knobs: { preVote: false } }).waitUntilDue()
  subject.turn()
  subject.core.campaign()
  assert.equal(subject.core.term, 2)
  subject.receive('b', { kind: 'voteReply', term: 2, granted: true })
  subject.receive('c', { kind: 'voteReply', term: 2, granted: true })
  subject.flush(1)
  assert.equal(subject.core.role, 'candidate', 'flushed is the vote of term 1 only')
  subject.turn()
  subject.flush()
  assert.equal(subject.core.role, 'leader')
})

test('law 6: a vote leaves only after it is flushed', () => {
  const subject = new Subject().receive('b', { kind: 'voteRequest', term: 1, lastIndex: 0, lastTerm: 0 })
  const ready = subject.turn()
  assert.deepEqual(ready.messages, [])
  assert.deepEqual(ready.persist?.hardState, {
    term: 1,
    vote: 'b',
    voteIncarnation: incarnationOf('b'),
  })
  assert.deepEqual(kindsOf(subject.flush()), ['voteReply'])
})

test('law 6: an acknowledgement leaves only after its entries and all persists before are flushed', () => {
  const subject = new Subject().receive('b', append(1, 0, 0, [1]))
  assert.deepEqual(subject.turn().messages, [])
  subject.receive('b', append(1, 1, 1, [1]))
  assert.deepEqual(subject.turn().messages, [])
  subject.receive('b', append(1, 0, 0, [1, 1]))
  const repeated = subject.turn()
  assert.deepEqual(
    [repeated.messages, repeated.persist?.entries],
    [[], []],
    'nothing to store, and yet it waits',
  )
  const flushed = [1, 1, 1].map((count) => ofKind(subject.flush(count), 'appendReply')[0]?.matchIndex)
  assert.deepEqual(flushed, [1, 2, 2])
})

test('law 6: every reply in a new term waits until the term is flushed', () => {
  const bodies = [
    heartbeat(4),
    append(4, 7, 3, []),
    { kind: 'preVoteRequest', term: 4, lastIndex: 0, lastTerm: 0 },
    { kind: 'voteRequest', term: 3, lastIndex: 0, lastTerm: 0 },
  ] as const
  for (const body of bodies) {
    const subject = new Subject({ hardState: { term: 2, vote: '' } })
    // It hears of term 4 in the same drain: nobody may learn of it before it is flushed.
    subject.receive('c', heartbeat(4))
    subject.turn()
    subject.receive('b', body)
    assert.deepEqual(subject.turn().messages, [], body.kind)
    assert.deepEqual(kindsOf(subject.flush(1)), ['heartbeatReply'], 'the one to c')
    assert.equal(subject.flush(1).length, 1)
  }
})

test('law 6: replies in a flushed term leave at once, also while entries are being flushed', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } }).receive('b', append(1, 0, 0, [1]))
  subject.turn()
  subject.receive('b', heartbeat(1)).receive('b', append(1, 9, 1, []))
  assert.deepEqual(kindsOf(subject.sent()), ['heartbeatReply', 'appendReply'])
  assert.equal(subject.disk.waiting.length, 1)
})

test('law 6: heartbeats, time-outs and stepping down never wait for the disk', () => {
  const subject = new Subject().becomeLeader().commitAll()
  subject.propose()
  subject.turn()
  assert.ok(subject.disk.waiting.length > 0, 'the disk stalls from now on')
  assert.deepEqual(kindsOf(subject.waitUntilDue().sent()), ['heartbeat', 'heartbeat'])
  for (let beat = 0; beat < 20 && subject.core.role === 'leader'; beat++) subject.waitUntilDue()
  assert.equal(subject.core.role, 'follower', 'nobody answers: it steps down')
})

test('law 5: the flush of overwritten entries counts for nothing (ABA)', () => {
  const subject = new Subject().receive('b', append(1, 0, 0, [1, 1, 1]))
  subject.turn()
  subject.receive('c', append(2, 1, 1, [2, 2]))
  subject.turn()
  subject.flush(1)
  assert.equal(subject.core.stableIndex, 1, 'on the disk are 2 and 3 of term 1')
  subject.flush(1)
  assert.equal(subject.core.stableIndex, 3)
})

test('law 5: what was flushed and is overwritten is not flushed any more', () => {
  const subject = new Subject({ log: [1, 1, 1] }).receive('c', append(2, 1, 1, [2, 2]))
  assert.equal(subject.core.stableIndex, 1)
  subject.turn()
  subject.flush()
  assert.equal(subject.core.stableIndex, 3)
})

test('law 5: entries applied before their flush stay in memory until it, over an old log on the disk', () => {
  const subject = new Subject({ log: [1, 1, 1], knobs: { maxTailBytes: 1 } })
  subject.receive('c', append(2, 1, 1, [2, 2], 3))
  const pages = [subject.turn(), subject.turn()].map(({ committed }) => committed.map(({ term }) => term))
  assert.deepEqual(pages, [[1], [2, 2]])
  subject.receive('c', append(2, 3, 2, [2], 4))
  assert.deepEqual(
    subject.turn().committed.map(({ index, term }) => [index, term]),
    [[4, 2]],
  )
})

test('an acknowledgement that an earlier leader would have got does not go to the next one', () => {
  const subject = new Subject()
  subject.receive('b', append(1, 0, 0, [1, 1, 1]))
  subject.receive('c', append(2, 0, 0, [2]))
  subject.turn()
  const replies = ofKind(subject.flush(), 'appendReply')
  assert.deepEqual(
    replies.map(({ to, term, matchIndex }) => [to, term, matchIndex]),
    [['c', 2, 1]],
  )
})

test('§5.6 after a restart: term, vote and log are those of the disk, everything else begins anew', () => {
  const before = new Subject().receive('b', append(3, 0, 0, [1, 3], 1))
  before.turn()
  before.flush()
  before.receive('b', append(3, 2, 3, [3, 3]))
  before.turn()
  before.disk.crash()
  const { core, log } = new Subject({ disk: before.disk, boot: 8 })
  assert.deepEqual([core.term, core.vote, log], [3, '', [1, 3]])
  assert.deepEqual([core.role, core.leader, core.commitIndex], ['follower', undefined, 0])
})

test('a restarted node applies its log again from the beginning, as far as it hears that it is committed', () => {
  const subject = new Subject({ log: [1, 1, 1] }).receive('b', {
    kind: 'heartbeat',
    term: 1,
    commit: 2,
    round: 0,
  })
  assert.deepEqual(
    subject.turn().committed.map(({ index }) => index),
    [1, 2],
  )
})

test('committed entries are handed out in pages of maxApplyBytes', () => {
  const subject = new Subject({ log: [1, 1, 1], knobs: { maxApplyBytes: 1 } })
  subject.receive('b', { kind: 'heartbeat', term: 1, commit: 3, round: 0 })
  const pages = [1, 2, 3].map(() => subject.turn().committed.map(({ index }) => index))
  assert.deepEqual(pages, [[1], [2], [3]])
  assert.equal(subject.core.hasCommitted, false)
})

test('a drain without events asks for nothing', () => {
  const subject = new Subject()
  subject.turn()
  const ready = subject.turn()
  assert.deepEqual(ready, {
    forgotten: undefined,
    persist: undefined,
    snapshotWrites: [],
    messages: [],
    install: undefined,
    snapshotWanted: false,
    committed: [],
    reads: [],
    readsRefused: [],
    proposalsRefused: [],
    role: undefined,
    configuration: undefined,
  })
})
