/** Reports on a log that a store has written, without a cluster around it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  type Entry,
  EntryKind,
  encodeConfiguration,
  encodeEntry,
  type LogStore,
  simpleConfiguration,
} from '@troupe/core'
import { type LmdbLogStoreOptions, openLmdbLogStore } from '@troupe/store'
import { type LogReport, NO_LISTING, reportOn } from './log-report.ts'
import { logPlaces } from './places.ts'

const { signal } = new AbortController()
const members = simpleConfiguration([{ id: 'n1', incarnation: 7 }])

/** Entries of term 1; the second one is a configuration. */
function entries(count: number): Entry[] {
  const made: Entry[] = []
  for (let index = 1; index <= count; index++) {
    const kind = index === 2 ? EntryKind.configuration : EntryKind.commands
    const header = {
      index,
      term: 1,
      kind,
      timeMs: index,
      commandCount: 1,
      configurationIndex: index < 2 ? 0 : 2,
    }
    made.push(encodeEntry(header, index === 2 ? [encodeConfiguration(members)] : [], crc32, made.at(-1)))
  }
  return made
}

type Content = Partial<Parameters<LogStore['persist']>[0]>

/** A log with these writes, each of them acknowledged, and what `look` sees of it. */
async function reporting(
  writes: readonly Content[],
  look: (report: LogReport) => void,
  options: Partial<LmdbLogStoreOptions> = {},
): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'troupe-report-'))
  let acknowledged = Promise.withResolvers<void>()
  const events = {
    onPersisted: () => acknowledged.resolve(),
    onFailed: (error: Error) => acknowledged.reject(error),
    onSpace: () => {},
  }
  const open = () => openLmdbLogStore({ path, segmentEntries: 4, events, ...options })
  try {
    const store = await open()
    const nothing = { hardState: undefined, reset: undefined, truncateFrom: undefined, compactTo: undefined }
    for (const [at, content] of writes.entries()) {
      acknowledged = Promise.withResolvers()
      store.persist({ ...nothing, repairs: [], entries: [], messages: [], ...content, token: at + 1 })
      await acknowledged.promise
    }
    const [place] = logPlaces(path)
    assert.ok(place)
    if (options.durability === 'acked-before-flush') look(await reportOn(place, NO_LISTING, signal, () => {}))
    await store.close()
    // A start makes the next segment ahead where the active one is half full.
    await (await open()).close()
    if (options.durability === undefined) {
      look(await reportOn(place, { from: 3, to: 100, entries: 2 }, signal, () => {}))
    }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

test('segments that are sealed, active and made ahead; members from their entry; the last entries', () =>
  reporting(
    entries(7).map((entry) => ({ entries: [entry] })),
    (report) => {
      assert.deepEqual(
        report.segments.map(({ sequence, firstIndex, lastIndex, state }) => [
          sequence,
          firstIndex,
          lastIndex,
          state,
        ]),
        [
          [1, 1, 4, 'sealed'],
          [2, 5, 7, 'active'],
          [3, undefined, undefined, 'made ahead'],
        ],
      )
      assert.deepEqual([report.members, report.membersFrom], [members, 'entry 2'])
      assert.deepEqual(
        report.entries.map(({ index, kind }) => [index, kind]),
        [
          [6, 'commands'],
          [7, 'commands'],
        ],
      )
      assert.deepEqual([report.problems, report.damaged, report.isUnsynced], [[], [], false])
      assert.equal(report.openBy, undefined)
    },
  ))

test('a configuration that was compacted away and stands in no snapshot is not made up', () =>
  reporting(
    [
      ...entries(7).map((entry) => ({ entries: [entry] })),
      { compactTo: { index: 5, term: 1 }, hardState: { term: 3, vote: 'n1', voteIncarnation: 7 } },
    ],
    (report) => {
      assert.deepEqual([report.base, report.lastIndex], [{ index: 5, term: 1 }, 7])
      assert.deepEqual([report.members, report.membersFrom], [undefined, 'entry 2, which cannot be read'])
      assert.deepEqual(report.hardState, { term: 3, vote: 'n1', voteIncarnation: 7 })
      assert.deepEqual(report.hardStateIn, ['segment 2', 'witness'])
    },
  ))

test('what is acknowledged before it is flushed says so while it is open', () =>
  reporting([{ entries: entries(2) }], ({ isUnsynced }) => assert.equal(isUnsynced, true), {
    durability: 'acked-before-flush',
  }))
