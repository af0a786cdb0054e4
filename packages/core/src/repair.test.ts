/** Repair of damaged entries from peers (ADR 7; after "Protocol-Aware Recovery", FAST 2018). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import {
  checksum,
  configurationEntryOf,
  configurationOf,
  entriesOf,
  entryOf,
  incarnationOf,
  memberOf,
  ofKind,
  Subject,
  type SubjectOptions,
} from '../test/subject.ts'
import { simpleConfiguration } from './configuration.ts'
import type { Entry } from './entry.ts'
import type { RepairReply } from './message.ts'
import type { IndexRange, NodeId, SnapshotMeta } from './types.ts'

const range = (from: number, to: number): IndexRange => ({ from, to })

/** A node that finds these ranges of its log damaged. Nothing was asked yet. */
function damaged(log: readonly number[], ranges: readonly IndexRange[], given: SubjectOptions = {}): Subject {
  const term = log.at(-1) ?? 0
  const disk = new MemoryDisk(contentOf({ term, vote: '', voteIncarnation: 0 }, entriesOf(log)))
  disk.damaged = [...ranges]
  const subject = new Subject({ ...given, disk })
  subject.turn()
  return subject
}

/** Whom it asks, for what. */
const questions = (subject: Subject) =>
  ofKind(subject.wait(0).sent(), 'repairRequest').map((request) => {
    const { to, range: of, prevTerm, nextTerm } = request
    return [to, of.from, of.to, prevTerm, nextTerm]
  })

function answer(
  subject: Subject,
  from: NodeId,
  of: IndexRange,
  verdict: RepairReply['verdict'],
  entries: readonly Entry[] = [],
  term = subject.core.term,
): Subject {
  return subject.receive(from, { kind: 'repairReply', term, range: of, verdict, entries })
}

const heartbeat = (term: number, commit = 0) => ({ kind: 'heartbeat', term, commit, round: 0 }) as const
const termsOf = (subject: Subject): number[] => subject.disk.flushed.entries.map(({ term }) => term)

/** What another node answers to the request of a damaged one. */
function helped(
  log: readonly number[],
  of: IndexRange,
  [prevTerm, nextTerm]: readonly [number, number],
  given: { damaged?: IndexRange[]; maxAppendBytes?: number } = {},
): readonly [string, number[]] {
  const knobs = { maxAppendBytes: given.maxAppendBytes ?? 1 << 20 }
  const helper = damaged(log, given.damaged ?? [], { knobs })
  helper.receive('b', { kind: 'repairRequest', term: 1, range: of, prevTerm, nextTerm })
  const [reply] = ofKind([...helper.sent(), ...helper.flush()], 'repairReply')
  assert.ok(reply !== undefined)
  return [reply.verdict, reply.entries.map(({ index }) => index)]
}

// ---- what a damaged node does not do

test('a node with damage gives no vote and no pre-vote, does not campaign, and obeys no order to', () => {
  const subject = damaged([1, 1, 1], [range(2, 2)])
  subject.receive('b', { kind: 'preVoteRequest', term: 2, lastIndex: 9, lastTerm: 1 })
  assert.equal(ofKind(subject.sent(), 'preVoteReply')[0]?.granted, false)
  subject.receive('b', { kind: 'voteRequest', term: 2, lastIndex: 9, lastTerm: 1 }).turn()
  assert.equal(ofKind(subject.flush(), 'voteReply')[0]?.granted, false)
  subject.core.campaign()
  subject.wait(5000)
  subject.receive('c', heartbeat(2)).receive('c', { kind: 'timeoutNow', term: 2 })
  assert.deepEqual([subject.core.role, subject.core.term, subject.core.vote], ['follower', 2, ''])
})

test('a node with damage follows its leader, but neither appends, acknowledges nor commits', () => {
  const subject = damaged([1, 1, 1], [range(2, 2)]).receive('b', heartbeat(1, 3))
  const append = { kind: 'appendRequest', term: 1, prevIndex: 3, prevTerm: 1, commit: 3 } as const
  subject.receive('b', { ...append, entries: entriesOf([1], 4) })
  const { messages, committed } = subject.turn()
  assert.equal(ofKind(messages, 'heartbeatReply').length, 1)
  assert.deepEqual([subject.core.leader, subject.core.lastIndex, subject.core.commitIndex], ['b', 3, 0])
  assert.deepEqual([committed, ofKind(subject.flush(), 'appendReply')], [[], []])
})

// ---- asking

