/** Flow control (bounds, probes, losses), check-quorum and linearizable reads (thesis §6.2, §6.4). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ofKind, Subject } from '../test/subject.ts'
import { ENTRY_HEADER_BYTES, recordFollows } from './entry.ts'
import type { AppendRequest } from './message.ts'
import type { RaftKnobs } from './options.ts'

const proposalBytes = ENTRY_HEADER_BYTES + 1

/** A leader that has committed its no-op. */
const leading = (knobs: Partial<RaftKnobs> = {}): Subject => new Subject({ knobs }).becomeLeader().commitAll()

const appendsTo = (subject: Subject, id: string): AppendRequest[] =>
  ofKind(subject.sent(), 'appendRequest').filter(({ to }) => to === id)
const indexesOf = (appends: readonly AppendRequest[]): number[][] =>
  appends.map(({ entries }) => entries.map(({ index }) => index))

function propose(subject: Subject, count: number): Subject {
  for (let done = 0; done < count; done++) subject.propose()
  return subject
}

const heartbeatReply = (round = 0) => ({ kind: 'heartbeatReply', term: 1, round }) as const

test('appends are pipelined: a next one goes without the answer to the last', () => {
  const subject = leading()
  assert.deepEqual(indexesOf(appendsTo(propose(subject, 1), 'b')), [[2]])
  assert.deepEqual(indexesOf(appendsTo(propose(subject, 1), 'b')), [[3]])
})

test('entries of a drain travel together, up to maxAppendBytes, and one that is larger travels alone', () => {
  assert.deepEqual(indexesOf(appendsTo(propose(leading(), 3), 'b')), [[2, 3, 4]])
  const two = leading({ maxAppendBytes: 2 * proposalBytes })
  assert.deepEqual(indexesOf(appendsTo(propose(two, 3), 'b')), [[2, 3], [4]])
  const none = leading({ maxAppendBytes: 1 })
  assert.deepEqual(indexesOf(appendsTo(propose(none, 2), 'b')), [[2], [3]])
})

test('no more than maxInflightMessages appends are on their way to a peer', () => {
  const subject = leading({ maxInflightMessages: 2, maxAppendBytes: 1 })
  assert.deepEqual(indexesOf(appendsTo(propose(subject, 5), 'b')), [[2], [3]])
  assert.deepEqual(appendsTo(subject, 'b'), [])
  assert.deepEqual(indexesOf(appendsTo(subject.accept('b', 2), 'b')), [[4]])
})

test('no more appends leave once maxInflightBytes are on their way to a peer', () => {
  const subject = leading({ maxInflightBytes: 2 * proposalBytes, maxAppendBytes: 1 })
  assert.deepEqual(indexesOf(appendsTo(propose(subject, 5), 'b')), [[2], [3]])
  assert.deepEqual(indexesOf(appendsTo(subject.accept('b', 3), 'b')), [[4], [5]])
})

test('the commit index goes past a full window, in an empty append behind what is known to match', () => {
  const subject = leading({ maxInflightMessages: 1 })
  propose(subject, 1).turn()
  propose(subject, 1).turn()
  subject.accept('b', 2)
  assert.deepEqual(indexesOf(appendsTo(subject, 'b')), [[3]], 'the window of b is full again')
  subject.flush()
  const [empty, ...others] = appendsTo(subject, 'b')
  assert.deepEqual(
    [subject.core.commitIndex, empty?.prevIndex, empty?.commit, empty?.entries, others.length],
    [2, 2, 2, [], 0],
  )
  assert.deepEqual(appendsTo(subject, 'b'), [], 'once')
  assert.equal(subject.core.progress.get('b')?.inflightMessages, 1, 'it takes no place in the window')
})

test('what a peer is told of the commit index is never beyond what it is known to have', () => {
  const subject = leading({ maxInflightMessages: 1 })
  propose(subject, 1).turn()
  propose(subject, 1).turn()
  subject.flush()
  subject.accept('c', 2)
  assert.equal(subject.core.commitIndex, 2)
  assert.deepEqual(appendsTo(subject, 'b'), [], 'b has acknowledged nothing of it')
})

test('entries are counted in each append that carries them, and appends without any by themselves', () => {
  const subject = leading({ maxInflightMessages: 1 })
  const { appendsSent, emptyAppendsSent, entriesSent } = subject.core.metrics
  propose(subject, 3).turn()
  propose(subject, 1).turn()
  subject.accept('b', 4).turn()
  subject.flush()
  subject.turn()
  const after = subject.core.metrics
  // Three to b and to c, the fourth to b as soon as there was room, and what is committed meanwhile to b.
  assert.equal(after.entriesSent - entriesSent, 3 + 3 + 1)
  assert.equal(after.emptyAppendsSent - emptyAppendsSent, 1)
  assert.equal(after.appendsSent - appendsSent, 4)
})

