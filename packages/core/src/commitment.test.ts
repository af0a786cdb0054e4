/** Raft §5.4: what counts as committed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entriesOf, ofKind, Subject } from '../test/subject.ts'
import { EntryKind } from './entry.ts'

test('§5.3 an entry is committed once a majority has flushed it, and all before it with it', () => {
  const subject = new Subject({ voters: 5 }).becomeLeader().commitAll()
  for (let count = 0; count < 3; count++) subject.propose()
  subject.turn()
  subject.flush()
  subject.accept('b', 4)
  assert.equal(subject.core.commitIndex, 1, 'two of five')
  subject.accept('c', 3)
  assert.equal(subject.core.commitIndex, 3)
  assert.deepEqual(
    subject.turn().committed.map(({ index }) => index),
    [2, 3],
  )
})

test('law 5: the leader counts itself only after its own flush', () => {
  const subject = new Subject().becomeLeader().commitAll()
  subject.propose()
  subject.turn()
  subject.accept('b', 2)
  assert.equal(subject.core.commitIndex, 1)
  subject.flush()
  assert.equal(subject.core.commitIndex, 2)
})

test('law 5: a majority of followers commits while the leader still flushes', () => {
  const subject = new Subject().becomeLeader().commitAll()
  subject.propose()
  subject.turn()
  subject.accept('b', 2).accept('c', 2)
  assert.deepEqual([subject.core.commitIndex, subject.core.stableIndex], [2, 1])
  assert.deepEqual(
    subject.turn().committed.map(({ index }) => index),
    [2],
  )
})

test('the leader of one commits by its own flush', () => {
  const subject = new Subject({ voters: 1 }).waitUntilDue()
  subject.turn()
  subject.flush()
  subject.turn()
  assert.equal(subject.core.commitIndex, 0)
  subject.flush()
  assert.equal(subject.core.commitIndex, 1)
})

test('§5.4.2 an entry of an earlier term is not committed by counting (Figure 8)', () => {
  // (c): the leader of term 4 has the entry of term 2 on a majority; (d) or (e) may still follow.
  const subject = new Subject({ voters: 5, log: [1, 2], hardState: { term: 3, vote: '' } }).becomeLeader()
  subject.flush()
  subject.accept('b', 2).accept('c', 2)
  assert.equal(subject.core.commitIndex, 0)
  // (e): only when an entry of its own term is on a majority too, the earlier ones are committed with it.
  subject.accept('b', 3)
  assert.equal(subject.core.commitIndex, 0)
  subject.accept('c', 3)
  assert.equal(subject.core.commitIndex, 3)
})

test('§5.4.2 Figure 8 (d): an entry of an earlier term on a majority can still be overwritten', () => {
  const subject = new Subject({ voters: 5, log: [1, 2], hardState: { term: 4, vote: '' } })
  const entries = entriesOf([3], 2)
  subject.receive('e', { kind: 'appendRequest', term: 5, prevIndex: 1, prevTerm: 1, commit: 0, entries })
  subject.turn()
  assert.deepEqual(subject.log, [1, 3])
})

test('§8 a leader begins its term with an entry that does nothing', () => {
  const subject = new Subject({ log: [1, 1] }).becomeLeader()
  const [append] = ofKind(
    subject.receive('b', { kind: 'heartbeatReply', term: 2, round: 0 }).sent(),
    'appendRequest',
  )
  assert.deepEqual(
    append?.entries.map(({ index, term, kind }) => [index, term, kind]),
    [[3, 2, EntryKind.noop]],
  )
})

test('acknowledgements of earlier terms, from strangers, or twice do not count', () => {
  const subject = new Subject({ voters: 5, hardState: { term: 3, vote: '' } }).becomeLeader()
  subject.flush()
  const accepted = {
    kind: 'appendReply',
    accepted: true,
    matchIndex: 1,
    rejected: 0,
    hintIndex: 0,
    hintTerm: 0,
  } as const
  subject.accept('b', 1).accept('b', 1)
  subject.receive('c', { ...accepted, term: 3 })
  subject.receive('x', { ...accepted, term: 4 })
  subject.receive('c', { ...accepted, term: 4, toBoot: 1 })
  assert.equal(subject.core.commitIndex, 0)
  subject.receive('c', { ...accepted, term: 4 })
  assert.equal(subject.core.commitIndex, 1)
})

test('match indexes never go back', () => {
  const subject = new Subject().becomeLeader().commitAll()
  subject.propose()
  subject.turn()
  subject.accept('b', 2).accept('b', 1)
  assert.equal(subject.core.matchIndexes.get('b'), 2)
})

test('an acknowledgement beyond the end of the log is a broken invariant', () => {
  const subject = new Subject().becomeLeader()
  assert.throws(() => subject.accept('b', 2), { name: 'InvariantError' })
})

test('heartbeats carry the commit index, but never beyond what is known to match', () => {
  const subject = new Subject({ log: [1, 1, 1] }).becomeLeader()
  subject.flush()
  subject.accept('b', 4).turn()
  assert.equal(subject.core.commitIndex, 4)
  const beats = ofKind(subject.waitUntilDue().sent(), 'heartbeat')
  assert.deepEqual(
    beats.map(({ to, commit }) => [to, commit]),
    [
      ['b', 4],
      ['c', 0],
    ],
  )
})

test('a heartbeat of the leader commits what this node has acknowledged, and nothing goes back', () => {
  const subject = new Subject({ log: [1, 1] })
  for (const commit of [1, 2, 0]) subject.receive('b', { kind: 'heartbeat', term: 1, commit, round: 0 })
  assert.equal(subject.core.commitIndex, 2)
})

test('log time goes on from the last entry by the monotonic clock, and never back', () => {
  const subject = new Subject().becomeLeader()
  const times = [50, 0, 20].map((ms) => {
    subject.wait(ms).propose()
    return subject.turn().persist?.entries.at(-1)?.timeMs
  })
  assert.deepEqual(times, [50, 50, 70])
  const next = new Subject({ disk: subject.disk, boot: 8 })
  next.disk.crash(9)
  const again = new Subject({ disk: next.disk, boot: 9 }).becomeLeader()
  assert.deepEqual(again.disk.seen.entries.at(-1)?.timeMs, 70, 'another clock, the same log time')
})