test('it asks all members for the lowest range, with the terms of its intact neighbours, every two heartbeats', () => {
  const configuration = simpleConfiguration(['a', 'b'].map(memberOf), [memberOf('l')])
  const subject = damaged([1, 2, 2, 3, 4], [range(2, 3), range(5, 5)], { configuration })
  const expected = [
    ['b', 2, 3, 1, 3],
    ['l', 2, 3, 1, 3],
  ]
  assert.deepEqual(questions(subject), expected)
  assert.deepEqual(questions(subject), [])
  assert.equal(subject.core.deadlineMs, subject.nowMs + 100)
  subject.waitUntilDue()
  assert.deepEqual(questions(subject), expected)
  assert.deepEqual(subject.core.damaged, [range(2, 3), range(5, 5)])
})

test('the beginning of the log has no neighbour before, its end none behind', () => {
  assert.deepEqual(questions(damaged([1, 2], [range(1, 1)]))[0], ['b', 1, 1, 0, 2])
  assert.deepEqual(questions(damaged([1, 2], [range(2, 2)]))[0], ['b', 2, 2, 1, 0])
})

// ---- helping

test('a helper gives entries that lie before the same neighbour: they are the very ones (Log Matching)', () => {
  assert.deepEqual(helped([1, 2, 2, 3], range(2, 3), [1, 3]), ['intact', [2, 3]])
  assert.deepEqual(
    helped([1, 2, 2, 3], range(2, 3), [1, 4]),
    ['other', [2, 3]],
    'it has something else behind',
  )
  assert.deepEqual(helped([2, 2, 2, 2], range(2, 3), [1, 3]), ['other', []], 'nothing fits')
  assert.deepEqual(helped([1, 2], range(2, 3), [1, 3]), ['other', [2]], 'a log that ends within')
})

test('a helper gives what it has for the end of a log, which only counts if it leads', () => {
  assert.deepEqual(helped([1, 2, 2, 3], range(2, 3), [1, 0]), ['other', [2, 3]])
  assert.deepEqual(helped([1, 2], range(2, 3), [1, 0]), ['other', [2]])
  assert.deepEqual(helped([1], range(2, 3), [1, 0]), ['absent', []])
  assert.deepEqual(helped([2, 2], range(2, 3), [1, 0]), ['other', []], 'its log was another one before')
})

test('a helper gives as much as fits one message, and only up to its own next damage', () => {
  const bytes = 2 * entryOf(1, 1).record.byteLength
  const all = range(1, 4)
  assert.deepEqual(helped([1, 1, 1, 1, 1], all, [0, 1], { maxAppendBytes: bytes }), ['intact', [1, 2]])
  assert.deepEqual(helped([1, 1, 1, 1, 1], all, [0, 1], { damaged: [range(3, 3)] }), ['intact', [1, 2]])
})

test('a helper whose copy is damaged too says that; whose neighbour is, that it cannot vouch', () => {
  assert.deepEqual(helped([1, 1, 1], range(2, 2), [1, 1], { damaged: [range(2, 2)] }), ['damaged', []])
  assert.deepEqual(helped([1, 1, 1], range(2, 2), [1, 1], { damaged: [range(3, 3)] }), ['other', [2]])
  assert.deepEqual(
    helped([1, 1, 1], range(2, 2), [1, 1], { damaged: [range(1, 1)] }),
    ['intact', [2]],
    'the neighbour behind is enough',
  )
})

test('a helper whose log no longer has the entries offers its snapshot', () => {
  const snapshots = new MemorySnapshots()
  const given = { timeMs: 0, configuration: configurationOf(3), configurationIndex: 0 }
  const meta = snapshots.put({ index: 5, term: 1, ...given }, Uint8Array.of(7))
  const hardState = { term: 1, vote: '', voteIncarnation: 0 }
  const disk = new MemoryDisk({ hardState, base: { index: 4, term: 1 }, entries: entriesOf([1, 1], 5) })
  const helper = new Subject({ disk, snapshots })
  const request = { kind: 'repairRequest', term: 1, prevTerm: 1, nextTerm: 1 } as const
  helper.receive('b', { ...request, range: range(3, 3) })
  const [offer] = ofKind(helper.sent(), 'snapshotOffer')
  assert.deepEqual([offer?.to, offer?.meta, offer?.isLeader], ['b', meta, false])
})

// ---- what is taken

