/** Raft §5.1, §5.2 and §5.4.1: terms, votes and who may be elected. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { incarnationOf, ofKind, Subject } from '../test/subject.ts'
import { seededRandom } from './random.ts'
import { MAX_TERM } from './types.ts'

const noPreVote = { preVote: false }
/** A request for a vote by a candidate whose log is as empty as that of a new node. */
const voteRequest = (term: number, lastIndex = 0, lastTerm = 0) =>
  ({ kind: 'voteRequest', term, lastIndex, lastTerm }) as const
const heartbeat = (term: number, commit = 0) => ({ kind: 'heartbeat', term, commit, round: 0 }) as const

/** The answer to a vote request, once it may leave. */
function answered(subject: Subject, from: string, request: ReturnType<typeof voteRequest>): boolean {
  subject.receive(from, request).turn()
  const [reply] = ofKind(subject.flush(), 'voteReply')
  assert.ok(reply !== undefined)
  return reply.granted
}

const toOf = (messages: readonly { to: string }[]): string[] => messages.map(({ to }) => to)

test('§5.1 a server that sees a later term adopts it, whatever the message', () => {
  const bodies = [
    heartbeat(5),
    voteRequest(5),
    { kind: 'voteReply', term: 5, granted: false },
    { kind: 'heartbeatReply', term: 5, round: 0 },
    { kind: 'preVoteReply', term: 5, granted: false },
    { kind: 'appendRequest', term: 5, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] },
  ] as const
  for (const body of bodies) {
    const subject = new Subject({ hardState: { term: 3, vote: 'c' } })
    subject.receive('b', body)
    assert.equal(subject.core.term, 5, body.kind)
    subject.turn()
    assert.equal(subject.disk.seen.hardState.term, 5, 'and stores it')
  }
})

test('§5.1 a leader or candidate that sees a later term becomes follower at once', () => {
  const candidate = new Subject().becomeCandidate()
  const leader = new Subject().becomeLeader()
  for (const { core } of [candidate, leader]) assert.notEqual(core.role, 'follower')
  candidate.receive('b', { kind: 'voteReply', term: 9, granted: false })
  leader.receive('b', { kind: 'heartbeatReply', term: 9, round: 0 })
  for (const { core } of [candidate, leader])
    assert.deepEqual([core.role, core.term, core.vote], ['follower', 9, ''])
})

test('§5.1 a request with an earlier term is refused, and the answer tells the current one', () => {
  const subject = new Subject({ hardState: { term: 4, vote: '' } })
  subject.receive('b', voteRequest(3))
  subject.receive('b', heartbeat(3))
  subject.receive('c', { kind: 'appendRequest', term: 3, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] })
  const messages = subject.sent()
  assert.deepEqual(
    messages.map(({ kind, to, term }) => [kind, to, term]),
    [
      ['voteReply', 'b', 4],
      ['heartbeatReply', 'b', 4],
      ['heartbeatReply', 'c', 4],
    ],
  )
  assert.equal(ofKind(messages, 'voteReply')[0]?.granted, false)
  assert.deepEqual([subject.core.leader, subject.core.lastIndex], [undefined, 0])
})

test('§5.1 replies of an earlier term count for nothing', () => {
  const subject = new Subject({ knobs: noPreVote, hardState: { term: 4, vote: '' } })
  subject.waitUntilDue().turn()
  subject.flush()
  assert.equal(subject.core.role, 'candidate')
  subject.receive('b', { kind: 'voteReply', term: 4, granted: true })
  assert.equal(subject.core.role, 'candidate')
})

test('§5.2 servers begin as followers and know no leader', () => {
  const { core } = new Subject({ hardState: { term: 4, vote: 'a' } })
  assert.deepEqual([core.role, core.leader, core.term, core.vote], ['follower', undefined, 4, 'a'])
})

test('§5.2 a follower that hears from a leader stays follower', () => {
  const subject = new Subject()
  for (let beat = 0; beat < 100; beat++) subject.wait(50).receive('b', heartbeat(1))
  assert.deepEqual([subject.core.role, subject.core.term, subject.core.leader], ['follower', 1, 'b'])
})

