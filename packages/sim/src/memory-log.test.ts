import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Entry, EntryKind, encodeEntry, type PersistRequest, RaftError } from '@troupe/core'
import { crc32 } from '@troupe/wire'
import { Violation } from './contract.ts'
import { MemoryLog } from './memory-log.ts'

function entry(index: number, term: number): Entry {
  const header = { index, term, kind: EntryKind.commands, timeMs: 0, commandCount: 1, configurationIndex: 0 }
  return encodeEntry(header, [Uint8Array.of(index)], crc32)
}

const request = (token: number, rest: Partial<PersistRequest> = {}): PersistRequest => ({
  token,
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries: [],
  compactTo: undefined,
  messages: [],
  ...rest,
})

function opened(): MemoryLog {
  const log = new MemoryLog()
  log.open()
  return log
}

const terms = (log: MemoryLog): number[] => log.read(1, log.lastIndex, 1e9).map(({ term }) => term)

describe('a log on a memory disk', () => {
  test('shows what is flushed, not what waits', () => {
    const log = opened()
    log.persist(request(1, { entries: [entry(1, 1), entry(2, 1)] }))
    assert.equal(log.lastIndex, 0)
    assert.equal(log.seen.lastIndex, 2)
    assert.equal(log.write(), 1)
    assert.deepEqual(terms(log), [1, 1])
  })

  test('loses in a crash what waits, but for a prefix that was written', () => {
    const log = opened()
    log.persist(request(1, { entries: [entry(1, 1)] }))
    log.write()
    log.persist(request(2, { hardState: { term: 2, vote: 'n2', voteIncarnation: 1 } }))
    log.persist(request(3, { truncateFrom: 1, entries: [entry(1, 2)] }))
    log.crash(1)
    log.open()
    assert.equal(log.hardState.term, 2)
    assert.deepEqual(terms(log), [1])
    assert.equal(log.seen.lastIndex, 1)
    log.persist(request(1, { entries: [entry(2, 2)] }))
  })

  test('compaction and resets move the base', () => {
    const log = opened()
    log.persist(request(1, { entries: [entry(1, 1), entry(2, 1), entry(3, 2)] }))
    log.persist(request(2, { compactTo: { index: 2, term: 1 } }))
    log.write()
    assert.deepEqual(log.base, { index: 2, term: 1 })
    assert.equal(log.termAt(2), 1)
    assert.equal(log.termAt(1), undefined)
    log.persist(request(3, { reset: { index: 9, term: 3 }, entries: [entry(10, 3)] }))
    log.write()
    assert.deepEqual(log.base, { index: 9, term: 3 })
    assert.equal(log.lastIndex, 10)
  })

  test('a flipped bit shows when it is read, is known after the next open, and goes with its repair', () => {
    const log = opened()
    log.persist(request(1, { entries: [entry(1, 1), entry(2, 1), entry(3, 1)] }))
    log.write()
    log.flip(2)
    assert.deepEqual(log.damaged, [])
    assert.throws(
      () => log.read(1, 3, 1e9),
      (error) => RaftError.is(error, 'STORAGE_DAMAGED'),
    )
    log.crash(0)
    log.open()
    assert.deepEqual(log.damaged, [{ from: 2, to: 2 }])
    assert.equal(log.termAt(2), undefined)
    log.persist(request(1, { repairs: [entry(2, 1)] }))
    log.write()
    assert.deepEqual(log.damaged, [])
    assert.deepEqual(terms(log), [1, 1, 1])
  })

  test('a flipped bit of what is rolled back is gone with it: damage lies within the log', () => {
    const log = opened()
    log.snapshotIndex = () => 0
    log.persist(request(1, { entries: [entry(1, 1), entry(2, 1), entry(3, 1)] }))
    log.write()
    log.flip(1)
    log.flip(3)
    log.crash(0)
    assert.ok(log.rollBack(2))
    log.open()
    assert.equal(log.lastIndex, 1)
    assert.deepEqual(log.damaged, [{ from: 1, to: 1 }])
  })

  test('holds its caller to the contract', () => {
    const broken: ((log: MemoryLog) => void)[] = [
      (log) => log.persist(request(3)),
      (log) => log.persist(request(2, { entries: [entry(4, 1)] })),
      (log) => log.persist(request(2, { truncateFrom: 9 })),
      (log) => log.persist(request(2, { hardState: { term: 0, vote: '', voteIncarnation: 0 } })),
      (log) => log.read(1, 3, 1e9),
      (log) => log.read(0, 1, 1e9),
      (log) => {
        log.persist(request(2, { truncateFrom: 2 }))
        log.termAt(2)
      },
    ]
    for (const breakIt of broken) {
      const log = opened()
      const hardState = { term: 1, vote: '', voteIncarnation: 0 }
      log.persist(request(1, { hardState, entries: [entry(1, 1), entry(2, 1)] }))
      log.write()
      assert.throws(() => breakIt(log), Violation, String(breakIt))
    }
    const log = opened()
    log.snapshotIndex = () => 0
    log.persist(request(1, { entries: [entry(1, 1)] }))
    assert.throws(() => log.persist(request(2, { compactTo: { index: 1, term: 1 } })), /snapshot covers 0/)
  })
})
