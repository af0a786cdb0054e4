/** When snapshots are taken, and in what pieces (Raft §7). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import { checksum, configurationOf, entriesOf, entryOf } from '../test/subject.ts'
import type { RaftCore } from './raft-core.ts'
import { Snapshotter } from './snapshotter.ts'
import type { SnapshotMeta } from './types.ts'

const configuration = configurationOf(3)
const core = { configurationAt: () => ({ index: 0, configuration }) } as unknown as RaftCore
const pieces = [1, 2, 3, 4, 5].map((value) => new Uint8Array(10).fill(value))

class Recorded extends MemorySnapshots {
  readonly calls: string[] = []
  override begin(): void {
    this.calls.push('begin')
    super.begin()
  }
  override abort(): void {
    this.calls.push('abort')
    super.abort()
  }
}

class Bench {
  readonly snapshots = new Recorded()
  readonly snapshotter: Snapshotter
  saves = 0
  returned = 0
  stateBytes: number | undefined

  constructor(knobs: { snapshotEntries?: number; snapshotBytes?: number; snapshotChunkBytes?: number } = {}) {
    const resolved = { snapshotEntries: 0, snapshotBytes: 0, snapshotChunkBytes: 20, ...knobs }
    const bytes = (): number | undefined => this.stateBytes
    this.snapshotter = new Snapshotter(resolved, checksum, this.snapshots, {
      save: () => this.#save(),
      get stateBytes() {
        return bytes()
      },
    })
  }

  #save(): Iterator<Uint8Array> {
    this.saves++
    const inner = pieces.values()
    return {
      next: () => inner.next(),
      return: () => {
        this.returned++
        return { done: true, value: undefined }
      },
    }
  }

  /** Works until nothing is left to do at once. Returns how many turns that took. */
  work(): number {
    let turns = 0
    for (; this.snapshotter.hasMore && turns < 100; turns++) this.snapshotter.work(core)
    return turns
  }

  saved(): SnapshotMeta | undefined {
    const told: SnapshotMeta[] = []
    const onSnapshotSaved = (meta: SnapshotMeta): void => void told.push(meta)
    this.snapshots.tell({ onSnapshotSaved, onSnapshotReceived: () => {} })
    if (told.length > 0) this.snapshotter.saved()
    return told[0]
  }
}

test('after snapshotEntries entries a snapshot is taken, a chunk a turn', () => {
  const bench = new Bench({ snapshotEntries: 3 })
  bench.snapshotter.applied(entriesOf([1, 1]))
  assert.equal(bench.work(), 0)
  bench.snapshotter.applied([{ ...entryOf(3, 2), timeMs: 77 }])
  assert.equal(bench.work(), 3, 'two pieces of ten bytes a turn, and the end')
  const meta = bench.saved()
  const all = Buffer.concat(pieces)
  const expected = { index: 3, term: 2, timeMs: 77, configuration, configurationIndex: 0 }
  assert.deepEqual(meta, { ...expected, bytes: 50, checksum: checksum(all) })
  assert.deepEqual(Buffer.from(bench.snapshots.read(3, checksum(all), 0, 99) ?? []), all)
})

test('after snapshotBytes record bytes a snapshot is taken', () => {
  const bytes = entryOf(1, 1).record.byteLength
  const bench = new Bench({ snapshotBytes: 2 * bytes })
  bench.snapshotter.applied(entriesOf([1]))
  assert.equal(bench.snapshotter.hasMore, false)
  bench.snapshotter.applied(entriesOf([1], 2))
  assert.equal(bench.snapshotter.hasMore, true)
})

const MIB = 1 << 20

test('a large state waits until the log has grown by half of it', () => {
  const bench = new Bench({ snapshotEntries: 1, snapshotChunkBytes: 64 * MIB })
  bench.stateBytes = 40 * MIB
  let index = 0
  let logBytes = 0
  while (bench.work() === 0) {
    const entry = { ...entryOf(++index, 1), record: new Uint8Array(3 * MIB) }
    logBytes += entry.record.byteLength
    bench.snapshotter.applied([entry])
  }
  assert.equal(logBytes, 21 * MIB)
  bench.saved()
  bench.stateBytes = 31 * MIB
  bench.snapshotter.applied(entriesOf([1], ++index))
  assert.ok(bench.work() > 0, 'one that is not so large does not')
})

