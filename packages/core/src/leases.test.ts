/** Leases (thesis §6.4.1) and the stickiness of voters that they rest on (thesis §4.2.3). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TestCluster, type TestNode } from '../test/cluster.ts'
import { ofKind, Subject, type SubjectOptions } from '../test/subject.ts'
import { Lease } from './lease.ts'
import type { RaftKnobs } from './options.ts'
import { defaultRaftKnobs } from './options.ts'

const leases = { leaseReads: true, maxClockDrift: 0 }
const heartbeat = (term: number) => ({ kind: 'heartbeat', term, commit: 0, round: 0 }) as const
const voteRequest = (term: number, isTransfer = false) =>
  ({ kind: 'voteRequest', term, lastIndex: 9, lastTerm: 9, isTransfer }) as const
const preVote = (term: number) => ({ kind: 'preVoteRequest', term, lastIndex: 9, lastTerm: 9 }) as const

/** A leader that has committed its no-op; the lease is 300 ms from the sending of a heartbeat. */
const leading = (knobs: Partial<RaftKnobs> = {}): Subject =>
  new Subject({ knobs: { ...leases, ...knobs } }).becomeLeader().commitAll()

/** A follower of `b` in term 1 whose first election timeout is over. */
function following(given: SubjectOptions = {}): Subject {
  const subject = new Subject({ hardState: { term: 1, vote: '' }, knobs: leases, ...given })
  subject.nowMs += 1000
  subject.core.advance(subject.nowMs)
  subject.receive('b', heartbeat(1)).turn()
  return subject
}

function preVoteGranted(subject: Subject, from = 'c'): boolean {
  const [reply] = ofKind(subject.receive(from, preVote(2)).sent(), 'preVoteReply')
  assert.ok(reply !== undefined)
  return reply.granted
}

test('thesis §6.4.1 a lease runs from the sending of a heartbeat that a majority has answered', () => {
  const subject = leading()
  assert.equal(subject.core.holdsLease(subject.nowMs), false, 'no heartbeat was answered yet')
  const round = ofKind(subject.waitUntilDue().sent(), 'heartbeat')[0]?.round as number
  const sentMs = subject.nowMs
  subject.nowMs += 40
  subject.core.advance(subject.nowMs)
  subject.receive('b', { kind: 'heartbeatReply', term: 1, round })
  assert.equal(subject.core.leaseIndex(sentMs + 299), 1)
  assert.equal(subject.core.leaseIndex(sentMs + 300), undefined, 'not from the answer')
})

test('thesis §6.4.1 the lease is shorter by the drift of clocks', () => {
  const subject = leading({ maxClockDrift: 0.5 }).beat()
  assert.equal(subject.core.holdsLease(subject.nowMs + 199), true)
  assert.equal(
    subject.core.holdsLease(subject.nowMs + 200),
    false,
    '300 ms of a clock that is faster by half',
  )
})

test('thesis §6.4.1 one answer of five is no lease', () => {
  const subject = new Subject({ voters: 5, knobs: leases }).becomeLeader().commitAll().beat(['b'])
  assert.equal(subject.core.holdsLease(subject.nowMs), false)
  subject.beat(['b', 'c'])
  assert.equal(subject.core.holdsLease(subject.nowMs), true)
})

test('thesis §6.4.1 the answer to an old heartbeat extends the lease only from that one', () => {
  const subject = leading()
  const round = ofKind(subject.waitUntilDue().sent(), 'heartbeat')[0]?.round as number
  const sentMs = subject.nowMs
  for (let beats = 0; beats < 3; beats++) subject.waitUntilDue().turn()
  subject.receive('b', { kind: 'heartbeatReply', term: 1, round })
  assert.equal(subject.core.holdsLease(sentMs + 299), true)
  assert.equal(subject.core.holdsLease(sentMs + 300), false)
})

test('thesis §6.4 no lease read before an entry of the own term is committed', () => {
  const subject = new Subject({ log: [1], knobs: leases }).becomeLeader().beat()
  assert.equal(subject.core.holdsLease(subject.nowMs), true)
  assert.equal(subject.core.leaseIndex(subject.nowMs), undefined)
  subject.flush()
  subject.accept('b', 2)
  assert.equal(subject.core.leaseIndex(subject.nowMs), 2)
})

test('without leaseReads there is no lease', () => {
  const subject = leading({ leaseReads: false }).beat()
  assert.deepEqual(
    [subject.core.holdsLease(subject.nowMs), subject.core.leaseIndex(subject.nowMs)],
    [false, undefined],
  )
})