test('§5.2 without a leader for an election timeout it raises its term and votes for itself', () => {
  const subject = new Subject({ knobs: noPreVote })
  subject.wait(299)
  assert.equal(subject.core.role, 'follower')
  subject.wait(301)
  assert.deepEqual([subject.core.role, subject.core.term, subject.core.vote], ['candidate', 1, 'a'])
  subject.turn()
  const requests = ofKind(subject.flush(), 'voteRequest')
  assert.deepEqual(
    requests.map(({ to, term }) => [to, term]),
    [
      ['b', 1],
      ['c', 1],
    ],
  )
})

test('§5.2 election timeouts are random, within the bounds, drawn anew each time', () => {
  const subject = new Subject({ random: seededRandom(5) })
  const waits = Array.from({ length: 200 }, () => {
    subject.receive('b', heartbeat(1))
    return subject.core.deadlineMs - subject.nowMs
  })
  assert.ok(Math.min(...waits) >= 300 && Math.max(...waits) <= 600)
  assert.ok(Math.min(...waits) < 320 && Math.max(...waits) > 580, 'they spread over the whole range')
  assert.ok(new Set(waits).size > 190)
})

test('§5.2 a candidate that a majority votes for becomes leader, and says so at once', () => {
  const subject = new Subject({ voters: 5 }).becomeCandidate()
  subject.turn()
  subject.flush()
  subject.receive('b', { kind: 'voteReply', term: 1, granted: true })
  assert.equal(subject.core.role, 'candidate', 'two of five')
  subject.receive('b', { kind: 'voteReply', term: 1, granted: true })
  assert.equal(subject.core.role, 'candidate', 'the same vote again')
  subject.receive('c', { kind: 'voteReply', term: 1, granted: true })
  assert.deepEqual([subject.core.role, subject.core.leader], ['leader', 'a'])
  assert.deepEqual(
    ofKind(subject.sent(), 'appendRequest').map(({ to }) => to),
    ['b', 'c', 'd', 'e'],
  )
})

test('§5.2 a server votes for at most one candidate in a term, first come first served', () => {
  const subject = new Subject()
  assert.equal(answered(subject, 'b', voteRequest(1)), true)
  assert.equal(answered(subject, 'c', voteRequest(1)), false)
  assert.equal(answered(subject, 'b', voteRequest(1)), true, 'the same candidate may ask again')
  assert.equal(answered(subject, 'c', voteRequest(2)), true, 'a new term, a new vote')
})

test('§5.2 a vote survives a restart', () => {
  const before = new Subject()
  assert.equal(answered(before, 'b', voteRequest(1)), true)
  before.disk.crash()
  const after = new Subject({ disk: before.disk, boot: 8 })
  assert.equal(answered(after, 'c', voteRequest(1)), false)
  assert.equal(answered(after, 'b', voteRequest(1)), true)
})

test('§5.2 a candidate has voted for itself', () => {
  const subject = new Subject().becomeCandidate()
  assert.equal(answered(subject, 'b', voteRequest(1)), false)
})

test('§5.2 a vote granted puts the own election off', () => {
  const subject = new Subject()
  subject.wait(subject.core.deadlineMs - subject.nowMs - 1)
  subject.receive('b', voteRequest(1))
  assert.ok(subject.core.deadlineMs - subject.nowMs >= 300)
})

test('§5.2 a vote refused does not put the own election off', () => {
  // Figure 2: only AppendEntries of the current leader or a granted vote do. Otherwise a node whose log is behind,
  // with a clock that runs fast, keeps the only ones that could be elected from trying, for ever.
  const subject = new Subject({ log: [1, 1] })
  const dueMs = subject.core.deadlineMs
  assert.equal(answered(subject.wait(100), 'b', voteRequest(2)), false)
  assert.equal(subject.core.term, 2)
  assert.equal(subject.core.deadlineMs, dueMs)
})

test('§5.2 a candidate that hears from a leader of its term becomes follower', () => {
  const subject = new Subject().becomeCandidate()
  subject.receive('c', heartbeat(1))
  assert.deepEqual([subject.core.role, subject.core.leader, subject.core.vote], ['follower', 'c', 'a'])
})

