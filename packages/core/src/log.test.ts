import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contentOf, MemoryDisk } from '../test/memory-disk.ts'
import { configurationOf, entriesOf, entryOf, requestOf } from '../test/subject.ts'
import type { Entry } from './entry.ts'
import { RaftLog } from './log.ts'

const manyBytes = 1 << 20
const entryBytes = entryOf(1, 1).record.byteLength

const logOn = (disk: MemoryDisk, maxTailBytes: number): RaftLog =>
  new RaftLog(disk, undefined, configurationOf(3), maxTailBytes)

/** A log found on a disk. */
function logOf(terms: readonly number[], maxTailBytes = manyBytes): RaftLog {
  const hardState = { term: 9, vote: '', voteIncarnation: 0 }
  return logOn(new MemoryDisk(contentOf(hardState, entriesOf(terms))), maxTailBytes)
}

const indexesOf = (entries: readonly Entry[]): number[] => entries.map(({ index }) => index)

test('an empty log ends at index 0 in term 0', () => {
  const log = logOf([])
  assert.deepEqual([log.lastIndex, log.lastTerm, log.committed, log.stable], [0, 0, 0, 0])
  assert.equal(log.matches(0, 0), true)
  assert.equal(log.termAt(1), undefined)
})

test('what is found on the disk is flushed and not known to be committed', () => {
  const log = logOf([1, 1, 4])
  assert.deepEqual([log.lastIndex, log.lastTerm, log.committed, log.stable], [3, 4, 0, 3])
  assert.deepEqual(
    [1, 2, 3, 4].map((index) => log.termAt(index)),
    [1, 1, 4, undefined],
  )
})

test('§5.4.1 the log with the later last term is more up to date; of equal ones, the longer', () => {
  const log = logOf([1, 1, 3])
  assert.equal(log.isUpToDate(1, 4), true)
  assert.equal(log.isUpToDate(9, 2), false)
  assert.equal(log.isUpToDate(3, 3), true)
  assert.equal(log.isUpToDate(2, 3), false)
  assert.equal(log.isUpToDate(4, 3), true)
})

test('appends and truncations keep the order of indexes', () => {
  const log = logOf([1, 1])
  log.append(entryOf(3, 2))
  assert.throws(() => log.append(entryOf(5, 2)), { name: 'InvariantError' })
  assert.throws(() => log.append(entryOf(3, 2)), { name: 'InvariantError' })
  log.truncateFrom(2)
  assert.deepEqual([log.lastIndex, log.lastTerm, log.stable], [1, 1, 1])
  log.append(entryOf(2, 3))
  assert.deepEqual([log.lastTerm, log.stable], [3, 1])
})

test('§5.3 what is committed is never truncated, and nothing is committed that is not there', () => {
  const log = logOf([1, 1, 1])
  log.commitTo(2)
  assert.throws(() => log.truncateFrom(2), { name: 'InvariantError' })
  assert.throws(() => log.commitTo(4), { name: 'InvariantError' })
  log.commitTo(1)
  assert.equal(log.committed, 2, 'commit never goes back')
})

test('committed entries are handed out in order, once, in pages of bytes, at least one', () => {
  const log = logOf([1, 1, 1, 1, 1])
  log.commitTo(4)
  assert.deepEqual(indexesOf(log.takeCommitted(2 * entryBytes)), [1, 2])
  assert.deepEqual(indexesOf(log.takeCommitted(1)), [3])
  assert.equal(log.hasCommitted, true)
  assert.deepEqual(indexesOf(log.takeCommitted(manyBytes)), [4])
  assert.equal(log.hasCommitted, false)
  assert.deepEqual(log.takeCommitted(manyBytes), [])
})