test('whoever steps down holds no lease, and the next leadership begins without', () => {
  const subject = leading().beat()
  subject.receive('b', { kind: 'heartbeatReply', term: 5, round: 0 }).turn()
  assert.equal(subject.core.holdsLease(subject.nowMs), false)
  subject.flush()
  subject.becomeLeader().commitAll()
  assert.equal(subject.core.holdsLease(subject.nowMs), false)
})

test('thesis §3.10, §6.4.1 a transfer revokes the lease at its beginning', () => {
  const subject = leading().beat()
  subject.propose()
  subject.turn()
  assert.equal(subject.core.transferLeadership('c'), undefined, 'it lags by one: not asked yet')
  assert.equal(subject.core.holdsLease(subject.nowMs), false)
  for (let beats = 0; beats < 25; beats++) subject.beat()
  assert.equal(subject.core.transferTarget, undefined, 'given up')
  assert.equal(subject.core.holdsLease(subject.nowMs), true, 'and nobody was asked')
})

test('thesis §3.10, §6.4.1 once somebody was asked to campaign, no lease holds for the rest of the term', () => {
  const subject = leading().beat()
  assert.equal(subject.core.transferLeadership('c'), undefined)
  assert.equal(ofKind(subject.sent(), 'timeoutNow').length, 1)
  for (let beats = 0; beats < 50; beats++) subject.beat()
  assert.equal(subject.core.transferTarget, undefined)
  assert.equal(subject.core.holdsLease(subject.nowMs), false, 'the order may arrive late')
})

test('the lease of a leader of one follows its own heartbeats', () => {
  const subject = new Subject({ voters: 1, knobs: leases }).waitUntilDue()
  subject.turn()
  subject.flush()
  subject.turn()
  subject.flush()
  subject.beat([])
  assert.equal(subject.core.leaseIndex(subject.nowMs + 299), 1)
})

test('thesis §4.2.3 a vote request is ignored while a leader is heard, and the term is not raised', () => {
  for (const leaseReads of [true, false]) {
    const subject = following({ knobs: { leaseReads } })
    subject.wait(299).receive('c', voteRequest(7))
    assert.deepEqual([subject.core.term, subject.turn().messages], [1, []])
    subject.nowMs += 1
    subject.core.advance(subject.nowMs)
    subject.receive('c', voteRequest(7)).turn()
    assert.deepEqual([subject.core.term, ofKind(subject.flush(), 'voteReply')[0]?.granted], [7, true])
  }
})

test('thesis §4.2.3 a leader that hears its quorum ignores vote requests, one that does not gives way', () => {
  const subject = leading().beat()
  subject.receive('c', voteRequest(7))
  assert.deepEqual([subject.core.role, subject.core.term], ['leader', 1])
  for (let beats = 0; beats < 7; beats++) subject.beat([])
  subject.receive('c', voteRequest(7))
  assert.deepEqual([subject.core.role, subject.core.term], ['follower', 7])
})

test('thesis §3.10 an election that the leader has asked for passes by stickiness', () => {
  const subject = following().receive('c', voteRequest(2, true))
  subject.turn()
  assert.equal(ofKind(subject.flush(), 'voteReply')[0]?.granted, true)
})

test('with leases a restarted voter grants nothing for one election timeout: it may have answered a heartbeat', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' }, knobs: leases })
  assert.equal(preVoteGranted(subject.wait(299)), false)
  subject.receive('c', voteRequest(7))
  assert.equal(subject.core.term, 1)
  subject.receive('c', voteRequest(1)).turn()
  assert.equal(ofKind(subject.flush(), 'voteReply')[0]?.granted, false, 'nor in its own term')
  subject.nowMs += 1
  subject.core.advance(subject.nowMs)
  assert.equal(preVoteGranted(subject), true)
})

test('with leases a new node, which was in no term, need not wait', () => {
  assert.equal(preVoteGranted(new Subject({ knobs: leases })), true)
})

test('without leases a restarted voter need not wait', () => {
  assert.equal(preVoteGranted(new Subject({ hardState: { term: 1, vote: '' } })), true)
})

test('with leases a closed connection releases nobody, the proven end of that very start does', () => {
  const subject = following()
  subject.core.peerGone('b')
  assert.equal(subject.core.leader, 'b')
  assert.equal(preVoteGranted(subject), false)
  subject.core.peerExited('b', 99)
  assert.equal(preVoteGranted(subject), false, 'the end of another start of it')
  subject.core.peerExited('c', 1)
  assert.equal(preVoteGranted(subject), false, 'the end of somebody else')
  subject.core.peerExited('b', 1)
  assert.equal(subject.core.leader, undefined)
  assert.equal(preVoteGranted(subject), true)
})