test('a slow peer does not hold up the others', () => {
  const subject = leading({ maxInflightMessages: 1 })
  propose(subject, 1).turn()
  subject.accept('c', 2)
  assert.deepEqual(indexesOf(appendsTo(propose(subject, 1), 'c')), [[3]])
})

test('after a refusal one append at a time goes out, until one is accepted', () => {
  const subject = leading({ maxAppendBytes: 1 })
  propose(subject, 4).turn()
  subject.refuse('b', 3, 1, 1)
  assert.deepEqual(indexesOf(appendsTo(subject, 'b')), [[2]])
  assert.deepEqual(appendsTo(subject, 'b'), [])
  assert.deepEqual(indexesOf(appendsTo(subject.accept('b', 2), 'b')), [[3], [4], [5]])
})

test('a lost append is found by the empty append behind the answer to a heartbeat', () => {
  const subject = leading()
  propose(subject, 1).turn() // lost on its way to b
  const [empty] = appendsTo(subject.receive('b', heartbeatReply()), 'b')
  assert.deepEqual([empty?.prevIndex, empty?.entries], [2, []])
  assert.deepEqual(indexesOf(appendsTo(subject.refuse('b', 2, 1, 1), 'b')), [[2]])
})

test('a lost probe is sent again after the answer to a heartbeat', () => {
  const subject = new Subject().becomeLeader()
  assert.deepEqual(appendsTo(subject, 'b'), [])
  assert.deepEqual(indexesOf(appendsTo(subject.receive('b', heartbeatReply()), 'b')), [[1]])
})

test('with nothing on its way the answer to a heartbeat asks for nothing', () => {
  assert.deepEqual(leading().receive('b', heartbeatReply()).sent(), [])
})

test('a connection that is up again, or gone, is probed from what is known to match', () => {
  for (const event of ['peerUp', 'peerGone'] as const) {
    const subject = leading({ maxInflightMessages: 1 })
    propose(subject, 2).turn()
    subject.core[event]('b')
    assert.deepEqual(indexesOf(appendsTo(subject, 'b')), [[2, 3]], event)
  }
})

test('entries that are no longer in memory are read from the disk for a peer that lags', () => {
  const subject = leading({ maxTailBytes: 1 })
  for (let round = 0; round < 3; round++) {
    propose(subject, 1).turn()
    subject.flush()
    subject.accept('c', round + 2).turn()
  }
  propose(subject, 1).core.peerUp('b')
  assert.deepEqual(indexesOf(appendsTo(subject, 'b')), [[2, 3, 4]], 'as far as the disk goes')
  assert.deepEqual(indexesOf(appendsTo(subject.accept('b', 4), 'b')), [[5]])
})

test('proposals get BUSY at maxUncommittedBytes, until they are committed', () => {
  const subject = leading({ maxUncommittedBytes: 2 * proposalBytes })
  propose(subject, 1)
  assert.equal(subject.core.proposalRefusal, undefined)
  propose(subject, 1)
  assert.equal(subject.core.proposalRefusal, 'BUSY')
  subject.commitAll()
  assert.equal(subject.core.proposalRefusal, undefined)
})

test('a new leadership begins with no uncommitted bytes of its own', () => {
  const subject = leading({ maxUncommittedBytes: 2 * proposalBytes })
  propose(subject, 2)
  subject.receive('b', { kind: 'heartbeat', term: 5, commit: 0, round: 0 }).turn()
  subject.flush()
  subject.becomeLeader()
  assert.equal(subject.core.proposalRefusal, undefined)
})

test('there is room for maxUncommittedEntries entries', () => {
  const subject = leading({ maxUncommittedEntries: 2 })
  assert.equal(propose(subject, 1).core.hasRoom, true)
  assert.equal(propose(subject, 1).core.hasRoom, false)
  assert.equal(subject.commitAll().core.hasRoom, true)
})

test('a leader says whether an entry of its is on its way', () => {
  const subject = leading({})
  assert.equal(propose(subject, 1).core.hasUncommitted, true)
  assert.equal(subject.commitAll().core.hasUncommitted, false)
})

test('whoever does not lead refuses proposals and reads', () => {
  const subject = new Subject()
  assert.equal(subject.core.proposalRefusal, 'NOT_LEADER')
  assert.throws(() => subject.propose(), { name: 'InvariantError' })
  subject.core.readIndex(4)
  assert.deepEqual(subject.turn().readsRefused, [4])
})

