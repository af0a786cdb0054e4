/**
 * The sentences of the extended Raft paper, §5 to §8, that say what a server does: each with the test that holds the
 * core to it. Those without a better home are here. The last test checks that every one that is named exists.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { entriesOf, incarnationOf, ofKind, Subject } from '../test/subject.ts'
import type { Message } from './message.ts'

/** Section, gist of the sentence, file, test. */
const contents: readonly (readonly [section: string, gist: string, file: string, name: string])[] = [
  ['§5.1', 'a server is leader, follower or candidate', 'elections', '§5.2 servers begin as followers'],
  ['§5.1', 'followers are passive: they issue no requests', 'paper', '§5.1 followers issue no requests'],
  [
    '§5.1',
    'a client that asks a follower is sent to the leader',
    'controls',
    'whoever does not lead refuses',
  ],
  ['§5.1', 'terms are consecutive integers', 'paper', '§5.1 terms are numbered with consecutive'],
  ['§5.1', 'current terms are exchanged in every message', 'paper', '§5.1 every message bears the term'],
  ['§5.1', 'a smaller current term is updated to the larger', 'elections', '§5.1 a server that sees a later'],
  ['§5.1', 'a candidate or leader out of date reverts', 'elections', '§5.1 a leader or candidate that sees'],
  ['§5.1', 'a request with a stale term is rejected', 'elections', '§5.1 a request with an earlier term'],
  ['§5.1', 'servers retry what is not answered', 'leading', 'a lost append is found by the empty append'],
  ['§5.1', 'servers retry votes that are not answered', 'elections', '§5.1 a candidate asks those again'],
  ['§5.1', 'requests go out in parallel', 'paper', '§5.1 requests are issued in parallel'],

  ['§5.2', 'a server stays follower while it hears a leader', 'elections', '§5.2 a follower that hears from'],
  ['§5.2', 'leaders send periodic heartbeats to all', 'leading', 'thesis §6.2 a leader heartbeats all'],
  ['§5.2', 'no communication: an election begins', 'elections', '§5.2 without a leader for an election'],
  ['§5.2', 'it raises its term, votes for itself, asks all', 'elections', '§5.2 without a leader for an'],
  ['§5.2', 'a majority of the full cluster wins', 'elections', '§5.2 a candidate that a majority votes for'],
  ['§5.2', 'one vote a term, first come first served', 'elections', '§5.2 a server votes for at most one'],
  ['§5.2', 'at most one candidate wins a term', 'quorum', '§5.2 any two quorums of a configuration'],
  ['§5.2', 'the winner establishes its authority at once', 'elections', '§5.2 a candidate that a majority'],
  ['§5.2', 'a candidate recognizes a leader of its term', 'elections', '§5.2 a candidate that hears from'],
  ['§5.2', 'and rejects one of an earlier term', 'elections', '§5.2 a candidate refuses a leader of'],
  ['§5.2', 'a split vote times out into a new election', 'elections', '§5.2 a candidate without a majority'],
  ['§5.2', 'election timeouts are random', 'elections', '§5.2 election timeouts are random'],
  ['§5.2', 'each restarts its timeout at the start of an election', 'paper', '§5.2 a candidate restarts its'],

  [
    '§5.3',
    'the leader appends and replicates in parallel',
    'replication',
    '§5.3 the leader appends a command',
  ],
  [
    '§5.3',
    'it answers when the entry is safely replicated',
    'commitment',
    '§5.3 an entry is committed once a',
  ],
  ['§5.3', 'it retries until all followers store all', 'replication', '§5.3 followers that crash or lose'],
  ['§5.3', 'an entry has a term and an index', 'entry', 'the layout on the disk is the one'],
  ['§5.3', 'committing one commits all that precede', 'commitment', '§5.3 an entry is committed once a'],
  ['§5.3', 'appends tell the commit index', 'paper', '§5.3 appends and heartbeats tell the commit index'],
  ['§5.3', 'a follower applies what is committed, in order', 'durability', 'committed entries are handed'],
  [
    '§5.3',
    'an append bears what precedes its entries',
    'replication',
    '§5.3 the leader appends a command to',
  ],
  ['§5.3', 'a follower refuses what does not follow', 'replication', '§5.3 the follower refuses an append'],
  ['§5.3', 'an accepted append: the logs agree up to there', 'leading', 'appends are pipelined'],
  ['§5.3', 'conflicting entries are overwritten', 'replication', '§5.3 entries that conflict go'],
  ['§5.3', 'nextIndex begins behind the leader’s last entry', 'paper', '§5.3 a new leader begins behind'],
  [
    '§5.3',
    'a refusal moves it back, and it is tried again',
    'replication',
    '§5.3 after a refusal the leader',
  ],
  ['§5.3', 'one refusal a term, by the conflict hint', 'replication', '§5.3 a hint spares the leader all'],
  ['§5.3', 'a leader never overwrites its own log', 'replication', '§5.3 the leader never overwrites'],
  ['§5.3', 'one slow follower does not slow the others', 'leading', 'a slow peer does not hold up'],

  [
    '§5.4.1',
    'a vote request tells of the candidate’s log',
    'paper',
    '§5.4.1 vote and pre-vote requests tell',
  ],
  ['§5.4.1', 'a voter with a more up-to-date log denies', 'elections', '§5.4.1 a voter denies its vote'],
  ['§5.4.1', 'later last term, then the longer', 'log', '§5.4.1 the log with the later last term'],
  ['§5.4.2', 'no earlier term is committed by counting', 'commitment', '§5.4.2 an entry of an earlier term'],
  [
    '§5.4.2',
    'but with an entry of the current one',
    'commitment',
    '§5.4.2 an entry of an earlier term is not',
  ],
  ['§5.4.2', 'such an entry can be overwritten', 'commitment', '§5.4.2 Figure 8 (d)'],
  ['§5.4.3', 'Leader Completeness, State Machine Safety', 'randomized-safety', 'safe and live under faults'],

  ['§5.5', 'crashed followers: requests are retried', 'replication', '§5.3 followers that crash or lose'],
  ['§5.5', 'requests are idempotent', 'paper', '§5.5 a repeated request changes nothing'],
  ['§5.6', 'the election timeout is above the broadcast time', 'options', '§5.6 the heartbeat must come'],
  ['§5.6', 'term, vote and log are persistent', 'durability', '§5.6 after a restart: term, vote and log'],

  [
    '§6',
    'the latest configuration in the log is in effect',
    'membership',
    '§6 a configuration takes effect on',
  ],
  ['§6', 'entries go to the servers of both', 'membership', 'a voter that is being removed from a joint'],
  ['§6', 'any server of either may lead', 'membership', '§6 in a joint configuration a candidate needs'],
  ['§6', 'agreement needs both majorities', 'membership', '§6 in a joint configuration an entry needs'],
  ['§6', 'once joint is committed the new one follows', 'membership', '§6 the leader leaves a joint'],
  ['§6', 'new servers join without a vote', 'membership', 'thesis §4.2.1 a learner gets the log'],
  ['§6', 'a leader outside does not count itself', 'membership', 'thesis §4.2.2 a leader that removes'],
  ['§6', 'and steps down once the new one is committed', 'membership', 'thesis §4.2.2 a leader that removes'],
  ['§6', 'removed servers are disregarded', 'membership', 'thesis §4.2.3 a removed node cannot disrupt'],
  ['§6', 'while a leader is believed to exist', 'leases', 'thesis §4.2.3 a vote request is ignored while'],

  ['§7', 'each server takes snapshots by itself', 'driver', 'a snapshot is taken after what is applied'],
  [
    '§7',
    'of what is committed: index, term, configuration',
    'snapshotter',
    'after snapshotEntries entries a',
  ],
  ['§7', 'then the log up to there may go', 'snapshot-transfer', 'an own snapshot compacts the log'],
  [
    '§7',
    'a follower behind the log is sent the snapshot',
    'snapshot-transfer',
    '§7 a follower that needs what',
  ],
  [
    '§7',
    'one that contradicts the log supersedes it',
    'snapshot-transfer',
    '§7 a log that says something else',
  ],
  ['§7', 'a prefix keeps what follows', 'snapshot-transfer', '§7 what follows the snapshot in a log'],
  ['§7', 'chunks in order of offset', 'snapshot-transfer', '§7 the follower pulls chunk by chunk'],
  [
    '§7',
    'each chunk is a sign of life of the leader',
    'snapshot-transfer',
    '§7 the leader’s offer keeps its',
  ],

  ['§8', 'a leader commits a no-op first', 'commitment', '§8 a leader begins its term with an entry'],
  ['§8', 'reads: an entry of the term must be committed', 'leading', 'thesis §6.4 no read before an entry'],
  ['§8', 'reads: heartbeats with a majority first', 'leading', 'thesis §6.4 a read is granted at the'],
]

