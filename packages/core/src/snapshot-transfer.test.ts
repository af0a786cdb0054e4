/** Snapshots between nodes, and what they do to the log (Raft §7, ADR 6). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import {
  checksum,
  configurationOf,
  entriesOf,
  memberOf,
  ofKind,
  Subject,
  type SubjectOptions,
} from '../test/subject.ts'
import { simpleConfiguration } from './configuration.ts'
import type { SnapshotOffer } from './message.ts'
import type { Configuration, SnapshotMeta } from './types.ts'

const bytesOf = (count: number, first = 1): Uint8Array =>
  Uint8Array.from({ length: count }, (_, at) => (first + at) % 251)

function metaOf(
  index: number,
  term: number,
  data: Uint8Array,
  given: Partial<SnapshotMeta> = {},
): SnapshotMeta {
  const configuration: Configuration = configurationOf(3)
  const sums = { bytes: data.byteLength, checksum: checksum(data) }
  return { index, term, timeMs: 0, configuration, configurationIndex: 0, ...sums, ...given }
}

/** A follower of `b` in term 3. */
function following(log: readonly number[] = [], given: SubjectOptions = {}): Subject {
  const subject = new Subject({ log, hardState: { term: 3, vote: '' }, ...given })
  subject.receive('b', { kind: 'heartbeat', term: 3, commit: 0, round: 0 }).turn()
  return subject
}

const offerOf = (meta: SnapshotMeta, isLeader = true, term = 3) =>
  ({ kind: 'snapshotOffer', term, meta, isLeader }) as const

/** Which bytes the node asks for, of whom. */
const pulls = (subject: Subject): (readonly [string, number])[] =>
  ofKind(subject.sent(), 'snapshotPull').map(({ to, offset }) => [to, offset] as const)

function chunk(
  subject: Subject,
  meta: SnapshotMeta,
  data: Uint8Array,
  offset: number,
  size: number,
): Subject {
  const { index, checksum: sum } = meta
  const body = { kind: 'snapshotChunk', term: 3, index, checksum: sum, offset } as const
  return subject.receive('b', { ...body, data: data.slice(offset, offset + size) })
}

/** The whole transfer, in one chunk; what follows from it is in the Ready. */
function install(subject: Subject, meta: SnapshotMeta, data: Uint8Array) {
  subject.receive('b', offerOf(meta)).turn()
  chunk(subject, meta, data, 0, data.byteLength).turn()
  return subject.tellSnapshots().turn()
}

test('§7 a follower that needs what the log no longer has is offered the snapshot, again with each heartbeat', () => {
  const snapshots = new MemorySnapshots()
  const disk = new MemoryDisk({
    hardState: { term: 1, vote: '', voteIncarnation: 0 },
    base: { index: 4, term: 1 },
    entries: entriesOf([1, 1], 5),
  })
  const meta = snapshots.put(metaOf(5, 1, bytesOf(3)), bytesOf(3))
  const subject = new Subject({ disk, snapshots }).becomeLeader()
  subject.refuse('b', 6, 2, 1)
  assert.deepEqual(
    ofKind(subject.sent(), 'appendRequest').map(({ to, prevIndex }) => [to, prevIndex]),
    [['b', 4]],
    'it may yet fit behind the base',
  )
  subject.refuse('b', 4, 2, 1)
  const offersTo = (to: string): SnapshotOffer[] =>
    ofKind(subject.sent(), 'snapshotOffer').filter((offer) => offer.to === to)
  assert.deepEqual(
    offersTo('b').map((offer) => [offer.meta, offer.isLeader]),
    [[meta, true]],
  )
  assert.equal(subject.core.progress.get('b')?.state, 'snapshot')
  assert.deepEqual(offersTo('b'), [], 'not over and over')
  subject.waitUntilDue()
  assert.equal(offersTo('b').length, 1)
  subject.accept('b', 5)
  const appends = ofKind(subject.sent(), 'appendRequest').filter(({ to }) => to === 'b')
  assert.equal(appends[0]?.prevIndex, 5)
  assert.deepEqual(
    appends.flatMap(({ entries }) => entries.map(({ index }) => index)),
    [6, 7],
    'and goes on behind it',
  )
})

