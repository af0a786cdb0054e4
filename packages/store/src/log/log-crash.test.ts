/** A crash between every two steps of what takes more than one: the log is as it was before, or as it is after. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { Entry, LogPosition, LogStore } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import {
  chainedEntries,
  contentOf,
  type RequestContent,
  StoreProbe,
  sampleHardState,
} from '../conformance.ts'
import { WITNESS_FILE } from './log-scan.ts'
import { readWitness, Witness } from './log-witness.ts'
import type { LmdbLogStoreOptions } from './open-lmdb-log-store.ts'
import { openLmdbLogStore } from './open-lmdb-log-store.ts'
import { segmentName } from './segment.ts'

const BEFORE = chainedEntries(1, 10, 1)
const behind = (index: number): Entry => BEFORE[index - 1] as Entry

interface Seen {
  readonly base: LogPosition
  readonly content: readonly LogPosition[]
  readonly term: number
}

const seen = (store: LogStore): Seen => ({
  base: store.base,
  content: contentOf(store),
  term: store.hardState.term,
})

/** Steps that begin segments, shadow some, mend sealed ones, or unlink some; the log has segments of three entries. */
const steps: Readonly<Record<string, RequestContent>> = {
  'the next segment is begun': {
    entries: chainedEntries(11, 14, 1, 10, behind(10)),
    hardState: sampleHardState(2),
  },
  'a truncation within the active segment': {
    truncateFrom: 10,
    entries: chainedEntries(10, 11, 3, 10, behind(9)),
    hardState: sampleHardState(3, 'a'),
  },
  'a truncation over segments': {
    truncateFrom: 3,
    entries: chainedEntries(3, 4, 3, 10, behind(2)),
    hardState: sampleHardState(3, 'b'),
  },
  'a truncation over segments that leaves nothing': { truncateFrom: 1, hardState: sampleHardState(4) },
  'a reset ahead': {
    reset: { index: 40, term: 5 },
    entries: chainedEntries(41, 42, 5),
    hardState: sampleHardState(5),
  },
  'a reset back': { reset: { index: 4, term: 2 }, hardState: sampleHardState(5) },
  'a compaction': { compactTo: { index: 7, term: 1 }, hardState: sampleHardState(6) },
}

for (const [title, content] of Object.entries(steps)) {
  test(`crashes between the steps of: ${title}`, () =>
    withTemporaryDirectory(async (directory) => {
      const copies: string[] = []
      const open = (path: string, more: Partial<LmdbLogStoreOptions> = {}): Promise<LogStore> =>
        openLmdbLogStore({ path, segmentEntries: 3, events: new StoreProbe(), ...more })
      const path = join(directory, 'log')
      const earlier = new StoreProbe()
      const filled = await open(path, { events: earlier })
      for (const entry of BEFORE)
        await earlier.write(filled, { entries: [entry], hardState: sampleHardState(1) })
      // From its close on the witness knows how far the log reaches.
      await filled.close()
      const probe = new StoreProbe()
      let isWatched = false
      const store = await open(path, {
        events: probe,
        failpoint: (place) => {
          if (!isWatched) return
          copies.push(place)
          cpSync(path, join(directory, String(copies.length)), { recursive: true })
        },
      })
      const before = seen(store)
      isWatched = true
      await probe.write(store, content)
      isWatched = false
      const after = seen(store)
      assert.notDeepEqual(after, before)
      await store.close()
      assert.ok(copies.includes('committed') && copies.includes('activated'), copies.join())
      for (const [at, place] of copies.entries()) {
        const crashed = await open(join(directory, String(at + 1)))
        assert.deepEqual(crashed.damaged, [], place)
        const found = seen(crashed)
        const isAfter = isDeepStrictEqual(found.content, after.content)
        if (place === 'committed' || place === 'activated') assert.deepEqual(found, after, place)
        // Term and vote stand in the witness too, and may be there first: nobody was told.
        else assert.deepEqual(found, { ...(isAfter ? after : before), term: found.term }, place)
        assert.ok(found.term === after.term || found.term === before.term)
        await crashed.close()
        const again = await open(join(directory, String(at + 1)))
        assert.deepEqual(seen(again), found, 'opened once more it is the same')
        await again.close()
      }
    }))
}

test('a vote that a crash has left in the witness alone goes into the segment with the next batch', () =>
  withTemporaryDirectory(async (path) => {
    const write = async (entries: readonly Entry[], more: RequestContent = {}): Promise<void> => {
      const probe = new StoreProbe()
      const store = await openLmdbLogStore({ path, events: probe })
      await probe.write(store, { entries, ...more })
      await store.close()
    }
    await write(BEFORE.slice(0, 4), { hardState: sampleHardState(1, 'a') })
    const file = join(path, '0', WITNESS_FILE)
    const found = readWitness(file)
    assert.ok(found)
    const witness = Witness.open(file, found, found.remembered, true)
    witness.rememberNow({ hardState: sampleHardState(2, 'b') })
    await witness.close()
    await write([])
    await write(BEFORE.slice(4, 5))
    rmSync(file)
    const store = await openLmdbLogStore({ path, events: new StoreProbe() })
    assert.deepEqual(store.hardState, sampleHardState(2, 'b'))
    await store.close()
  }))

test('a segment that was being made, and a witness that had not heard of the compaction, take nothing of it back', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new StoreProbe()
    const store = await openLmdbLogStore({ path, events: probe })
    await probe.write(store, { entries: BEFORE, hardState: sampleHardState(1, 'a') })
    await probe.write(store, { entries: [], compactTo: { index: 7, term: 1 } })
    await store.close()
    const file = join(path, '0', WITNESS_FILE)
    const found = readWitness(file)
    assert.ok(found)
    const witness = Witness.open(file, found, found.remembered, true)
    witness.rememberNow({ base: { index: 2, term: 1 } })
    await witness.close()
    const made = join(path, '0', segmentName(2))
    rmSync(made, { recursive: true, force: true })
    mkdirSync(made)
    writeFileSync(join(made, 'data.mdb'), '')
    const again = await openLmdbLogStore({ path, events: new StoreProbe() })
    assert.deepEqual(again.base, { index: 7, term: 1 })
    assert.deepEqual(contentOf(again).at(0), { index: 8, term: 1 })
    await again.close()
  }))
