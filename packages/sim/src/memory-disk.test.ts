import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EMPTY_CONFIGURATION, EntryKind, encodeEntry, type SnapshotMeta } from '@troupe/core'
import { crc32 } from '@troupe/wire'
import { Violation } from './contract.ts'
import { diceOf } from './dice.ts'
import { MemoryDisk } from './memory-disk.ts'
import { Scheduler } from './scheduler.ts'

const state = Uint8Array.from({ length: 100 }, (_, at) => at)

const metaOf = (index: number, bytes = state): SnapshotMeta => ({
  index,
  term: 1,
  timeMs: 0,
  configuration: EMPTY_CONFIGURATION,
  configurationIndex: 0,
  bytes: bytes.byteLength,
  checksum: crc32(bytes),
})

function newDisk(): { disk: MemoryDisk; told: string[]; run: () => void } {
  const scheduler = new Scheduler()
  const told: string[] = []
  const speed = { flushMs: 1, jitterMs: 0.1, bytesPerMs: 1000 }
  const disk = new MemoryDisk(scheduler, diceOf(1, 1), speed, crc32, {
    persisted: (token) => told.push(`persisted ${token}`),
    spaceChanged: (isFull) => told.push(isFull ? 'full' : 'space'),
    snapshotSaved: ({ index }) => told.push(`saved ${index}`),
    snapshotReceived: ({ index }) => told.push(`received ${index}`),
    storageFailed: () => told.push('failed'),
  })
  disk.open()
  const run = (): void => {
    while (scheduler.step());
  }
  return { disk, told, run }
}

const empty = {
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries: [],
  compactTo: undefined,
  messages: [],
}
const voted = (token: number) => ({
  ...empty,
  token,
  hardState: { term: token, vote: '', voteIncarnation: 0 },
})

const appended = (token: number, index: number) => {
  const header = { index, term: 1, kind: EntryKind.noop, timeMs: 0, commandCount: 0, configurationIndex: 0 }
  return { ...empty, token, entries: [encodeEntry(header, [], crc32)] }
}

describe('a memory disk', () => {
  test('that is full takes votes, and entries in their order once there is room', () => {
    const { disk, told, run } = newDisk()
    disk.fill()
    for (const request of [voted(1), appended(2, 1), voted(3)]) disk.log.persist(request)
    disk.kick()
    run()
    assert.deepEqual(told, ['full', 'persisted 1'], 'what stands behind the entries waits with them')
    disk.makeRoom()
    run()
    assert.deepEqual(told, ['full', 'persisted 1', 'space', 'persisted 3'])
    assert.equal(disk.log.flushed.lastIndex, 1)
  })

  test('flushes what waits, in one go, and tells of the last token', () => {
    const { disk, told, run } = newDisk()
    disk.log.persist(voted(1))
    disk.kick()
    disk.log.persist(voted(2))
    disk.log.persist(voted(3))
    disk.kick()
    run()
    assert.deepEqual(told, ['persisted 1', 'persisted 3'])
  })

  test('tells of nothing that was begun before a crash', () => {
    const { disk, told, run } = newDisk()
    disk.log.persist(voted(1))
    disk.kick()
    disk.crash()
    disk.open()
    run()
    assert.deepEqual(told, [])
  })

  test('stalls, and goes on', () => {
    const { disk, told, run } = newDisk()
    disk.stall()
    disk.log.persist(voted(1))
    disk.kick()
    run()
    assert.deepEqual(told, [])
    disk.release()
    run()
    assert.deepEqual(told, ['persisted 1'])
  })

  test('fails', () => {
    const { disk, told, run } = newDisk()
    disk.isFailing = true
    disk.log.persist(voted(1))
    disk.kick()
    run()
    assert.deepEqual(told, ['failed'])
  })
})

describe('snapshots on a memory disk', () => {
  test('are written, kept in twos, and read in pieces', () => {
    const { disk, told, run } = newDisk()
    const { snapshots } = disk
    for (const index of [3, 5, 7]) {
      snapshots.begin()
      snapshots.write(state.subarray(0, 60))
      snapshots.write(state.subarray(60))
      assert.equal(snapshots.pendingBytes, 100)
      snapshots.finish(metaOf(index))
      run()
    }
    assert.deepEqual(told, ['saved 3', 'saved 5', 'saved 7'])
    assert.equal(snapshots.pendingBytes, 0)
    assert.equal(snapshots.latest?.index, 7)
    assert.deepEqual(snapshots.read(5, crc32(state), 90, 50), state.subarray(90))
    assert.equal(snapshots.read(3, crc32(state), 0, 50), undefined)
  })

  test('a received one goes on after a crash where it was flushed', () => {
    const { disk, told, run } = newDisk()
    const { snapshots } = disk
    const meta = metaOf(9)
    assert.equal(snapshots.received(meta), 0)
    snapshots.receive(meta, 0, state.subarray(0, 40))
    run()
    snapshots.receive(meta, 40, state.subarray(40, 70))
    snapshots.receive(meta, 90, state.subarray(90))
    assert.equal(snapshots.received(meta), 70)
    disk.crash()
    disk.open()
    assert.equal(snapshots.received(meta), 40)
    snapshots.receive(meta, 40, state.subarray(40))
    run()
    assert.deepEqual(told, ['received 9'])
    assert.equal(snapshots.latest?.index, 9)
  })

  test('a received one that does not fit its checksum is dropped', () => {
    const { disk, told, run } = newDisk()
    const meta = { ...metaOf(9), checksum: 1 }
    disk.snapshots.receive(meta, 0, state)
    run()
    assert.deepEqual(told, [])
    assert.equal(disk.snapshots.received(meta), 0)
    assert.equal(disk.snapshots.latest, undefined)
  })

  test('a damaged one throws when it is read, and gives way to the one before at the next open', () => {
    const { disk, run } = newDisk()
    const { snapshots } = disk
    for (const index of [3, 5]) {
      snapshots.begin()
      snapshots.write(state)
      snapshots.finish(metaOf(index))
      run()
    }
    assert.ok(snapshots.flip())
    assert.throws(() => snapshots.read(5, crc32(state), 0, 1), /STORAGE_DAMAGED|checksum/)
    disk.crash()
    disk.open()
    assert.equal(snapshots.latest?.index, 3)
    assert.ok(snapshots.flip())
    disk.crash()
    disk.open()
    assert.equal(snapshots.latest, undefined)
  })

  test('holds its caller to the contract', () => {
    const { disk } = newDisk()
    assert.throws(() => disk.snapshots.write(state), Violation)
    assert.throws(() => disk.snapshots.finish(metaOf(1)), Violation)
    disk.snapshots.begin()
    disk.snapshots.write(state.subarray(1))
    assert.throws(() => disk.snapshots.finish(metaOf(1)), Violation)
  })
})
