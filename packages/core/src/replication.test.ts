/** Raft §5.3: log replication, Figure 7, conflict hints. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestCluster } from '../test/cluster.ts'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { entriesOf, ofKind, Subject } from '../test/subject.ts'
import type { AppendReply, AppendRequest } from './message.ts'

/** An append of `terms` behind `prevIndex`. */
function append(
  term: number,
  prevIndex: number,
  prevTerm: number,
  terms: readonly number[] = [],
  commit = 0,
) {
  return {
    kind: 'appendRequest',
    term,
    prevIndex,
    prevTerm,
    commit,
    entries: entriesOf(terms, prevIndex + 1),
  } as const
}

/** All answers to appends of one drain: those that leave at once and those that wait for the flush. */
function answers(subject: Subject): AppendReply[] {
  const { messages } = subject.turn()
  return ofKind([...messages, ...subject.flush()], 'appendReply')
}

test('§5.3 the leader appends a command to its log and sends it to all, before its own flush', () => {
  const subject = new Subject().becomeLeader().commitAll()
  subject.propose()
  const ready = subject.turn()
  assert.deepEqual(
    ready.persist?.entries.map(({ index }) => index),
    [2],
  )
  const appends = ofKind(ready.messages, 'appendRequest')
  assert.deepEqual(
    appends.map(({ to, prevIndex, prevTerm, commit, entries }) => [
      to,
      prevIndex,
      prevTerm,
      commit,
      entries[0]?.index,
    ]),
    [
      ['b', 1, 1, 1, 2],
      ['c', 1, 1, 1, 2],
    ],
  )
})

test('§5.3 a follower appends what fits to its log, and commits what the leader has committed', () => {
  const subject = new Subject({ log: [1] })
  subject.receive('b', append(1, 1, 1, [1, 1], 2))
  const { committed, persist } = subject.turn()
  assert.deepEqual(
    persist?.entries.map(({ index }) => index),
    [2, 3],
  )
  // What is on the disk and what is in memory are handed out apart.
  assert.deepEqual(
    [...committed, ...subject.turn().committed].map(({ index }) => index),
    [1, 2],
  )
  const [reply] = ofKind(subject.flush(), 'appendReply')
  assert.deepEqual([reply?.accepted, reply?.matchIndex], [true, 3])
})

test('§5.3 the follower refuses an append where it has no entry at prevIndex with prevTerm', () => {
  const cases = [
    [append(3, 5, 1), [1, 1]],
    [append(3, 2, 2), [1, 1]],
  ] as const
  for (const [request, log] of cases) {
    const subject = new Subject({ log, hardState: { term: 3, vote: '' } }).receive('b', request)
    const [reply] = answers(subject)
    assert.deepEqual([reply?.accepted, reply?.rejected], [false, request.prevIndex])
    assert.deepEqual(subject.log, log)
  }
})

test('§5.3 commit follows the leader only up to the last entry that was checked', () => {
  const subject = new Subject({ log: [1, 1, 1, 1] }).receive('b', append(2, 2, 1, [], 4))
  subject.turn()
  assert.equal(subject.core.commitIndex, 2, '3 and 4 may conflict')
})

test('§5.3 entries that conflict go, with all that follow them', () => {
  const subject = new Subject({ log: [1, 1, 2, 2, 2] }).receive('b', append(3, 2, 1, [1, 3]))
  const { persist } = subject.turn()
  assert.deepEqual(subject.log, [1, 1, 1, 3])
  assert.deepEqual([persist?.truncateFrom, persist?.entries.length], [3, 2])
  const { logConflicts, entriesOverwritten, lastConflictIndex } = subject.core.metrics
  assert.deepEqual([logConflicts, entriesOverwritten, lastConflictIndex], [1, 3, 3])
})

test('§5.3 entries that are there already stay, and what follows them too', () => {
  const subject = new Subject({ log: [1, 1, 2, 2] }).receive('b', append(2, 1, 1, [1]))
  const { persist } = subject.turn()
  assert.deepEqual(subject.log, [1, 1, 2, 2], 'a delayed append takes nothing back')
  assert.deepEqual([persist?.truncateFrom, persist?.entries.length], [undefined, 0])
  assert.equal(
    ofKind(subject.flush(), 'appendReply')[0]?.matchIndex,
    2,
    'and only what was checked is acknowledged',
  )
})

test('§5.3 an append below the commit index acknowledges what is committed', () => {
  const subject = new Subject({ log: [1, 1, 1] }).receive('b', append(1, 3, 1, [], 3))
  answers(subject)
  subject.receive('b', append(1, 0, 0, [1]))
  assert.equal(answers(subject)[0]?.matchIndex, 3)
})