test('§5.2 a candidate refuses a leader of an earlier term and goes on', () => {
  const subject = new Subject({ hardState: { term: 4, vote: '' } }).becomeCandidate()
  subject.receive('c', heartbeat(4))
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 5])
})

test('§5.2 a candidate without a majority times out and begins another election', () => {
  const subject = new Subject({ knobs: noPreVote }).becomeCandidate()
  subject.turn()
  subject.flush()
  subject.waitForElection()
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 2])
})

test('§5.1 a candidate asks those again that have not answered in time, with the same request', () => {
  const subject = new Subject({ voters: 5, log: [1, 1] }).becomeCandidate()
  subject.turn()
  assert.deepEqual(subject.wait(200).sent(), [], 'nobody is asked again before the first request has left')
  const requests = ofKind(subject.flush(), 'voteRequest')
  assert.deepEqual(toOf(requests), ['b', 'c', 'd', 'e'])
  subject.receive('b', { kind: 'voteReply', term: 2, granted: true })
  subject.receive('c', { kind: 'voteReply', term: 2, granted: false })
  assert.deepEqual(ofKind(subject.wait(49).sent(), 'voteRequest'), [])
  const again = ofKind(subject.wait(1).sent(), 'voteRequest')
  assert.deepEqual(again, requests.slice(2))
  assert.deepEqual(toOf(ofKind(subject.wait(50).sent(), 'voteRequest')), ['d', 'e'], 'and again')
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 2])
  subject.receive('e', { kind: 'voteReply', term: 2, granted: true })
  subject.sent()
  assert.deepEqual(ofKind(subject.wait(50).sent(), 'voteRequest'), [], 'a leader asks nobody')
})

test('§5.2 a leader of one is elected by its own flushed vote', () => {
  const subject = new Subject({ voters: 1 })
  subject.waitUntilDue()
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 1])
  subject.turn()
  assert.equal(subject.core.role, 'candidate', 'not before the flush')
  subject.flush()
  assert.equal(subject.core.role, 'leader')
})

test('§5.2 two leaders in one term are a broken invariant', () => {
  const subject = new Subject().becomeLeader()
  assert.throws(() => subject.receive('b', heartbeat(1)), { name: 'InvariantError' })
})

test('§5.4.1 a voter denies its vote to a candidate whose log is less up to date', () => {
  const cases = [
    [[1, 1], 2, 1, true],
    [[1, 1], 3, 1, true],
    [[1, 1], 1, 1, false],
    [[1, 1], 1, 2, true],
    [[1, 2], 9, 1, false],
    [[1, 2], 2, 2, true],
    [[], 0, 0, true],
  ] as const
  for (const [log, lastIndex, lastTerm, granted] of cases) {
    const subject = new Subject({ log, hardState: { term: 2, vote: '' } })
    assert.equal(
      answered(subject, 'b', voteRequest(3, lastIndex, lastTerm)),
      granted,
      `${log}: ${lastIndex}/${lastTerm}`,
    )
  }
})

test('a message for another node, or for another incarnation of this one, is ignored', () => {
  const subject = new Subject()
  subject.receive('b', { ...voteRequest(5), to: 'c' })
  subject.receive('b', { ...voteRequest(5), toIncarnation: incarnationOf('a') + 1 })
  assert.equal(subject.core.term, 0)
  assert.equal(subject.turn().persist, undefined)
})

test('thesis §4.1 requests of whoever is in no known configuration are answered like those of members', () => {
  const subject = new Subject({ voters: 3 })
  assert.equal(answered(subject, 'x', voteRequest(5)), true, 'this node may not know of x yet')
  subject.receive('y', { ...heartbeat(6) })
  assert.deepEqual([subject.core.term, subject.core.leader], [6, 'y'])
})

test('§5.2 a vote is for one incarnation: its namesake with an empty directory does not get it', () => {
  const subject = new Subject()
  assert.equal(answered(subject, 'b', voteRequest(1)), true)
  subject.receive('b', { ...voteRequest(1), fromIncarnation: incarnationOf('b') + 1 }).turn()
  assert.deepEqual(
    ofKind(subject.flush(), 'voteReply').map(({ granted, toIncarnation }) => [granted, toIncarnation]),
    [[false, incarnationOf('b') + 1]],
  )
  const again = subject.restart()
  again.receive('b', { ...voteRequest(1), fromIncarnation: incarnationOf('b') + 1 }).turn()
  assert.deepEqual(
    ofKind(again.flush(), 'voteReply').map(({ granted }) => granted),
    [false],
    'nor after a restart',
  )
})