test('the sender answers a pull from its store and remembers nothing', () => {
  const snapshots = new MemorySnapshots()
  const data = bytesOf(10)
  const meta = snapshots.put(metaOf(5, 1, data), data)
  const subject = new Subject({
    hardState: { term: 3, vote: '' },
    snapshots,
    knobs: { snapshotChunkBytes: 4 },
  })
  subject.turn()
  const answer = (offset: number, sum = meta.checksum): number[] | undefined => {
    subject.receive('c', { kind: 'snapshotPull', term: 1, index: 5, checksum: sum, offset })
    const [reply] = ofKind(subject.sent(), 'snapshotChunk')
    return reply && [reply.offset, ...reply.data]
  }
  assert.deepEqual(answer(8), [8, 9, 10], 'the end')
  assert.deepEqual(answer(0), [0, 1, 2, 3, 4])
  assert.deepEqual(answer(0), [0, 1, 2, 3, 4], 'as often as it is asked for')
  assert.deepEqual(answer(0, 7), [0], 'nothing of a snapshot that it does not have')
})

test('§7 the follower pulls chunk by chunk, writes them, installs, and acknowledges the index', () => {
  const subject = following()
  const data = bytesOf(5)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta))
  assert.deepEqual(pulls(subject), [['b', 0]])
  chunk(subject, meta, data, 0, 3)
  const first = subject.turn()
  assert.deepEqual(
    [first.snapshotWrites.map(({ offset, data: piece }) => [offset, ...piece]), first.install],
    [[[0, 1, 2, 3]], undefined],
  )
  assert.deepEqual(
    ofKind(first.messages, 'snapshotPull').map(({ offset }) => offset),
    [3],
  )
  chunk(subject, meta, data, 3, 2).turn()
  assert.equal(subject.core.commitIndex, 0, 'not before it is complete, checked and on the disk')
  const { install: installed, persist } = subject.tellSnapshots().turn()
  assert.deepEqual([installed, persist?.reset], [meta, { index: 9, term: 2 }])
  assert.deepEqual([subject.core.commitIndex, subject.core.lastIndex, subject.core.baseIndex], [9, 9, 9])
  assert.deepEqual(
    ofKind(subject.flush(), 'appendReply').map(({ to, accepted, matchIndex }) => [to, accepted, matchIndex]),
    [['b', true, 9]],
  )
  const entries = entriesOf([3], 10)
  subject.receive('b', { kind: 'appendRequest', term: 3, prevIndex: 9, prevTerm: 2, commit: 10, entries })
  assert.deepEqual(
    subject.turn().committed.map(({ index }) => index),
    [10],
    'the log goes on behind it',
  )
})

test('chunks that are lost, repeated or out of order change nothing: only the one at the offset counts', () => {
  const anyChunk = fc.record({ offset: fc.nat(9), size: fc.integer({ min: 1, max: 4 }), lost: fc.boolean() })
  fc.assert(
    fc.property(fc.array(anyChunk, { maxLength: 8 }), (strays) => {
      const subject = following()
      const data = bytesOf(10)
      const meta = metaOf(9, 2, data)
      subject.receive('b', offerOf(meta)).turn()
      let at = 0
      const take = (offset: number, size: number): void => {
        chunk(subject, meta, data, offset, Math.min(size, 10 - offset)).turn()
        if (offset === at) at += Math.min(size, 10 - offset)
      }
      for (const { offset, size, lost } of strays) {
        take(offset, size)
        if (lost) {
          subject.wait(50).receive('b', { kind: 'heartbeat', term: 3, commit: 0, round: 0 })
          if (at < 10) assert.deepEqual(pulls(subject), [['b', at]], 'asked for again')
        }
        if (at === 10) break
      }
      while (at < 10) take(at, 3)
      assert.deepEqual(subject.tellSnapshots().turn().install, meta)
      assert.deepEqual([...(subject.snapshots.read(9, meta.checksum, 0, 99) ?? [])], [...data])
    }),
    { numRuns: 200 },
  )
})

test('a pull that is never answered is given up in the end, and begun again by the next offer', () => {
  const subject = following()
  const data = bytesOf(4)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta))
  chunk(subject, meta, data, 0, 2).turn()
  let asked = 0
  for (let beats = 0; beats < 20; beats++) {
    subject.wait(50).receive('b', { kind: 'heartbeat', term: 3, commit: 0, round: 0 })
    asked += pulls(subject).length
  }
  assert.ok(asked > 2 && asked < 12, `${asked} times`)
  subject.receive('b', offerOf(meta))
  assert.deepEqual(pulls(subject), [['b', 2]], 'from where it stood')
})