test('anybody’s entries before the same intact neighbour are taken, and count once they are flushed', () => {
  const subject = damaged([1, 2, 2, 3], [range(2, 3)])
  questions(subject)
  answer(subject, 'b', range(2, 3), 'intact', entriesOf([2, 2], 2))
  const { persist } = subject.turn()
  assert.deepEqual(
    persist?.repairs.map(({ index, term }) => [index, term]),
    [
      [2, 2],
      [3, 2],
    ],
  )
  assert.deepEqual(subject.core.damaged, [range(2, 3)], 'not before the flush')
  assert.equal(subject.core.deadlineMs > subject.nowMs + 100, true, 'and is not asked for meanwhile')
  subject.flush()
  assert.deepEqual([subject.core.damaged, subject.core.metrics.entriesRepaired], [[], 2])
  subject.becomeCandidate()
  assert.equal(subject.core.role, 'candidate')
})

test('entries that come in parts are asked for again from where the damage goes on', () => {
  const subject = damaged([1, 2, 2, 2, 3], [range(2, 4)])
  questions(subject)
  answer(subject, 'b', range(2, 4), 'intact', entriesOf([2, 2], 2)).turn()
  subject.flush()
  assert.deepEqual(subject.core.damaged, [range(4, 4)])
  assert.deepEqual(questions(subject)[0], ['b', 4, 4, 2, 3])
})

test('an answer for another range, from a stranger, or from another incarnation is not taken', () => {
  const subject = damaged([1, 2, 3], [range(2, 2)])
  questions(subject)
  answer(subject, 'b', range(2, 3), 'intact', entriesOf([2], 2))
  answer(subject, 'x', range(2, 2), 'intact', entriesOf([2], 2))
  const entries = entriesOf([2], 2)
  const fromIncarnation = incarnationOf('b') + 1
  const reply = { kind: 'repairReply', term: 3, range: range(2, 2), verdict: 'intact', entries } as const
  subject.receive('b', { ...reply, fromIncarnation })
  subject.receive('b', { ...reply, toBoot: subject.boot - 1 })
  assert.equal(subject.turn().persist, undefined)
})

test('what the leader of the term has is taken, also at the end of the log', () => {
  const subject = damaged([1, 2, 2], [range(3, 3)]).receive('b', heartbeat(2))
  questions(subject)
  answer(subject, 'b', range(3, 3), 'intact', entriesOf([2], 3)).turn()
  subject.flush()
  assert.deepEqual([subject.core.damaged, termsOf(subject)], [[], [1, 2, 2]])
})

test('what the leader does not have was not committed, and goes', () => {
  for (const verdict of ['absent', 'other'] as const) {
    const subject = damaged([1, 2, 2], [range(3, 3)]).receive('b', heartbeat(2))
    questions(subject)
    answer(subject, 'b', range(3, 3), verdict)
    assert.equal(subject.turn().persist?.truncateFrom, 3, verdict)
    subject.flush()
    assert.deepEqual([subject.core.damaged, subject.core.lastIndex], [[], 2])
  }
})

test('what the leader has instead is taken, and what followed here goes: two logs are not mixed', () => {
  const subject = damaged([1, 2, 2, 2], [range(3, 3)]).receive('b', heartbeat(4))
  questions(subject)
  subject.flush()
  answer(subject, 'b', range(3, 3), 'other', entriesOf([4], 3)).turn()
  subject.flush()
  assert.deepEqual([subject.core.damaged, termsOf(subject)], [[], [1, 2, 4]])
})

test('the word of one that led an earlier term, or leads a later one unknown here, is nobody’s in particular', () => {
  const subject = damaged([1, 2, 2], [range(3, 3)]).receive('b', heartbeat(3))
  questions(subject)
  answer(subject, 'b', range(3, 3), 'absent', [], 2)
  answer(subject, 'c', range(3, 3), 'other', entriesOf([2], 3), 3).turn()
  subject.flush()
  assert.deepEqual([termsOf(subject), subject.core.lost], [[1, 2, 2], range(3, 3)])
})

// ---- what nobody can vouch for

test('an end of the log is taken from nobody but the leader, whatever all others say', () => {
  for (const verdict of ['absent', 'other', 'damaged'] as const) {
    const subject = damaged([1, 2, 2], [range(3, 3)])
    questions(subject)
    for (const id of ['b', 'c'])
      answer(subject, id, range(3, 3), verdict, verdict === 'other' ? entriesOf([2], 3) : [])
    assert.equal(subject.turn().persist, undefined)
    assert.deepEqual([subject.core.lastIndex, subject.core.lost], [3, range(3, 3)])
  }
})