test('§5.2 votes of another incarnation than the configuration names do not count', () => {
  const subject = new Subject().becomeCandidate()
  subject.turn()
  subject.flush()
  const fromIncarnation = incarnationOf('b') + 1
  subject.receive('b', { kind: 'voteReply', term: 1, granted: true, fromIncarnation })
  subject.receive('x', { kind: 'voteReply', term: 1, granted: true })
  assert.equal(subject.core.role, 'candidate')
  subject.receive('b', { kind: 'voteReply', term: 1, granted: true })
  assert.equal(subject.core.role, 'leader')
})

test('law 6: a reply to an earlier boot or incarnation of this node counts for nothing', () => {
  const subject = new Subject().becomeCandidate()
  subject.turn()
  subject.flush()
  const vote = { kind: 'voteReply', term: 1, granted: true } as const
  subject.receive('b', { ...vote, toBoot: subject.boot - 1 })
  subject.receive('b', { ...vote, toIncarnation: incarnationOf('a') + 1 })
  subject.receive('b', { kind: 'heartbeatReply', term: 7, round: 0, toBoot: subject.boot - 1 })
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 1])
  subject.receive('b', vote)
  assert.equal(subject.core.role, 'leader')
})

test('law 6: a reply echoes the incarnation and boot that asked', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } })
  subject.receive('b', { ...heartbeat(1), fromBoot: 33 })
  const [reply] = subject.sent()
  assert.deepEqual([reply?.toIncarnation, reply?.toBoot], [incarnationOf('b'), 33])
  assert.deepEqual([reply?.fromIncarnation, reply?.fromBoot], [incarnationOf('a'), subject.boot])
})

test('§5.2 a vote in a term that was known already is stored too', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } })
  subject.receive('b', voteRequest(1))
  assert.deepEqual(subject.turn().persist?.hardState, {
    term: 1,
    vote: 'b',
    voteIncarnation: incarnationOf('b'),
  })
})

test('§5.2 whoever knows the leader of a term votes for no one else in it', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } }).receive('b', heartbeat(1))
  assert.equal(answered(subject, 'c', voteRequest(1)), false)
})

test('terms raised, elections that came to nothing and messages of an earlier term are counted', () => {
  const subject = new Subject({ knobs: noPreVote }).becomeCandidate()
  const { metrics } = subject.core
  assert.deepEqual([metrics.elections, metrics.splitElections, metrics.termChanges], [1, 0, 1])
  // Nobody has a majority when the time is up.
  subject.core.campaign()
  assert.deepEqual([metrics.elections, metrics.splitElections, metrics.termChanges], [2, 1, 2])
  subject.receive('b', heartbeat(1))
  assert.equal(metrics.staleMessages, 1)
  // A later term, and a leader of it: that election has not come to nothing.
  subject.receive('b', heartbeat(7))
  assert.deepEqual([metrics.splitElections, metrics.termChanges], [1, 3])
})

test('the last term is the end: nobody campaigns out of it, and what is said of a later one is not heard', () => {
  const last = new Subject({ hardState: { term: MAX_TERM, vote: '' } })
  last.wait(1000)
  assert.deepEqual([last.core.role, last.core.term], ['follower', MAX_TERM])
  last.receive('b', heartbeat(MAX_TERM + 1)).receive('b', voteRequest(MAX_TERM + 1))
  assert.deepEqual([last.core.term, last.core.leader], [MAX_TERM, undefined])
  assert.deepEqual(last.sent(), [])
  last.receive('b', heartbeat(MAX_TERM))
  assert.equal(last.core.leader, 'b')

  const before = new Subject({ hardState: { term: MAX_TERM - 1, vote: '' }, knobs: noPreVote })
  before.wait(1000)
  assert.deepEqual([before.core.role, before.core.term], ['candidate', MAX_TERM])
})