test('with leases the proof also makes the own election due soon', () => {
  const subject = following()
  subject.core.peerExited('b', 1)
  assert.ok(subject.core.deadlineMs - subject.nowMs <= 4)
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})

test('with leases a pre-vote that was refused is granted when the proof comes', () => {
  const subject = following()
  assert.equal(preVoteGranted(subject), false)
  subject.core.peerExited('b', 1)
  assert.deepEqual(
    ofKind(subject.sent(), 'preVoteReply').map(({ to, granted }) => [to, granted]),
    [['c', true]],
  )
})

test('with leases stickiness outlives a later term that was heard meanwhile', () => {
  const subject = following().receive('c', { kind: 'heartbeatReply', term: 4, round: 0 })
  assert.deepEqual([subject.core.term, subject.core.leader], [4, undefined])
  subject.receive('c', voteRequest(6))
  assert.equal(subject.core.term, 4, 'the leader of term 1 may still answer reads')
})

test('with leases a voter that protects a leader does not campaign itself', () => {
  const subject = following()
  subject.core.campaign()
  assert.equal(subject.core.role, 'follower')
  subject.nowMs += 300
  subject.core.advance(subject.nowMs)
  subject.core.campaign()
  assert.equal(subject.core.role, 'preCandidate')
})

test('without leases a closed connection releases the voter', () => {
  const subject = following({ knobs: {} })
  subject.core.peerGone('b')
  assert.equal(preVoteGranted(subject), true)
})

test('the lease is as long as the latest confirmed round says, whatever the order of answers', () => {
  const round = fc.record({ waitMs: fc.nat(100), confirmed: fc.option(fc.nat(30)) })
  fc.assert(
    fc.property(fc.array(round, { maxLength: 30 }), (rounds) => {
      const lease = new Lease({ ...defaultRaftKnobs, electionTimeoutMinMs: 110, maxClockDrift: 0.1 })
      const sent: number[] = []
      let nowMs = 0
      let untilMs = 0
      for (const { waitMs, confirmed } of rounds) {
        nowMs += waitMs
        sent.push(nowMs)
        lease.sent(sent.length, nowMs)
        if (confirmed === null) continue
        const number = Math.min(confirmed, sent.length)
        lease.confirmed(number)
        if (number > 0) untilMs = Math.max(untilMs, (sent[number - 1] as number) + 100)
        assert.equal(lease.holdsAt(untilMs - 0.001), number > 0 || untilMs > 0)
        assert.equal(lease.holdsAt(untilMs + 0.001), false)
      }
    }),
  )
})

/** Turns, flushes and deliveries until nothing moves; no message from or to `off` arrives. */
function settleWithout(cluster: TestCluster, off: TestNode): void {
  for (const node of cluster.alive) cluster.turn(node)
  for (let round = 0; round < 100; round++) {
    const arriving = cluster.network.filter(({ from, to }) => from !== off.id && to !== off.id)
    cluster.network.splice(0, cluster.network.length, ...arriving)
    while (cluster.network.length > 0) cluster.deliver()
    for (const node of cluster.alive) cluster.flush(node)
    const busy = cluster.alive.filter(({ inbox, life }) => inbox.length > 0 || life?.driver.hasMore)
    if (busy.length === 0) return
    for (const node of busy) cluster.turn(node)
  }
}

test('thesis §6.4.1 while a lease holds by the clock of its leader, no other node leads', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const cluster = new TestCluster(3, { leaseReads: true, maxClockDrift: 0.25 }, seed)
    for (const [at, node] of cluster.nodes.entries()) node.clockRate = (seed >> at) & 1 ? 1.25 : 1
    assert.ok(cluster.runUntil(() => cluster.leaders.length === 1, 10_000))
    cluster.runUntil(() => false, 400)
    const [old] = cluster.leaders
    assert.ok(old?.life)
    assert.equal(old.life.core.holdsLease(cluster.nowMs * old.clockRate), true)
    const isTakenOver = (): boolean => cluster.leaders.some((node) => node !== old)
    for (let waitedMs = 0; waitedMs < 5000 && !isTakenOver(); waitedMs += 5) {
      cluster.nowMs += 5
      settleWithout(cluster, old)
    }
    assert.ok(isTakenOver(), `seed ${seed}: nobody took over`)
    assert.equal(old.life.core.holdsLease(cluster.nowMs * old.clockRate), false, `seed ${seed}`)
  }
})