test('what stands behind the damage stays, also where nobody else has it', () => {
  const subject = damaged([1, 1, 2], [range(2, 2)])
  questions(subject)
  answer(subject, 'b', range(2, 2), 'other', entriesOf([1], 2))
  answer(subject, 'c', range(2, 2), 'absent')
  assert.equal(subject.turn().persist, undefined)
  assert.deepEqual([subject.core.lastIndex, subject.core.lost], [3, range(2, 2)])
})

test('another start of the leader is not the leader: it may have lost what was not flushed', () => {
  const subject = damaged([1, 2, 2], [range(3, 3)]).receive('b', heartbeat(3))
  questions(subject)
  const lost = { kind: 'repairReply', term: 3, range: range(3, 3), verdict: 'absent', entries: [] } as const
  subject.receive('b', { ...lost, fromBoot: 2 })
  assert.equal(subject.core.lastIndex, 3)
  subject.receive('b', lost)
  assert.equal(subject.core.lastIndex, 2)
})

test('lost is said only when every other voter has answered', () => {
  const subject = damaged([1, 1, 1], [range(2, 2)], { voters: 5 })
  questions(subject)
  for (const id of ['b', 'c', 'd']) {
    answer(subject, id, range(2, 2), id === 'b' ? 'damaged' : 'absent')
    assert.equal(subject.core.lost, undefined, id)
  }
  answer(subject, 'e', range(2, 2), 'other')
  assert.deepEqual([subject.core.lost, subject.core.lastIndex], [range(2, 2), 3], 'nothing is cut')
  subject.wait(200)
  assert.equal(questions(subject).length, 4, 'it goes on asking')
  answer(subject, 'b', range(2, 2), 'intact', entriesOf([1], 2)).turn()
  subject.flush()
  assert.deepEqual([subject.core.lost, subject.core.damaged], [undefined, []])
})

test('a voter that is a majority alone cuts nothing: it may have committed it alone', () => {
  const subject = damaged([1, 1], [range(2, 2)], { voters: 1 })
  subject.wait(0)
  assert.deepEqual(
    [subject.core.lost, subject.core.lastIndex, subject.core.role],
    [range(2, 2), 2, 'follower'],
  )
})

test('in a joint configuration the voters of both halves are waited for', () => {
  const joint = {
    ...simpleConfiguration(['a', 'b', 'c'].map(memberOf)),
    outgoing: ['a', 'd', 'e'].map(memberOf),
  }
  const subject = damaged([1, 1], [range(2, 2)], { configuration: joint })
  questions(subject)
  for (const id of ['b', 'c', 'd']) answer(subject, id, range(2, 2), 'absent')
  assert.equal(subject.core.lost, undefined)
  answer(subject, 'e', range(2, 2), 'absent')
  assert.deepEqual(subject.core.lost, range(2, 2))
})

test('the configurations of the log are found again once it is whole', () => {
  const log = [
    entryOf(1, 1),
    configurationEntryOf(2, 1, configurationOf(5)),
    { ...entryOf(3, 1), configurationIndex: 2 },
  ]
  const disk = new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, log))
  disk.damaged = [range(2, 2)]
  const subject = new Subject({ disk })
  subject.turn()
  assert.equal(subject.core.configuration.voters.length, 3)
  questions(subject)
  answer(subject, 'b', range(2, 2), 'intact', [log[1] as Entry]).turn()
  subject.flush()
  assert.deepEqual([subject.core.configuration, subject.core.configurationIndex], [configurationOf(5), 2])
  assert.deepEqual(subject.turn().configuration, configurationOf(5))
})

// ---- snapshots

const data = Uint8Array.of(1, 2, 3)
function metaOf(index: number, term: number): SnapshotMeta {
  const given = { timeMs: 0, configuration: configurationOf(3), configurationIndex: 0 }
  return { index, term, ...given, bytes: 3, checksum: checksum(data) }
}

function fetched(subject: Subject, meta: SnapshotMeta, isLeader = false) {
  subject.receive('b', { kind: 'snapshotOffer', term: subject.core.term, meta, isLeader }).turn()
  const body = { kind: 'snapshotChunk', term: subject.core.term, offset: 0, data } as const
  subject.receive('b', { ...body, index: meta.index, checksum: meta.checksum }).turn()
  return subject.tellSnapshots().turn()
}