test('§5.3 appends of a drain are acknowledged once, by the highest', () => {
  const subject = new Subject()
  subject.receive('b', append(1, 0, 0, [1]))
  subject.receive('b', append(1, 1, 1, [1, 1]))
  subject.receive('b', append(1, 0, 0, [1]))
  assert.deepEqual(
    answers(subject).map(({ matchIndex }) => matchIndex),
    [3],
  )
})

test('§5.3 conflicts within one drain: the store sees only the outcome', () => {
  const subject = new Subject({ log: [1, 1] })
  subject.receive('b', append(2, 2, 1, [2, 2, 2]))
  subject.receive('c', append(3, 3, 2, [3]))
  subject.receive('b', append(4, 1, 1, [4, 4]))
  const { persist } = subject.turn()
  assert.deepEqual(subject.log, [1, 4, 4])
  assert.deepEqual([persist?.truncateFrom, persist?.entries.map(({ index }) => index)], [2, [2, 3]])
  const replies = ofKind(subject.flush(), 'appendReply')
  assert.deepEqual(
    replies.map(({ to, term, matchIndex }) => [to, term, matchIndex]),
    [['b', 4, 3]],
  )
})

test('§5.3 after a refusal the leader goes back and tries again, until the logs match', () => {
  const subject = new Subject({ log: [1, 1, 1, 1] }).becomeLeader()
  const prevs = (): number[] => ofKind(subject.sent(), 'appendRequest').map(({ prevIndex }) => prevIndex)
  subject.refuse('b', 4, 2, 1)
  assert.deepEqual(prevs(), [2])
  subject.refuse('b', 2, 0, 0)
  assert.deepEqual(prevs(), [0])
  subject.accept('b', 5)
  assert.equal(subject.core.matchIndexes.get('b'), 5)
})

test('§5.3 a hint spares the leader all entries of a term', () => {
  const follower = new Subject({ log: [1, 1, 2, 2, 2, 2] }).receive('b', append(9, 5, 4))
  const [reply] = answers(follower)
  assert.deepEqual([reply?.hintIndex, reply?.hintTerm], [5, 2])
  const leader = new Subject({ log: [1, 1, 1, 4, 4] }).becomeLeader()
  leader.refuse('b', 5, 5, 2)
  const [probe] = ofKind(leader.sent(), 'appendRequest')
  assert.equal(probe?.prevIndex, 3, 'its entries of term 4 cannot be where the follower ends with term 2')
})

test('§5.3 the leader never overwrites or removes its own entries, whatever it is told', () => {
  const subject = new Subject({ log: [1, 1] }).becomeLeader()
  subject.receive('b', append(1, 0, 0, [1, 1]))
  subject.refuse('b', 2, 0, 0).refuse('c', 2, 1, 1)
  subject.turn()
  assert.deepEqual(subject.log, [1, 1, 2])
})

test('§5.3 followers that crash or lose messages: the leader sends again until all have all', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = new TestCluster(3, {}, seed)
    assert.ok(cluster.runUntil(() => cluster.leaders.length === 1, 5000))
    const [leader] = cluster.leaders
    const follower = cluster.nodes.find((node) => node !== leader)
    assert.ok(leader !== undefined && follower !== undefined)
    for (let command = 0; command < 10; command++) {
      leader.inbox.push({ kind: 'client', event: { command: `${command}` } })
      cluster.turn(leader)
      if (command % 3 === 0) cluster.network.splice(0, 1)
      if (command % 3 === 1) cluster.settle()
      if (command === 4) cluster.crash(follower)
      if (command === 7) cluster.start(follower)
    }
    const haveAll = (): boolean => cluster.nodes.every(({ life }) => life?.driver.applied === 11)
    assert.ok(cluster.runUntil(haveAll, 5000), `seed ${seed}`)
  }
})

const figure7 = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
const shapes: Record<string, number[]> = {
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
}

for (const [shape, log] of Object.entries(shapes)) {
  test(`§5.3 Figure 7 (${shape}): the follower's log becomes the leader's`, () => {
    const hardState = { term: 7, vote: '', voteIncarnation: 0 }
    const leader = new Subject({ log: figure7, hardState }).becomeLeader()
    const disk = new MemoryDisk(contentOf(hardState, entriesOf(log)))
    const follower = new Subject({ id: 'b', disk })
    leader.flush()
    let rounds = 0
    // The leader's first append went out with its election; the heartbeat brings it out again.
    leader.receive('b', { kind: 'heartbeatReply', term: 8, round: 0 })
    for (let appends = toB(leader); appends.length > 0; appends = toB(leader)) {
      assert.ok(++rounds <= 5, 'a round trip per term at most')
      for (const request of appends) follower.core.step(request)
      for (const reply of answers(follower)) leader.core.step(reply)
    }
    assert.deepEqual(follower.log, [...figure7, 8])
    assert.equal(leader.core.matchIndexes.get('b'), 11)
  })
}

function toB(leader: Subject): AppendRequest[] {
  return ofKind(leader.sent(), 'appendRequest').filter(({ to }) => to === 'b')
}