test('a transfer goes on after a restart of the receiver, from what is on its disk', () => {
  const before = following()
  const data = bytesOf(4)
  const meta = metaOf(9, 2, data)
  before.receive('b', offerOf(meta))
  chunk(before, meta, data, 0, 3).turn()
  const subject = before.restart()
  subject.receive('b', offerOf(meta))
  assert.deepEqual(pulls(subject), [['b', 3]])
  chunk(subject, meta, data, 3, 1).turn()
  assert.deepEqual(subject.tellSnapshots().turn().install, meta)
})

test('a transfer goes on under another leader that has the same snapshot', () => {
  const subject = following()
  const data = bytesOf(4)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta))
  chunk(subject, meta, data, 0, 3).turn()
  subject.receive('c', offerOf(meta, true, 4)).turn()
  subject.flush()
  subject.wait(50)
  assert.deepEqual(pulls(subject), [['c', 3]])
  chunk(subject, meta, data, 3, 1).turn()
  subject.tellSnapshots().turn()
  assert.deepEqual(
    ofKind(subject.flush(), 'appendReply').map(({ to, term, matchIndex }) => [to, term, matchIndex]),
    [['c', 4, 9]],
  )
})

test('a newer snapshot waits while the older one comes, or two would displace each other for ever', () => {
  const subject = following()
  const [older, newer] = [bytesOf(4), bytesOf(5, 100)]
  const [first, second] = [metaOf(9, 2, older), metaOf(12, 2, newer)]
  subject.receive('b', offerOf(first))
  chunk(subject, first, older, 0, 3).turn()
  subject.receive('b', offerOf(second))
  assert.deepEqual(pulls(subject), [])
  // Nor where a chunk is late, and its pull was repeated.
  subject.wait(60).turn()
  subject.receive('b', offerOf(second))
  assert.deepEqual(pulls(subject), [])
  chunk(subject, first, older, 3, 1).turn()
  assert.deepEqual(subject.tellSnapshots().turn().install, first)
})

test('a newer snapshot takes over where the older one was given up, and its chunks count for nothing then', () => {
  const subject = following()
  const [older, newer] = [bytesOf(4), bytesOf(5, 100)]
  const [first, second] = [metaOf(9, 2, older), metaOf(12, 2, newer)]
  subject.receive('b', offerOf(first))
  chunk(subject, first, older, 0, 3).turn()
  for (let beats = 0; beats < 20; beats++) subject.wait(60).turn()
  subject.receive('b', offerOf(second))
  assert.deepEqual(pulls(subject), [['b', 0]])
  chunk(subject, first, older, 3, 1)
  assert.deepEqual(subject.turn().snapshotWrites, [])
  chunk(subject, second, newer, 0, 5).turn()
  assert.deepEqual(subject.tellSnapshots().turn().install, second)
})

test('a snapshot that the sender no longer has is given up', () => {
  const subject = following()
  const data = bytesOf(4)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta)).turn()
  subject.receive('b', {
    kind: 'snapshotChunk',
    term: 3,
    index: 9,
    checksum: meta.checksum,
    offset: 0,
    data: data.slice(0, 0),
  })
  subject.turn()
  assert.deepEqual(pulls(subject.wait(50)), [])
})

test('bytes that do not fit the checksum are fetched again', () => {
  const subject = following()
  const data = bytesOf(4)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta)).turn()
  chunk(subject, meta, bytesOf(4, 50), 0, 4).turn()
  assert.equal(subject.tellSnapshots().turn().install, undefined)
  subject.receive('b', offerOf(meta))
  assert.deepEqual(pulls(subject), [['b', 0]])
})

test('§7 a stale offer is acknowledged by what is committed here, and nothing is fetched', () => {
  const subject = following([1, 1, 1])
  subject.receive('b', { kind: 'heartbeat', term: 3, commit: 3, round: 0 })
  subject.receive('b', offerOf(metaOf(2, 1, bytesOf(1))))
  assert.deepEqual(pulls(subject), [])
  assert.deepEqual(
    ofKind(subject.flush(), 'appendReply').map(({ matchIndex }) => matchIndex),
    [3],
  )
})

test('§7 an offer that the log holds already commits up to it: nothing is fetched', () => {
  const subject = following([1, 1, 1])
  subject.receive('b', offerOf(metaOf(2, 1, bytesOf(1))))
  const { messages, committed } = subject.turn()
  assert.deepEqual(ofKind(messages, 'snapshotPull'), [])
  assert.deepEqual([subject.core.commitIndex, committed.length], [2, 2])
  assert.equal(ofKind(subject.flush(), 'appendReply')[0]?.matchIndex, 2)
})

