import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemorySnapshots } from '../test/memory-snapshots.ts'
import { configurationOf } from '../test/subject.ts'
import { Installation } from './installation.ts'
import type { SnapshotMeta } from './types.ts'

const place = { term: 1, timeMs: 0, configuration: configurationOf(3), configurationIndex: 0 }

class Bench {
  readonly snapshots = new MemorySnapshots()
  readonly calls: string[] = []
  readonly installation: Installation

  constructor(chunkBytes = 2) {
    const load = () => {
      this.calls.push('load')
      return {
        chunk: (bytes: Uint8Array) => void this.calls.push(`${[...bytes]}`),
        end: () => void this.calls.push('end'),
      }
    }
    this.installation = new Installation(this.snapshots, { load }, chunkBytes)
  }

  put(index: number, ...data: number[]): SnapshotMeta {
    return this.snapshots.put({ index, ...place }, Uint8Array.from(data))
  }
}

test('a snapshot is loaded a chunk a turn; the last one ends it', () => {
  const bench = new Bench()
  const meta = bench.put(5, 1, 2, 3)
  assert.deepEqual([bench.installation.isUnderWay, bench.installation.work()], [false, undefined])
  bench.installation.begin(meta)
  assert.equal(bench.installation.work(), undefined)
  assert.equal(bench.installation.isUnderWay, true)
  assert.equal(bench.installation.work(), meta)
  assert.equal(bench.installation.isUnderWay, false)
  assert.deepEqual(bench.calls, ['load', '1,2', '3', 'end'])
})

test('an empty state is loaded too', () => {
  const bench = new Bench()
  const meta = bench.put(5)
  bench.installation.begin(meta)
  assert.equal(bench.installation.work(), meta)
  assert.deepEqual(bench.calls, ['load', 'end'])
})

test('a later snapshot takes the place of one that is not loaded yet', () => {
  const bench = new Bench()
  const [first, second] = [bench.put(5, 1, 2, 3), bench.put(9, 7)]
  bench.installation.begin(first)
  bench.installation.work()
  bench.installation.begin(second)
  assert.equal(bench.installation.work(), second)
  assert.deepEqual(bench.calls, ['load', '1,2', 'load', '7', 'end'])
})

test('a snapshot that is gone while it is loaded is a broken invariant', () => {
  const bench = new Bench()
  const meta = bench.put(5, 1, 2, 3)
  bench.installation.begin({ ...meta, checksum: meta.checksum + 1 })
  assert.throws(() => bench.installation.work(), { name: 'InvariantError' })
})