test('the tail lets go only of what is flushed and handed out', () => {
  const disk = new MemoryDisk()
  const log = logOn(disk, 1)
  const entries = entriesOf([1, 1, 1, 1])
  for (const entry of entries) log.append(entry)
  log.commitTo(4)
  log.takeCommitted(2 * entryBytes)
  assert.deepEqual(indexesOf(log.read(1, 4, manyBytes)), [1, 2, 3, 4], 'not flushed: still in memory')
  disk.persist(requestOf(1, { entries }))
  disk.write()
  log.stableTo(4)
  log.takeCommitted(1)
  assert.deepEqual(
    indexesOf(log.read(1, 4, manyBytes)),
    [1, 2, 3],
    'from the disk, up to where the tail begins',
  )
  assert.deepEqual(indexesOf(log.read(4, 4, manyBytes)), [4])
  assert.equal(log.termAt(1), 1)
})

test('the tail lets go of what nobody needs, but for the last one handed out', () => {
  const disk = new MemoryDisk()
  const log = logOn(disk, manyBytes)
  const entries = entriesOf([1, 1, 1, 1, 1])
  for (const entry of entries) log.append(entry)
  disk.persist(requestOf(1, { entries }))
  disk.write()
  log.commitTo(5)
  /** The tail begins where a read from the disk ends. */
  const startOf = (): number => log.read(1, 5, manyBytes).length + 1
  log.takeCommitted(3 * entryBytes, 3)
  assert.equal(startOf(), 6, 'not flushed: all in memory')
  log.stableTo(4)
  log.takeCommitted(1, 3)
  assert.equal(startOf(), 3)
  log.takeCommitted(manyBytes, Number.POSITIVE_INFINITY)
  assert.equal(startOf(), 5)
  assert.deepEqual(indexesOf(log.read(5, 5, 1)), [5])
})

test('the highest index with a term at most: where the logs may still agree', () => {
  const log = logOf([1, 1, 4, 4, 6])
  assert.equal(log.lastIndexWithTermAtMost(5, 5), 4)
  assert.equal(log.lastIndexWithTermAtMost(9, 9), 5)
  assert.equal(log.lastIndexWithTermAtMost(4, 3), 2)
  assert.equal(log.lastIndexWithTermAtMost(3, 0), 0)
})

test('with any budget of memory and any order of flushes it is the same log as an array', () => {
  const step = fc.record({
    kind: fc.constantFrom('append', 'truncate', 'flush', 'commit', 'take'),
    n: fc.nat(6),
  })
  fc.assert(
    fc.property(
      fc.constantFrom(1, 150, manyBytes),
      fc.array(step, { maxLength: 80 }),
      (maxTailBytes, steps) => {
        const disk = new MemoryDisk()
        const log = logOn(disk, maxTailBytes)
        const model: Entry[] = []
        let term = 1
        let committed = 0
        let taken = 0
        let token = 0
        const persist = (truncateFrom: number | undefined, entries: Entry[]): void =>
          disk.persist(requestOf(++token, { truncateFrom, entries }))
        for (const { kind, n } of steps) {
          if (kind === 'append') {
            const entries = entriesOf(Array(n).fill(term), model.length + 1)
            for (const entry of entries) log.append(entry)
            model.push(...entries)
            persist(undefined, entries)
          }
          if (kind === 'truncate' && model.length - n > committed) {
            log.truncateFrom(model.length - n + 1)
            model.length -= n
            term++
            persist(model.length + 1, [])
          }
          if (kind === 'flush' && disk.write() > 0) log.stableTo(model.length)
          if (kind === 'commit') {
            committed = Math.max(committed, Math.min(model.length, committed + n))
            log.commitTo(committed)
          }
          if (kind === 'take') {
            for (const entry of log.takeCommitted(n * 50, n * n)) assert.equal(entry, model[taken++])
          }
          assert.deepEqual(
            [log.lastIndex, log.committed, log.lastTerm],
            [model.length, committed, model.at(-1)?.term ?? 0],
          )
          for (let index = 1; index <= model.length; index++) {
            assert.equal(log.termAt(index), model[index - 1]?.term)
            assert.equal(log.read(index, model.length, 1)[0], model[index - 1])
          }
        }
      },
    ),
    { numRuns: 300 },
  )
})
