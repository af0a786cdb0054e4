/** What followers ask of the leader for their clients: proposals and indexes for reads (thesis §6.4). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ofKind, Subject } from '../test/subject.ts'
import { EntryKind, entryPayload } from './entry.ts'
import type { RaftKnobs } from './options.ts'

const heartbeat = (term: number) => ({ kind: 'heartbeat', term, commit: 0, round: 0 }) as const

/** A follower of `b` in term 1. */
function following(knobs: Partial<RaftKnobs> = {}): Subject {
  const subject = new Subject({ hardState: { term: 1, vote: '' }, knobs }).receive('b', heartbeat(1))
  subject.turn()
  return subject
}

const forwarding = (): Subject => following({ forwardProposals: true })

test('a follower that forwards hands a proposal to the leader, as one payload', () => {
  const subject = forwarding()
  assert.equal(subject.core.proposalRefusal, undefined)
  const number = subject.core.propose([Uint8Array.of(1, 2), Uint8Array.of(3)], 2)
  assert.ok(number < 0, 'no index')
  const [proposal] = ofKind(subject.sent(), 'proposal')
  assert.deepEqual(
    [proposal?.to, proposal?.id, proposal?.commandCount, [...(proposal?.payload ?? [])]],
    ['b', -number, 2, [1, 2, 3]],
  )
})

test('one that does not forward, or knows no leader, refuses proposals', () => {
  assert.equal(following().core.proposalRefusal, 'NOT_LEADER')
  const alone = new Subject({ knobs: { forwardProposals: true } })
  assert.equal(alone.core.proposalRefusal, 'NOT_LEADER')
  assert.throws(() => alone.propose(), { name: 'InvariantError' })
})

test('the leader appends a forwarded proposal like its own', () => {
  const subject = new Subject().becomeLeader().commitAll()
  const proposal = {
    kind: 'proposal',
    term: 1,
    id: 7,
    commandCount: 3,
    payload: Uint8Array.of(9, 8),
  } as const
  const { persist, messages } = subject.receive('c', proposal).turn()
  assert.deepEqual(
    persist?.entries.map((entry) => [entry.kind, entry.commandCount, [...entryPayload(entry)]]),
    [[EntryKind.commands, 3, [9, 8]]],
  )
  assert.equal(subject.core.metrics.commandsAppended, 3)
  assert.deepEqual(ofKind(messages, 'proposalRefused'), [], 'its being applied is the answer')
})

test('whoever does not lead, or has no room, refuses a forwarded proposal by its number', () => {
  const proposal = { kind: 'proposal', term: 1, id: 7, commandCount: 1, payload: Uint8Array.of(9) } as const
  const follower = forwarding()
  const full = new Subject({ knobs: { maxUncommittedBytes: 1 } }).becomeLeader().commitAll()
  full.propose()
  full.turn()
  for (const subject of [follower, full]) {
    const messages = subject.receive('c', proposal).sent()
    assert.deepEqual(
      ofKind(messages, 'proposalRefused').map(({ to, id, toBoot }) => [to, id, toBoot]),
      [['c', 7, 1]],
    )
    assert.deepEqual(ofKind(messages, 'proposal'), [], 'and does not forward it further')
  }
})

test('a refusal is told with the number that propose gave', () => {
  const subject = forwarding()
  const number = subject.propose()
  subject.receive('b', {
    kind: 'proposalRefused',
    term: 1,
    id: -number,
    refusal: 'BUSY',
    toBoot: subject.boot,
  })
  assert.deepEqual(subject.turn().proposalsRefused, [{ id: -number, refusal: 'BUSY' }])
  assert.deepEqual(subject.turn().proposalsRefused, [])
})

test('a proposal is not sent in a term that is not flushed', () => {
  const subject = new Subject({ knobs: { forwardProposals: true } }).receive('b', heartbeat(3))
  subject.propose()
  assert.deepEqual(ofKind(subject.sent(), 'proposal'), [])
  assert.equal(ofKind(subject.flush(), 'proposal').length, 1)
})

test('thesis §6.4 all reads of a drain ask the leader once, and are granted at its index', () => {
  const subject = following()
  subject.core.readIndex(1, true)
  subject.core.readIndex(2, true)
  const requests = ofKind(subject.sent(), 'readIndexRequest')
  assert.deepEqual(
    requests.map(({ to }) => to),
    ['b'],
  )
  const { id } = requests[0] as { id: number }
  subject.receive('b', { kind: 'readIndexReply', term: 1, id, index: 9 })
  const expected = [
    { id: 1, index: 9 },
    { id: 2, index: 9 },
  ]
  assert.deepEqual(subject.turn().reads, expected)
  subject.receive('b', { kind: 'readIndexReply', term: 1, id, index: 9 })
  assert.deepEqual(subject.turn().reads, [], 'once')
})

test('thesis §6.4 a read that comes in after the question waits for the next one', () => {
  const subject = following()
  subject.core.readIndex(1, true)
  const [first] = ofKind(subject.sent(), 'readIndexRequest')
  subject.core.readIndex(2, true)
  subject.receive('b', { kind: 'readIndexReply', term: 1, id: first?.id ?? 0, index: 4 })
  const ready = subject.turn()
  assert.deepEqual(ready.reads, [{ id: 1, index: 4 }])
  assert.equal(ofKind(ready.messages, 'readIndexRequest').length, 1)
})