test('anybody’s snapshot that covers the range mends it; what follows in the log is kept', () => {
  const subject = damaged([1, 1, 1, 1], [range(2, 2)])
  questions(subject)
  const ready = fetched(subject, metaOf(3, 1))
  assert.deepEqual([ready.install?.index, ready.persist?.compactTo], [3, { index: 3, term: 1 }])
  assert.deepEqual([subject.core.damaged, subject.core.commitIndex, subject.core.lastIndex], [[], 3, 4])
})

test('a snapshot that ends within the damage mends that much: the rest was acknowledged and is not cut', () => {
  const subject = damaged([1, 1, 1, 1, 1], [range(2, 4)])
  questions(subject)
  const ready = fetched(subject, metaOf(3, 1))
  assert.deepEqual([ready.persist?.reset, ready.persist?.compactTo], [undefined, { index: 3, term: 1 }])
  assert.deepEqual([subject.core.damaged, subject.core.lastIndex], [[range(4, 4)], 5])
})

test('a snapshot beyond the log, or beside it, begins the log anew', () => {
  for (const meta of [metaOf(9, 2), metaOf(4, 2)]) {
    const subject = damaged([1, 1, 1, 1], [range(2, 2)])
    questions(subject)
    const ready = fetched(subject, meta)
    assert.deepEqual(ready.persist?.reset, { index: meta.index, term: 2 })
    assert.deepEqual([subject.core.damaged, subject.core.lastIndex], [[], meta.index])
    assert.equal(subject.core.term, 2, 'the snapshot may come from a later term')
  }
})

test('a snapshot that ends before the damage is of no use', () => {
  const subject = damaged([1, 1, 1, 1], [range(3, 3)])
  subject.receive('b', { kind: 'snapshotOffer', term: 1, meta: metaOf(2, 1), isLeader: false })
  assert.deepEqual(ofKind(subject.sent(), 'snapshotPull'), [])
})

test('damage behind an own snapshot is none: the log begins behind the snapshot', () => {
  const snapshots = new MemorySnapshots()
  const meta = snapshots.put(metaOf(3, 1), data)
  const disk = new MemoryDisk(contentOf({ term: 1, vote: '', voteIncarnation: 0 }, entriesOf([1, 1, 1, 1])))
  disk.damaged = [range(2, 2)]
  const subject = new Subject({ disk, snapshots })
  const { install, persist } = subject.turn()
  assert.deepEqual([subject.core.damaged, install, persist?.compactTo], [[], meta, { index: 3, term: 1 }])
})

test('where the state that the log goes on from is gone, all that made it is damage, and a snapshot mends it', () => {
  const hardState = { term: 1, vote: '', voteIncarnation: 0 }
  const disk = new MemoryDisk({ hardState, base: { index: 4, term: 1 }, entries: entriesOf([1, 1], 5) })
  const subject = new Subject({ disk })
  subject.turn()
  assert.deepEqual(subject.core.damaged, [range(1, 4)])
  assert.deepEqual(questions(subject)[0], ['b', 1, 4, 0, 1])
  answer(subject, 'b', range(1, 4), 'intact', entriesOf([1, 1, 1, 1]))
  assert.equal(subject.turn().persist, undefined, 'entries are of no use: the store has no place for them')
  const ready = fetched(subject, metaOf(4, 1))
  assert.deepEqual([ready.install?.index, subject.core.damaged, subject.core.lastIndex], [4, [], 6])
})

test('a helper offers its snapshot for the range from 1, if it stands for all of it', () => {
  const snapshots = new MemorySnapshots()
  snapshots.put(metaOf(5, 1), data)
  const helper = new Subject({ log: [1, 1, 1, 1, 1, 1], snapshots })
  const request = { kind: 'repairRequest', term: 1, prevTerm: 0, nextTerm: 1 } as const
  helper.receive('b', { ...request, range: range(1, 4) })
  const offered = helper.sent()
  assert.equal(ofKind(offered, 'snapshotOffer').length, 1)
  helper.receive('b', { ...request, range: range(2, 3), prevTerm: 1 })
  assert.equal(ofKind(helper.sent(), 'repairReply')[0]?.verdict, 'intact')
})

test('a snapshot that overtakes a repair under way: what is mended late changes nothing', () => {
  const subject = damaged([1, 1, 1, 1], [range(2, 2)])
  questions(subject)
  answer(subject, 'c', range(2, 2), 'intact', entriesOf([1], 2)).turn()
  fetched(subject, metaOf(9, 2))
  subject.flush()
  assert.deepEqual([subject.core.damaged, subject.core.lastIndex, subject.core.commitIndex], [[], 9, 9])
})