test('§7 what follows the snapshot in a log that agrees with it is kept', () => {
  const subject = following()
  const data = bytesOf(2)
  const meta = metaOf(2, 1, data)
  subject.receive('b', offerOf(meta)).turn()
  chunk(subject, meta, data, 0, 1).turn()
  const entries = entriesOf([1, 1, 3])
  subject
    .receive('b', { kind: 'appendRequest', term: 3, prevIndex: 0, prevTerm: 0, commit: 0, entries })
    .turn()
  subject.flush()
  chunk(subject, meta, data, 1, 1).turn()
  const { install: installed, committed } = subject.tellSnapshots().turn()
  assert.deepEqual([subject.core.lastIndex, subject.core.commitIndex], [3, 2])
  assert.deepEqual([installed, committed.length], [undefined, 2], 'the entries are applied instead')
})

test('§7 a log that says something else there is discarded', () => {
  const data = bytesOf(2)
  const subject = following([1, 1, 1, 1])
  const { persist } = install(subject, metaOf(2, 2, data), data)
  assert.deepEqual(persist?.reset, { index: 2, term: 2 })
  assert.deepEqual([subject.core.lastIndex, subject.core.commitIndex, subject.log], [2, 2, []])
})

test('§7 the configuration of the snapshot is in effect after it', () => {
  const data = bytesOf(2)
  const configuration = simpleConfiguration(['b', 'c', 'd'].map(memberOf), [memberOf('a')])
  const subject = following([1])
  const ready = install(subject, metaOf(9, 2, data, { configuration, configurationIndex: 7 }), data)
  assert.deepEqual([subject.core.configuration, subject.core.configurationIndex], [configuration, 7])
  assert.deepEqual(ready.configuration, configuration)
  assert.deepEqual(subject.core.configurationAt(9), { index: 7, configuration })
})

test('while a snapshot is loaded nothing is handed out for apply', () => {
  const subject = following()
  const data = bytesOf(2)
  const { committed } = install(subject, metaOf(9, 2, data), data)
  assert.deepEqual(committed, [])
  const entries = entriesOf([3], 10)
  subject.receive('b', { kind: 'appendRequest', term: 3, prevIndex: 9, prevTerm: 2, commit: 10, entries })
  assert.deepEqual(subject.core.ready(false).committed, [])
  assert.deepEqual(
    subject.core.ready(true).committed.map(({ index }) => index),
    [10],
  )
})

test('§7 a restart begins with the latest snapshot, and applies only what follows it', () => {
  const snapshots = new MemorySnapshots()
  const meta = snapshots.put(metaOf(2, 1, bytesOf(1)), bytesOf(1))
  const subject = following([1, 1, 1, 1], { snapshots })
  const again = subject.restart()
  assert.deepEqual(again.turn().install, meta)
  assert.deepEqual([again.core.commitIndex, again.core.lastIndex], [2, 4])
  again.receive('b', { kind: 'heartbeat', term: 3, commit: 4, round: 0 })
  assert.deepEqual(
    again.turn().committed.map(({ index }) => index),
    [3, 4],
  )
})

test('§7 a crash between the end of a snapshot and the reset of the log: the restart resets it', () => {
  for (const [log, index, term] of [
    [[1, 1], 5, 2],
    [[1, 1, 1, 1, 1, 1], 5, 2],
    [[], 5, 2],
  ] as const) {
    const snapshots = new MemorySnapshots()
    const meta = snapshots.put(metaOf(index, term, bytesOf(1)), bytesOf(1))
    const disk = new MemoryDisk(contentOf({ term: 3, vote: '', voteIncarnation: 0 }, entriesOf(log)))
    const subject = new Subject({ disk, snapshots })
    const { install: installed, persist } = subject.turn()
    assert.deepEqual([installed, persist?.reset], [meta, { index, term }], `${log}`)
    assert.deepEqual([subject.core.lastIndex, subject.core.commitIndex], [5, 5])
    subject.flush()
    const again = subject.restart()
    assert.deepEqual([again.turn().persist?.reset, again.core.lastIndex], [undefined, 5], 'once')
  }
})

test('§7 a snapshot is not received twice after a crash before it was told', () => {
  const subject = following()
  const data = bytesOf(2)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta)).turn()
  chunk(subject, meta, data, 0, 2).turn()
  const again = subject.restart()
  assert.deepEqual(again.turn().install, meta)
  assert.equal(again.core.commitIndex, 9)
})