test('a state that has become small is saved again, until no large snapshot is kept', () => {
  const bench = new Bench({ snapshotEntries: 1000 })
  const place = { index: 1, term: 1, timeMs: 0, configuration, configurationIndex: 0, checksum: 1 }
  bench.snapshotter.abort({ ...place, bytes: 40 * MIB })
  const saves = [6, 4, 4, 4, 4].map((mebibytes, before) => {
    bench.stateBytes = mebibytes * MIB
    bench.snapshotter.applied(entriesOf([1], before + 2))
    const turns = bench.work()
    bench.saved()
    return turns > 0
  })
  assert.deepEqual(
    saves,
    [false, true, true, false, false],
    'at an eighth, and as often as snapshots are kept',
  )
})

test('a large state that was kept is saved when the log that it goes on from has grown by half of it', () => {
  const bench = new Bench({ snapshotEntries: 1 })
  bench.stateBytes = 40 * MIB
  bench.snapshotter.startFrom({ index: 10, term: 1, timeMs: 0 }, 19 * MIB)
  bench.snapshotter.applied(entriesOf([1], 11))
  assert.equal(bench.work(), 0)
  bench.snapshotter.applied([{ ...entryOf(12, 1), record: new Uint8Array(MIB) }])
  assert.ok(bench.work() > 0)
})

test('with both knobs at 0 none is taken unless it is asked for', () => {
  const bench = new Bench()
  assert.equal(bench.snapshotter.want(), false, 'nothing is applied')
  bench.snapshotter.applied(entriesOf([1, 1, 1, 1]))
  assert.equal(bench.work(), 0)
  assert.equal(bench.snapshotter.want(), true)
  bench.work()
  assert.equal(bench.saved()?.index, 4)
})

test('entries that are applied while one is taken count for the next one', () => {
  const bench = new Bench({ snapshotEntries: 2 })
  bench.snapshotter.applied(entriesOf([1, 1]))
  bench.snapshotter.work(core)
  assert.equal(bench.snapshotter.hasMore, true, 'it is under way')
  bench.snapshotter.applied(entriesOf([1, 1], 3))
  bench.work()
  assert.equal(bench.saves, 1, 'one at a time, and not before it is saved')
  assert.equal(bench.saved()?.index, 2, 'the state as it was at the beginning')
  bench.work()
  assert.equal(bench.saved()?.index, 4)
  bench.snapshotter.applied(entriesOf([1], 5))
  assert.equal(bench.work(), 0, 'and then the count begins anew')
})

test('a slow disk holds it up: nothing is taken from the application, and it is looked after soon', () => {
  const bench = new Bench({ snapshotEntries: 1 })
  bench.snapshotter.applied(entriesOf([1]))
  bench.snapshotter.work(core)
  bench.snapshots.pendingBytes = 1 << 30
  assert.deepEqual([bench.snapshotter.hasMore, bench.snapshotter.deadlineMs(100)], [false, 102])
  bench.snapshotter.work(core)
  bench.snapshots.pendingBytes = 0
  assert.equal(bench.snapshotter.deadlineMs(100), Number.POSITIVE_INFINITY)
  bench.work()
  assert.equal(bench.saved()?.bytes, 50)
})

test('when the state is replaced, what was being taken is given up, and what was applied counts no more', () => {
  const bench = new Bench({ snapshotEntries: 2 })
  bench.snapshotter.applied(entriesOf([1, 1]))
  bench.snapshotter.work(core)
  const meta = { index: 9, term: 3, timeMs: 5, configuration, configurationIndex: 0, bytes: 1, checksum: 1 }
  bench.snapshotter.abort(meta)
  assert.deepEqual([bench.returned, bench.snapshots.calls], [1, ['begin', 'abort']])
  assert.deepEqual([bench.work(), bench.saved()], [0, undefined])
  bench.snapshotter.applied(entriesOf([3], 10))
  assert.equal(bench.work(), 0, 'one entry since the installed one')
  bench.snapshotter.applied(entriesOf([3], 11))
  bench.work()
  assert.equal(bench.saved()?.index, 11)
})

test('a snapshot of an installed state that nothing was applied to bears the place of the installed one', () => {
  const bench = new Bench()
  const meta = { index: 9, term: 3, timeMs: 5, configuration, configurationIndex: 0, bytes: 1, checksum: 1 }
  bench.snapshotter.abort(meta)
  bench.snapshotter.want()
  bench.work()
  const { index, term, timeMs } = bench.saved() ?? {}
  assert.deepEqual([index, term, timeMs], [9, 3, 5])
})
