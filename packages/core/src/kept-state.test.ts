/** A state that the application keeps on the disk: where the log goes on from it, and that it never gets ahead of the log. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentOf, type DiskContent, MemoryDisk } from '../test/memory-disk.ts'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import { configurationOf, entriesOf, Subject } from '../test/subject.ts'
import { isPartOf, type KeptState } from './kept-state.ts'
import type { SnapshotMeta } from './types.ts'

const hardState = { term: 9, vote: '', voteIncarnation: 0 }
const place = { timeMs: 0, configuration: configurationOf(3), configurationIndex: 0 }
const keptAt = (index: number, term: number): KeptState => ({ index, term, timeMs: 0 })

/** A log that begins behind `base` and has entries of these terms. */
function diskOf(terms: readonly number[], base = 0, baseTerm = 0): MemoryDisk {
  const content: DiskContent = {
    ...contentOf(hardState, entriesOf(terms, base + 1)),
    base: { index: base, term: baseTerm },
  }
  return new MemoryDisk(content)
}

const snapshotAt = (index: number, term: number): SnapshotMeta =>
  new MemorySnapshots().put({ index, term, ...place }, Uint8Array.of(1))

test('a log goes on from a state that stands for its own entries', () => {
  const disk = diskOf([1, 1, 2])
  const isPart = (index: number, term: number): boolean => isPartOf(keptAt(index, term), disk, undefined)
  assert.deepEqual([isPart(0, 0), isPart(2, 1), isPart(3, 2)], [true, true, true])
  // Another entry at that place, or none.
  assert.deepEqual([isPart(3, 1), isPart(4, 2), isPart(2, 2)], [false, false, false])
})

test('a state before the snapshot is not gone on from; one at it, only where it is of its term', () => {
  const disk = diskOf([2, 2], 2, 1)
  const isPart = (index: number, term: number): boolean =>
    isPartOf(keptAt(index, term), disk, snapshotAt(3, 2))
  assert.deepEqual([isPart(2, 1), isPart(3, 2), isPart(3, 1), isPart(4, 2)], [false, true, false, true])
})

test('where the log will be reset to the snapshot, only a state of that very place is gone on from', () => {
  for (const disk of [diskOf([1, 1]), diskOf([1, 1, 1, 1, 1])]) {
    const snapshot = snapshotAt(4, 2)
    assert.equal(isPartOf(keptAt(4, 2), disk, snapshot), true)
    assert.equal(isPartOf(keptAt(5, 1), disk, snapshot), false)
    assert.equal(isPartOf(keptAt(2, 1), disk, snapshot), false)
  }
})

test('a damaged entry does not vouch for a state, but the snapshot may lie on one', () => {
  const disk = diskOf([1, 1, 1])
  disk.damaged = [{ from: 2, to: 2 }]
  assert.equal(isPartOf(keptAt(2, 1), disk, undefined), false)
  assert.equal(isPartOf(keptAt(3, 1), disk, snapshotAt(2, 1)), true)
})

test('where the snapshot that the log begins behind is lost, so is the configuration: no state is gone on from', () => {
  assert.equal(isPartOf(keptAt(4, 1), diskOf([1, 1], 2, 1), undefined), false)
})

test('what the state stands for is committed, and is not handed out again', () => {
  const subject = new Subject({ disk: diskOf([1, 1, 2]), kept: keptAt(2, 1) })
  assert.equal(subject.core.commitIndex, 2)
  const append = {
    kind: 'appendRequest',
    term: 9,
    prevIndex: 3,
    prevTerm: 2,
    entries: [],
    commit: 3,
  } as const
  const { committed, install } = subject.receive('b', append).turn()
  assert.deepEqual([committed.map(({ index }) => index), install], [[3], undefined])
})

test('nothing is handed out before it is flushed here; to a state in memory it is', () => {
  const append = { kind: 'appendRequest', term: 9, prevIndex: 0, prevTerm: 0, commit: 2 } as const
  for (const kept of [undefined, keptAt(0, 0)]) {
    const subject = new Subject({ hardState, ...(kept === undefined ? {} : { kept }) })
    const { committed } = subject.receive('b', { ...append, entries: entriesOf([9, 9]) }).turn()
    assert.equal(committed.length, kept === undefined ? 2 : 0)
    assert.equal(subject.core.hasCommitted, false)
    subject.flush()
    assert.equal(subject.core.hasCommitted, kept !== undefined)
    assert.equal(subject.turn().committed.length, kept === undefined ? 0 : 2)
  }
})

test('a crash between the end of a load and the reset of the log is gone on from', () => {
  const snapshots = new MemorySnapshots()
  snapshots.put({ index: 7, term: 8, ...place }, Uint8Array.of(1))
  const subject = new Subject({ disk: diskOf([1, 1, 1]), snapshots, kept: keptAt(7, 8) })
  const { install, persist } = subject.turn()
  assert.deepEqual([install, persist?.reset, subject.core.commitIndex], [undefined, { index: 7, term: 8 }, 7])
})

test('a snapshot that mends the log does not replace a state that is ahead of it', () => {
  const disk = diskOf([1, 1, 1, 1])
  disk.damaged = [{ from: 2, to: 2 }]
  const subject = new Subject({ disk, kept: keptAt(4, 1) })
  const { snapshots, core } = subject
  const meta = new MemorySnapshots().put({ index: 3, term: 1, ...place }, Uint8Array.of(1))
  subject.receive('b', { kind: 'snapshotOffer', term: 9, meta, isLeader: false }).turn()
  const chunk = { index: 3, checksum: meta.checksum, offset: 0, data: Uint8Array.of(1) }
  subject.receive('b', { kind: 'snapshotChunk', term: 9, ...chunk }).turn()
  assert.equal(snapshots.latest?.index, 3)
  const { install } = subject.tellSnapshots().turn()
  assert.deepEqual([install, core.damaged, core.baseIndex, core.commitIndex], [undefined, [], 3, 4])
})