test('thesis §6.4 an answer counts in a later term too: whoever gave it was confirmed as leader', () => {
  const subject = following()
  subject.core.readIndex(1, true)
  const [request] = ofKind(subject.sent(), 'readIndexRequest')
  subject
    .receive('c', heartbeat(2))
    .receive('b', { kind: 'readIndexReply', term: 1, id: request?.id ?? 0, index: 4 })
  assert.deepEqual(subject.turn().reads, [{ id: 1, index: 4 }])
})

test('reads are refused: without a leader, by one that does not lead, after a timeout', () => {
  const alone = new Subject()
  alone.core.readIndex(1, true)
  assert.deepEqual(alone.turn().readsRefused, [1])
  const refused = following()
  refused.core.readIndex(2, true)
  const [request] = ofKind(refused.sent(), 'readIndexRequest')
  refused.receive('b', { kind: 'readIndexReply', term: 1, id: request?.id ?? 0, index: 0 })
  assert.deepEqual(refused.turn().readsRefused, [2])
  const lost = following()
  lost.core.readIndex(3, true)
  lost.turn()
  assert.deepEqual(lost.wait(599).turn().readsRefused, [])
  assert.deepEqual(lost.wait(1).turn().readsRefused, [3])
})

test('a read that was asked for and then loses its leader in the same drain is refused', () => {
  const subject = following()
  subject.core.readIndex(1, true)
  subject.core.peerGone('b')
  assert.deepEqual(subject.turn().readsRefused, [1])
})

test('an answer for an earlier start of this node grants nothing', () => {
  const subject = following()
  subject.core.readIndex(1, true)
  const [request] = ofKind(subject.sent(), 'readIndexRequest')
  const toBoot = subject.boot - 1
  subject.receive('b', { kind: 'readIndexReply', term: 1, id: request?.id ?? 0, index: 4, toBoot })
  assert.deepEqual(subject.turn().reads, [])
})

test('thesis §6.4 the leader answers a follower after a round of heartbeats, not before its first commit', () => {
  const subject = new Subject().becomeLeader()
  subject.receive('c', { kind: 'readIndexRequest', term: 1, id: 5 })
  assert.deepEqual(ofKind(subject.sent(), 'readIndexReply'), [], 'nothing of its term is committed')
  subject.flush()
  const { messages } = subject.accept('b', 1).turn()
  const round = ofKind(messages, 'heartbeat')[0]?.round as number
  assert.deepEqual(ofKind(messages, 'readIndexReply'), [], 'nor is it confirmed')
  subject.receive('b', { kind: 'heartbeatReply', term: 1, round })
  assert.deepEqual(
    ofKind(subject.sent(), 'readIndexReply').map(({ to, id, index, toBoot }) => [to, id, index, toBoot]),
    [['c', 5, 1, 1]],
  )
})

test('thesis §6.4 a leader that steps down refuses what followers have asked', () => {
  const subject = new Subject().becomeLeader().commitAll()
  subject.receive('c', { kind: 'readIndexRequest', term: 1, id: 5 })
  subject.turn()
  subject.receive('b', { kind: 'heartbeatReply', term: 9, round: 0 })
  subject.turn()
  assert.deepEqual(
    ofKind(subject.flush(), 'readIndexReply').map(({ to, id, index }) => [to, id, index]),
    [['c', 5, 0]],
  )
})

test('whoever does not lead answers a question for an index with 0', () => {
  const subject = following().receive('c', { kind: 'readIndexRequest', term: 1, id: 5 })
  assert.deepEqual(
    ofKind(subject.sent(), 'readIndexReply').map(({ to, id, index }) => [to, id, index]),
    [['c', 5, 0]],
  )
})

test('a proposal is for the very start of the leader that was heard', () => {
  const subject = forwarding()
  subject.propose()
  assert.deepEqual(
    ofKind(subject.sent(), 'proposal').map(({ toBoot, toIncarnation }) => [toBoot, toIncarnation]),
    [[1, 0]],
  )
})

test('a proposal that comes again, or behind a later one, is neither taken nor refused', () => {
  const subject = new Subject().becomeLeader().commitAll()
  const proposal = { kind: 'proposal', term: 1, commandCount: 1, payload: Uint8Array.of(9) } as const
  subject.receive('c', { ...proposal, id: 7 }).receive('c', { ...proposal, id: 7 })
  assert.equal(subject.turn().persist?.entries.length, 1)
  subject.core.diskSpace(true)
  const again = subject
    .receive('c', { ...proposal, id: 7 })
    .receive('c', { ...proposal, id: 6 })
    .sent()
  assert.deepEqual(ofKind(again, 'proposalRefused'), [])
  const later = subject.receive('c', { ...proposal, id: 8 }).sent()
  assert.deepEqual(
    ofKind(later, 'proposalRefused').map(({ id, refusal }) => [id, refusal]),
    [[8, 'NO_SPACE']],
  )
  const started = subject.receive('c', { ...proposal, id: 1, fromBoot: 2 }).sent()
  assert.equal(ofKind(started, 'proposalRefused').length, 1, 'another start counts from the beginning')
})
