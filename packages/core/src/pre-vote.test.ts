/** Pre-vote (thesis §9.6), stickiness (§4.2.3) and the hint that a peer is gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestCluster } from '../test/cluster.ts'
import { ofKind, Subject } from '../test/subject.ts'

const preVote = (term: number, lastIndex = 0, lastTerm = 0) =>
  ({ kind: 'preVoteRequest', term, lastIndex, lastTerm }) as const
const heartbeat = (term: number) => ({ kind: 'heartbeat', term, commit: 0, round: 0 }) as const

function preVoteGranted(subject: Subject, from: string, request: ReturnType<typeof preVote>): boolean {
  const [reply] = ofKind(subject.receive(from, request).sent(), 'preVoteReply')
  assert.ok(reply !== undefined)
  return reply.granted
}

test('thesis §9.6 a pre-candidate asks for the term to come and keeps its own, on the disk too', () => {
  const subject = new Subject({ log: [1, 2] }).waitUntilDue()
  const ready = subject.turn()
  assert.deepEqual([subject.core.role, subject.core.term, subject.core.vote], ['preCandidate', 2, ''])
  assert.equal(ready.persist, undefined)
  assert.deepEqual(
    ofKind(ready.messages, 'preVoteRequest').map(({ to, term, lastIndex, lastTerm }) => [
      to,
      term,
      lastIndex,
      lastTerm,
    ]),
    [
      ['b', 3, 2, 2],
      ['c', 3, 2, 2],
    ],
  )
})

test('§5.1 a pre-candidate asks those again that have not answered in time', () => {
  const subject = new Subject({ voters: 5 }).waitUntilDue()
  const requests = ofKind(subject.sent(), 'preVoteRequest')
  subject.receive('c', { kind: 'preVoteReply', term: 1, granted: true })
  subject.receive('d', { kind: 'preVoteReply', term: 0, granted: false })
  assert.deepEqual(ofKind(subject.wait(49).sent(), 'preVoteRequest'), [])
  const again = ofKind(subject.wait(1).sent(), 'preVoteRequest')
  assert.deepEqual(
    again,
    requests.filter(({ to }) => to === 'b' || to === 'e'),
  )
  assert.deepEqual([subject.core.role, subject.core.term], ['preCandidate', 0])
})

test('a pre-candidate whose disk is full meanwhile asks nobody again, until there is space', () => {
  const subject = new Subject().waitUntilDue()
  assert.equal(ofKind(subject.sent(), 'preVoteRequest').length, 2)
  subject.core.diskSpace(true)
  assert.deepEqual(ofKind(subject.wait(50).sent(), 'preVoteRequest'), [])
  assert.ok(subject.core.deadlineMs > subject.nowMs, 'it does not turn and turn until then')
  subject.core.diskSpace(false)
  assert.equal(ofKind(subject.wait(50).sent(), 'preVoteRequest').length, 2)
})

test('thesis §9.6 a majority of grants begins the election', () => {
  const subject = new Subject({ voters: 5 }).waitUntilDue()
  subject.receive('b', { kind: 'preVoteReply', term: 1, granted: true })
  subject.receive('b', { kind: 'preVoteReply', term: 1, granted: true })
  assert.equal(subject.core.role, 'preCandidate')
  subject.receive('d', { kind: 'preVoteReply', term: 1, granted: true })
  assert.deepEqual([subject.core.role, subject.core.term], ['candidate', 1])
})

test('thesis §9.6 a grant changes nothing in the voter: no term, no vote, nothing on the disk', () => {
  const subject = new Subject()
  assert.equal(preVoteGranted(subject, 'b', preVote(1)), true)
  assert.equal(preVoteGranted(subject, 'c', preVote(1)), true, 'and binds it to nobody')
  assert.deepEqual([subject.core.term, subject.core.vote, subject.disk.waiting.length], [0, '', 0])
})

test('thesis §9.6 a grant bears the term that was asked for, a refusal the own', () => {
  const subject = new Subject({ log: [4] })
  const replies = ['b', 'c'].flatMap((from, i) =>
    ofKind(subject.receive(from, preVote(9, i, 4)).sent(), 'preVoteReply'),
  )
  assert.deepEqual(
    replies.map(({ granted, term }) => [granted, term]),
    [
      [false, 4],
      [true, 9],
    ],
  )
})

test('thesis §9.6 a pre-vote is refused to a log that is behind, and to a term that is over', () => {
  const subject = new Subject({ log: [1, 4] })
  assert.equal(preVoteGranted(subject, 'b', preVote(5, 9, 3)), false)
  assert.equal(preVoteGranted(subject, 'b', preVote(5, 1, 4)), false)
  assert.equal(preVoteGranted(subject, 'b', preVote(4, 2, 4)), false)
  assert.equal(preVoteGranted(subject, 'b', preVote(3, 2, 4)), false)
  assert.equal(preVoteGranted(subject, 'b', preVote(5, 2, 4)), true)
})

test('thesis §9.6 grants for another term than the one asked for count for nothing', () => {
  const subject = new Subject({ hardState: { term: 4, vote: '' } }).waitUntilDue()
  subject.receive('b', { kind: 'preVoteReply', term: 9, granted: true })
  assert.deepEqual([subject.core.role, subject.core.term], ['preCandidate', 4])
})

test('thesis §9.6 a refusal with a later term brings the pre-candidate up to it', () => {
  const subject = new Subject().waitUntilDue()
  subject.receive('b', { kind: 'preVoteReply', term: 9, granted: false })
  assert.deepEqual([subject.core.role, subject.core.term], ['follower', 9])
})

test('thesis §9.6 a node that comes back from a partition disturbs nobody', () => {
  const cluster = new TestCluster(3)
  assert.ok(cluster.runUntil(() => cluster.leaders.length === 1, 5000))
  const [leader] = cluster.leaders
  const loner = cluster.nodes.find((node) => node !== leader)
  assert.ok(leader?.life && loner?.life)
  const { term } = leader.life.core
  for (let timeout = 0; timeout < 20; timeout++) {
    cluster.nowMs += 50
    for (const node of cluster.alive) cluster.turn(node)
    // Nothing from or to the loner arrives.
    for (let at = cluster.network.length - 1; at >= 0; at--) {
      const { from, to } = cluster.network[at] as { from: string; to: string }
      if (from === loner.id || to === loner.id) cluster.network.splice(at, 1)
    }
    cluster.settle()
  }
  assert.equal(loner.life.core.role, 'preCandidate')
  cluster.runUntil(() => false, 2000)
  assert.deepEqual(
    cluster.nodes.map(({ life }) => life?.core.term),
    [term, term, term],
  )
  assert.deepEqual(cluster.leaders, [leader])
})

test('thesis §4.2.3 whoever hears from a leader helps nobody to depose it', () => {
  const follower = new Subject({ hardState: { term: 1, vote: '' } }).receive('b', heartbeat(1))
  follower.sent()
  assert.equal(preVoteGranted(follower.wait(299), 'c', preVote(2)), false)
  assert.equal(preVoteGranted(follower.wait(1), 'c', preVote(2)), true, 'silent for an election timeout')
  const leader = new Subject().becomeLeader()
  assert.equal(preVoteGranted(leader, 'c', preVote(9, 9, 9)), false)
})

test('peer gone: a follower of it asks for pre-votes after a short stagger', () => {
  const subject = new Subject().receive('b', heartbeat(1))
  subject.core.peerGone('b')
  assert.equal(subject.core.leader, undefined)
  assert.ok(subject.core.deadlineMs - subject.nowMs <= 4)
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'preCandidate')
})

test('peer gone: it also releases the voter', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } }).receive('b', heartbeat(1))
  subject.core.peerGone('b')
  subject.turn()
  assert.equal(preVoteGranted(subject, 'c', preVote(2)), true)
})

test('peer gone: the end of another follower means nothing', () => {
  const subject = new Subject().receive('b', heartbeat(1))
  const { deadlineMs } = subject.core
  subject.core.peerGone('c')
  assert.deepEqual([subject.core.leader, subject.core.deadlineMs], ['b', deadlineMs])
})

test('peer gone: whoever is no member means nothing, to the next election neither', () => {
  const waitAfter = (gone: string): number => {
    const subject = new Subject()
    subject.core.peerGone(gone)
    subject.waitForElection()
    assert.equal(subject.core.role, 'preCandidate')
    return subject.core.electionDueMs - subject.nowMs
  }
  assert.ok(waitAfter('c') < 40)
  assert.ok(waitAfter('a stranger') >= 300)
})

test('peer gone: refused pre-votes are tried again soon, then later and later', () => {
  const subject = new Subject().receive('b', heartbeat(1))
  subject.core.peerGone('b')
  const waits: number[] = []
  for (let attempt = 0; attempt < 8; attempt++) {
    subject.waitForElection()
    assert.equal(subject.core.role, 'preCandidate')
    subject.receive('c', { kind: 'preVoteReply', term: 1, granted: false })
    assert.equal(subject.core.role, 'preCandidate', 'the voter may yet notice that b is gone')
    waits.push(subject.core.electionDueMs - subject.nowMs)
  }
  assert.ok((waits[0] as number) < 40, `first retry after ${waits[0]} ms`)
  assert.ok((waits.at(-1) as number) >= 300, 'in the end an election timeout')
})

test('peer gone: a voter that refused because it still saw the leader grants when it sees it go', () => {
  const subject = new Subject({ hardState: { term: 1, vote: '' } }).receive('b', heartbeat(1))
  subject.turn()
  assert.equal(preVoteGranted(subject, 'c', preVote(2)), false)
  subject.core.peerGone('b')
  const granted = subject
    .turn()
    .messages.filter((message) => message.kind === 'preVoteReply' && message.granted)
  assert.deepEqual(
    granted.map((message) => message.to),
    ['c'],
  )
})

test('peer gone: of two that ask at the same time the one with the smaller name goes first', () => {
  const first = new Subject({ hardState: { term: 1, vote: '' } }).receive('b', heartbeat(1))
  first.core.peerGone('b')
  first.waitUntilDue()
  assert.equal(first.core.role, 'preCandidate')
  assert.equal(preVoteGranted(first, 'c', preVote(2)), false, 'a goes before c')
  assert.equal(first.core.role, 'preCandidate')
})

test('peer gone: a lost election (a split vote) is tried again soon', () => {
  const subject = new Subject().receive('b', heartbeat(1))
  subject.core.peerGone('b')
  subject.waitUntilDue().receive('c', { kind: 'preVoteReply', term: 2, granted: true }).turn()
  assert.equal(subject.core.role, 'candidate')
  subject.flush()
  subject.receive('c', { kind: 'voteReply', term: 2, granted: false })
  assert.equal(subject.core.role, 'follower')
  assert.ok(subject.core.deadlineMs - subject.nowMs < 40)
})

test('peer gone: the leader dies, and the others elect one without waiting for a timeout', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const cluster = new TestCluster(3, {}, seed)
    assert.ok(
      cluster.runUntil(() => cluster.alive.every(({ life }) => life?.core.leader !== undefined), 5000),
    )
    const [leader] = cluster.leaders
    assert.ok(leader !== undefined)
    cluster.crash(leader)
    for (const node of cluster.alive) node.inbox.push({ kind: 'peerGone', id: leader.id })
    const startMs = cluster.nowMs
    assert.ok(
      cluster.runUntil(() => cluster.leaders.length === 1, 250),
      `seed ${seed}`,
    )
    assert.ok(cluster.nowMs - startMs < 150, `seed ${seed}: ${cluster.nowMs - startMs} ms`)
  }
})

test('peer gone: a wrong hint disrupts nothing', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const cluster = new TestCluster(3, {}, seed)
    assert.ok(
      cluster.runUntil(() => cluster.alive.every(({ life }) => life?.core.leader !== undefined), 5000),
    )
    const [leader] = cluster.leaders
    const follower = cluster.nodes.find((node) => node !== leader)
    assert.ok(leader?.life && follower?.life)
    const { term } = leader.life.core
    for (let time = 0; time < 10; time++) {
      follower.inbox.push({ kind: 'peerGone', id: leader.id })
      cluster.turn(follower)
      cluster.runUntil(() => false, 137)
    }
    assert.deepEqual(
      cluster.nodes.map(({ life }) => life?.core.term),
      [term, term, term],
    )
    assert.equal(follower.life.core.leader, leader.id, 'and the next heartbeat puts it right')
  }
})

test('a node outside of the configuration never campaigns, and is not due over and over', () => {
  const subject = new Subject({ id: 'z' })
  subject.waitUntilDue()
  assert.equal(subject.core.role, 'follower')
  assert.ok(subject.core.deadlineMs > subject.nowMs, 'a host that waits until the deadline would spin')
})