test('an own snapshot compacts the log, but for a tail of keepEntries', () => {
  const subject = new Subject({ log: [1, 1, 1, 1, 1, 1], knobs: { keepEntries: 2 } })
  subject.receive('b', { kind: 'heartbeat', term: 1, commit: 6, round: 0 }).turn()
  subject.core.snapshotSaved(metaOf(5, 1, bytesOf(1)))
  const { persist } = subject.turn()
  assert.deepEqual([persist?.compactTo, subject.core.baseIndex], [{ index: 3, term: 1 }, 3])
  assert.equal(subject.core.metrics.compactions, 1)
  subject.flush()
  assert.deepEqual([subject.disk.base, subject.disk.lastIndex], [{ index: 3, term: 1 }, 6])
  subject.core.snapshotSaved(metaOf(5, 1, bytesOf(1)))
  assert.equal(subject.turn().persist, undefined, 'once')
})

test('a snapshot within the tail that is kept compacts nothing', () => {
  const subject = new Subject({ log: [1, 1, 1], knobs: { keepEntries: 3 } })
  subject.receive('b', { kind: 'heartbeat', term: 1, commit: 3, round: 0 }).turn()
  subject.core.snapshotSaved(metaOf(3, 1, bytesOf(1)))
  assert.deepEqual([subject.turn().persist, subject.core.baseIndex], [undefined, 0])
})

test('the log is compacted only up to what is flushed', () => {
  const subject = new Subject({ knobs: { keepEntries: 0 } })
  const append = { kind: 'appendRequest', term: 1, prevTerm: 0, prevIndex: 0 } as const
  subject.receive('b', { ...append, commit: 1, entries: entriesOf([1]) }).turn()
  subject.flush()
  subject
    .receive('b', { ...append, prevIndex: 1, prevTerm: 1, commit: 3, entries: entriesOf([1, 1], 2) })
    .turn()
  subject.core.snapshotSaved(metaOf(3, 1, bytesOf(1)))
  assert.deepEqual(subject.turn().persist?.compactTo, { index: 1, term: 1 })
})

test('§7 entries behind the base are never asked of the log: a new leader probes, then offers', () => {
  const subject = new Subject({ log: [1, 1, 1, 1], knobs: { keepEntries: 0 } }).becomeLeader().commitAll()
  const data = bytesOf(1)
  const meta = subject.snapshots.put(metaOf(4, 1, data), data)
  subject.core.snapshotSaved(meta)
  subject.turn()
  subject.flush()
  subject.core.peerUp('b')
  subject.propose()
  assert.deepEqual(
    ofKind(subject.sent(), 'appendRequest')
      .filter(({ to }) => to === 'b')
      .map(({ prevIndex }) => prevIndex),
    [5],
  )
})

test('an offer of somebody who does not lead means nothing to a node without damage', () => {
  const subject = following()
  subject.receive('c', offerOf(metaOf(9, 2, bytesOf(2)), false, 9))
  assert.deepEqual([pulls(subject), subject.core.term, subject.core.leader], [[], 3, 'b'])
})

test('§5.1 an offer of an earlier term is refused by the current one', () => {
  const subject = following()
  subject.receive('c', offerOf(metaOf(9, 2, bytesOf(2)), true, 2))
  assert.deepEqual(
    subject.sent().map(({ kind, to, term }) => [kind, to, term]),
    [['heartbeatReply', 'c', 3]],
  )
})

test('§7 the leader’s offer keeps its followers quiet like a heartbeat', () => {
  const subject = following()
  for (let beats = 0; beats < 30; beats++)
    subject
      .wait(50)
      .receive('b', offerOf(metaOf(9, 2, bytesOf(2))))
      .turn()
  assert.deepEqual([subject.core.role, subject.core.leader], ['follower', 'b'])
})

test('a pull is not sent in a term that is not flushed', () => {
  const subject = new Subject().receive('b', offerOf(metaOf(9, 2, bytesOf(2))))
  assert.deepEqual(pulls(subject), [])
  assert.equal(ofKind(subject.flush(), 'snapshotPull').length, 1)
})

test('no more is pulled while received bytes wait for the disk', () => {
  const subject = following()
  const data = bytesOf(4)
  const meta = metaOf(9, 2, data)
  subject.receive('b', offerOf(meta)).turn()
  subject.snapshots.pendingBytes = 1 << 30
  chunk(subject, meta, data, 0, 2)
  assert.deepEqual(pulls(subject), [])
  subject.snapshots.pendingBytes = 0
  assert.deepEqual(pulls(subject.waitUntilDue()), [['b', 2]])
})