const kindsOf = (messages: readonly Message[]): string[] => messages.map(({ kind }) => kind)
const heartbeat = (term: number, commit = 0) => ({ kind: 'heartbeat', term, commit, round: 0 }) as const

test('§5.1 followers issue no requests, they only answer', () => {
  const subject = new Subject({ log: [1, 1] })
  for (let beat = 0; beat < 20; beat++) {
    subject.wait(50).receive('b', heartbeat(1, 2))
    assert.deepEqual(kindsOf(subject.sent()), ['heartbeatReply'])
  }
  subject.receive('b', { kind: 'appendRequest', term: 1, prevIndex: 2, prevTerm: 1, commit: 2, entries: [] })
  assert.deepEqual(kindsOf(subject.sent()), [])
  assert.deepEqual(kindsOf(subject.flush()), ['appendReply'])
})

test('§5.1 terms are numbered with consecutive integers', () => {
  const subject = new Subject({ knobs: { preVote: false } })
  const terms = [1, 2, 3, 4].map(() => {
    subject.waitForElection().turn()
    subject.flush()
    return subject.core.term
  })
  assert.deepEqual(terms, [1, 2, 3, 4])
})

test('§5.1 every message bears the term of its sender', () => {
  const subject = new Subject({ hardState: { term: 4, vote: '' } })
  const seen = new Map<string, number>()
  const note = (messages: readonly Message[]): void => {
    for (const { kind, term } of messages) {
      seen.set(kind, term)
      assert.equal(term, kind === 'preVoteRequest' ? subject.core.term + 1 : subject.core.term, kind)
    }
  }
  note(subject.receive('b', heartbeat(4)).sent())
  subject.becomeCandidate()
  note(subject.turn().messages.filter(({ kind }) => kind !== 'preVoteRequest'))
  note(subject.flush())
  subject.receive('b', { kind: 'voteReply', term: 5, granted: true })
  note(subject.sent())
  note(subject.waitUntilDue().sent())
  assert.deepEqual([...seen.keys()].sort(), ['appendRequest', 'heartbeat', 'heartbeatReply', 'voteRequest'])
})

