/** A disk that does not answer (DESIGN law 6): it is noticed within a bound, and disturbs nobody before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entriesOf, ofKind, Subject } from '../test/subject.ts'

/** A leader whose peers answer everything, and whose disk has stopped. */
function stalledLeader(maxPersistStallMs = 1000): Subject {
  const subject = new Subject({ knobs: { maxPersistStallMs } }).becomeLeader().commitAll()
  subject.propose()
  subject.turn()
  assert.equal(subject.disk.waiting.length, 1)
  return subject
}

test('a leader whose disk stalls sends heartbeats and commits by the others, until the bound', () => {
  const subject = stalledLeader()
  subject.accept('b', 2).accept('c', 2)
  assert.equal(subject.core.commitIndex, 2)
  for (let beats = 0; beats < 20; beats++) {
    const messages = subject.waitUntilDue().sent()
    assert.equal(ofKind(messages, 'heartbeat').length, 2, `beat ${beats}`)
    const round = ofKind(messages, 'heartbeat')[0]?.round ?? 0
    for (const id of 'bc') subject.receive(id, { kind: 'heartbeatReply', term: 1, round })
  }
  assert.deepEqual([subject.core.role, subject.core.metrics.persistStalls], ['leader', 0])
  subject.beat()
  assert.deepEqual([subject.core.role, subject.core.leader], ['follower', undefined])
  assert.equal(subject.core.metrics.persistStalls, 1)
})

test('a flush in time is no stall, however long it goes on like this', () => {
  const subject = stalledLeader()
  for (let beats = 0; beats < 100; beats++) {
    if (beats % 10 === 9) {
      subject.propose()
      subject.turn()
      subject.flush(subject.disk.waiting.length - 1)
    }
    subject.beat()
  }
  assert.equal(subject.core.role, 'leader', 'the oldest write is what counts')
})

test('a leader that has stepped down by a stall does not campaign until its disk answers', () => {
  const subject = stalledLeader()
  for (let beats = 0; beats < 25; beats++) if (subject.core.role === 'leader') subject.beat()
  for (let timeouts = 0; timeouts < 5; timeouts++) {
    subject.waitUntilDue()
    assert.equal(subject.core.role, 'follower')
    assert.ok(subject.core.deadlineMs > subject.nowMs, 'and is not due over and over')
  }
  subject.flush()
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})

test('a follower with a stalled disk does not campaign, and obeys no order to', () => {
  const subject = new Subject()
  const append = { kind: 'appendRequest', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 } as const
  subject.receive('b', { ...append, entries: entriesOf([1]) }).turn()
  subject.wait(301).receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 0 })
  subject.receive('b', { kind: 'timeoutNow', term: 1 })
  assert.equal(subject.core.role, 'follower')
  subject.wait(1000)
  assert.equal(subject.core.role, 'follower')
  subject.flush()
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})

test('a candidate whose own vote is not flushed does not begin term after term', () => {
  const subject = new Subject({ knobs: { preVote: false } }).waitUntilDue()
  subject.turn()
  for (let timeouts = 0; timeouts < 5; timeouts++) subject.waitUntilDue()
  assert.equal(subject.core.term, 1)
})

test('while its disk stalls a follower answers heartbeats, and acknowledges nothing', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } })
  const append = { kind: 'appendRequest', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 } as const
  subject.receive('b', { ...append, entries: entriesOf([1]) }).turn()
  subject.wait(100).receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 4 })
  assert.deepEqual(
    subject.sent().map(({ kind }) => kind),
    ['heartbeatReply'],
  )
  assert.equal(ofKind(subject.flush(), 'appendReply').length, 1)
})

// ---- a disk without space is told of, and is no stall

const heldUp = (subject: Subject): Subject => {
  for (let beats = 0; beats < 40; beats++) subject.beat()
  return subject
}

test('a leader without space refuses proposals, and goes on leading and reading, for however long', () => {
  const subject = stalledLeader()
  subject.core.diskSpace(true)
  assert.deepEqual([subject.core.isDiskFull, subject.core.proposalRefusal], [true, 'NO_SPACE'])
  heldUp(subject)
  assert.deepEqual([subject.core.role, subject.core.metrics.persistStalls], ['leader', 0])
  subject.core.readIndex(7)
  const round = ofKind(subject.sent(), 'heartbeat')[0]?.round ?? 0
  subject.receive('b', { kind: 'heartbeatReply', term: 1, round })
  assert.deepEqual(subject.turn().reads, [{ id: 7, index: 1 }])
})

test('what was appended before is committed by the others, and written in its order once there is space', () => {
  const subject = stalledLeader()
  subject.core.diskSpace(true)
  subject.accept('b', 2).accept('c', 2)
  assert.equal(subject.core.commitIndex, 2)
  subject.core.diskSpace(false)
  assert.equal(subject.core.proposalRefusal, undefined)
  subject.propose()
  subject.turn()
  subject.flush()
  assert.deepEqual([subject.core.stableIndex, subject.log], [3, [1, 1, 1]])
})

test('a disk that does not answer once it has space is given the whole bound, and no more', () => {
  const subject = stalledLeader()
  subject.core.diskSpace(true)
  heldUp(subject)
  subject.core.diskSpace(false)
  for (let beats = 0; beats < 19; beats++) subject.beat()
  assert.equal(subject.core.role, 'leader')
  for (let beats = 0; beats < 3 && subject.core.role === 'leader'; beats++) subject.beat()
  assert.equal(subject.core.role, 'follower')
})

test('during a transfer a leader without space is only busy: the next one may have room', () => {
  const subject = stalledLeader()
  subject.core.diskSpace(true)
  subject.accept('b', 2).accept('c', 2)
  assert.equal(subject.core.transferLeadership('b'), undefined)
  assert.equal(subject.core.proposalRefusal, 'BUSY')
})

test('a node without space asks for no votes, and obeys no order to', () => {
  const subject = new Subject()
  subject.core.diskSpace(true)
  subject.waitUntilDue().receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 0 })
  subject.receive('b', { kind: 'timeoutNow', term: 1 })
  assert.deepEqual([subject.core.role, subject.core.term], ['follower', 1])
  subject.core.diskSpace(false)
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})