test('thesis §6.2 a leader that hears from no majority for an election timeout steps down', () => {
  const subject = leading()
  const idle = (ms: number): void => void Array.from({ length: ms / 50 }, () => subject.wait(50))
  for (let time = 0; time < 10; time++) {
    idle(500)
    subject.receive('b', heartbeatReply())
  }
  assert.equal(subject.core.role, 'leader', 'one of two is enough')
  idle(650)
  assert.deepEqual([subject.core.role, subject.core.leader, subject.core.term], ['follower', undefined, 1])
})

test('thesis §6.2 without check-quorum it leads on', () => {
  const subject = leading({ checkQuorum: false })
  for (let beat = 0; beat < 100; beat++) subject.wait(50)
  assert.equal(subject.core.role, 'leader')
})

test('thesis §6.2 a leader heartbeats all, every heartbeat interval', () => {
  const subject = leading()
  assert.deepEqual(ofKind(subject.wait(49).sent(), 'heartbeat'), [])
  assert.deepEqual(
    ofKind(subject.wait(1).sent(), 'heartbeat').map(({ to }) => to),
    ['b', 'c'],
  )
  assert.deepEqual(ofKind(subject.wait(49).sent(), 'heartbeat'), [])
})

test('thesis §6.4 a read is granted at the commit index once a majority has answered a heartbeat sent after it', () => {
  const subject = leading()
  subject.core.readIndex(1)
  const ready = subject.turn()
  const [beat] = ofKind(ready.messages, 'heartbeat')
  assert.ok(beat !== undefined)
  assert.deepEqual(ready.reads, [])
  subject.receive('b', heartbeatReply(beat.round))
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 1 }])
})

test('thesis §6.4 the answer to a heartbeat sent before the read confirms nothing', () => {
  const subject = leading()
  subject.core.readIndex(1)
  const [early] = ofKind(subject.sent(), 'heartbeat')
  subject.core.readIndex(2)
  subject.receive('b', heartbeatReply(early?.round ?? -1))
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 1 }], 'only the read that was there')
  subject.receive('c', heartbeatReply(early?.round ?? -1))
  assert.deepEqual(subject.turn().reads, [])
})

test('thesis §6.4 no read before an entry of the leader’s own term is committed', () => {
  const subject = new Subject({ log: [1, 1] }).becomeLeader()
  subject.core.readIndex(1)
  const early = subject.turn()
  assert.deepEqual([early.reads, ofKind(early.messages, 'heartbeat')], [[], []])
  subject.flush()
  const { messages } = subject.accept('b', 3).turn()
  const [beat] = ofKind(messages, 'heartbeat')
  subject.receive('c', { kind: 'heartbeatReply', term: 2, round: beat?.round ?? -1 })
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 3 }])
})

test('thesis §6.4 the leader of one grants reads by itself', () => {
  const subject = new Subject({ voters: 1 }).waitUntilDue()
  subject.turn()
  subject.flush()
  subject.turn()
  subject.flush()
  subject.core.readIndex(1)
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 1 }])
})

test('thesis §6.4 a leader that steps down refuses the reads it has not granted', () => {
  const subject = leading()
  subject.core.readIndex(1)
  subject.turn()
  subject.core.readIndex(2)
  subject.receive('b', { kind: 'heartbeatReply', term: 9, round: 0 })
  const { reads, readsRefused } = subject.turn()
  assert.deepEqual([reads, readsRefused], [[], [1, 2]])
})

test('thesis §6.4 a lost heartbeat of a read round is made good by the next', () => {
  const subject = leading()
  subject.core.readIndex(1)
  subject.turn()
  const [beat] = ofKind(subject.waitUntilDue().sent(), 'heartbeat')
  subject.receive('c', heartbeatReply(beat?.round ?? -1))
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 1 }])
})

test('a follower answers a heartbeat with its read round', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' }, log: [1] })
  subject.receive('b', { kind: 'heartbeat', term: 1, commit: 0, round: 12 })
  assert.deepEqual(
    ofKind(subject.sent(), 'heartbeatReply').map(({ round }) => round),
    [12],
  )
})

test('a leader chains each entry onto the one before it, also onto what an earlier leader has left', () => {
  const subject = leading()
  const records = appendsTo(propose(subject, 3), 'b').flatMap(({ entries }) =>
    entries.map((entry) => entry.record),
  )
  for (const [at, record] of records.entries()) {
    const previous = records[at - 1]
    if (previous !== undefined) assert.ok(recordFollows(record, previous))
    assert.notEqual(new DataView(record.buffer).getFloat64(48, true), 0, 'the one before is known')
  }
})