test('§5.1 requests are issued in parallel: to all peers in one Ready', () => {
  const subject = new Subject({ voters: 5 }).waitUntilDue()
  const receivers = (messages: readonly Message[]): string => messages.map(({ to }) => to).join('')
  assert.equal(receivers(subject.sent()), 'bcde')
  subject.receive('b', { kind: 'preVoteReply', term: 1, granted: true })
  subject.receive('c', { kind: 'preVoteReply', term: 1, granted: true }).turn()
  assert.equal(receivers(subject.flush()), 'bcde')
})

test('§5.2 a candidate restarts its randomized timeout at the start of an election', () => {
  const subject = new Subject({ knobs: { preVote: false } })
  const waits = Array.from({ length: 30 }, () => {
    subject.waitForElection().turn()
    subject.flush()
    return subject.core.electionDueMs - subject.nowMs
  })
  assert.ok(waits.every((wait) => wait >= 300 && wait <= 600))
  assert.ok(new Set(waits).size > 25)
})

test('§5.3 appends and heartbeats tell the commit index, and the follower applies up to it', () => {
  const leader = new Subject().becomeLeader().commitAll()
  leader.propose()
  const append = ofKind(leader.sent(), 'appendRequest').find(({ to }) => to === 'b')
  assert.equal(append?.commit, 1)
  leader.flush()
  leader.accept('b', 2).turn()
  const beat = ofKind(leader.waitUntilDue().sent(), 'heartbeat').find(({ to }) => to === 'b')
  assert.equal(beat?.commit, 2)
  const follower = new Subject({ id: 'b', log: [1] })
  for (const message of [append, beat]) if (message !== undefined) follower.core.step(message)
  const indexes = [follower.turn(), follower.turn()].flatMap(({ committed }) => committed)
  assert.deepEqual(
    indexes.map(({ index }) => index),
    [1, 2],
  )
})

test('§5.3 a new leader begins behind its last entry, for every follower', () => {
  const subject = new Subject({ log: [1, 1, 2] }).becomeCandidate()
  subject.turn()
  subject.flush()
  subject.receive('b', { kind: 'voteReply', term: 3, granted: true })
  const appends = ofKind(subject.sent(), 'appendRequest')
  assert.deepEqual(
    appends.map(({ to, prevIndex, prevTerm }) => [to, prevIndex, prevTerm]),
    [
      ['b', 3, 2],
      ['c', 3, 2],
    ],
  )
})

test('§5.4.1 vote and pre-vote requests tell of the candidate’s log', () => {
  const subject = new Subject({ log: [1, 1, 2] }).waitUntilDue()
  const [asked] = ofKind(subject.sent(), 'preVoteRequest')
  subject.receive('b', { kind: 'preVoteReply', term: 3, granted: true }).turn()
  const [request] = ofKind(subject.flush(), 'voteRequest')
  for (const message of [asked, request]) assert.deepEqual([message?.lastIndex, message?.lastTerm], [3, 2])
})

test('§5.5 a repeated request changes nothing and is answered again', () => {
  const subject = new Subject()
  const append = { kind: 'appendRequest', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 } as const
  const answers = [1, 2].map(() => {
    subject.receive('b', { ...append, entries: entriesOf([1, 1]) }).turn()
    return ofKind(subject.flush(), 'appendReply').map(({ matchIndex, toBoot, toIncarnation }) => [
      matchIndex,
      toBoot,
      toIncarnation,
    ])
  })
  assert.deepEqual(answers, [[[2, 1, incarnationOf('b')]], [[2, 1, incarnationOf('b')]]])
  assert.deepEqual(subject.log, [1, 1])
})

test('§5–§8 every sentence of the table has its test', () => {
  const tests = new Map<string, string>()
  for (const [section, gist, file, name] of contents) {
    if (!tests.has(file)) tests.set(file, readFileSync(new URL(`${file}.test.ts`, import.meta.url), 'utf8'))
    const found = ["test('", 'test(`', 'test("'].some((call) => tests.get(file)?.includes(`${call}${name}`))
    assert.ok(found, `${section} ${gist}: no test "${name} ..." in ${file}.test.ts`)
  }
})
