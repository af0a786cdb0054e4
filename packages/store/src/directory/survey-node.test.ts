/** Nodes that begin with a state, and what can be had of a node that is stopped. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Entry, RaftError, type SnapshotMeta, simpleConfiguration } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import {
  chainedEntries,
  contentOf,
  placesOf,
  receiveAll,
  type SampleSnapshot,
  SnapshotProbe,
  StoreProbe,
  sampleHardState,
  sampleSnapshot,
  wholeOf,
} from '../conformance.ts'
import {
  isDirectoryInUse,
  type NodeSeed,
  openFileSnapshotStore,
  openLmdbLogStore,
  openNodeDirectory,
  seedNodeDirectory,
  surveyNode,
} from '../index.ts'
import { dataFileOf } from '../lmdb-database.ts'
import { segmentName } from '../log/segment.ts'

const configuration = simpleConfiguration([{ id: 'a', incarnation: 7 }])
const identity = { clusterId: 'blue', nodeId: 'a', incarnation: 7, configuration }
const owner = { clusterId: 'blue', nodeId: 'a', incarnation: 7 }
const sample = sampleSnapshot(10, 300_000)
const behind = chainedEntries(11, 20, sample.meta.term, 50)

const seedOf = (snapshot: SampleSnapshot | undefined, entries: readonly Entry[]): NodeSeed => ({
  snapshot: snapshot && {
    meta: snapshot.meta,
    pieces: async function* () {
      for (let from = 0; from < snapshot.data.byteLength; from += 100_001)
        yield [snapshot.data.subarray(from, from + 100_001)]
    },
  },
  hardState: sampleHardState(30),
  entries: () => [entries.slice(0, 4), entries.slice(4)].filter((batch) => batch.length > 0),
})

const inNode = (seed: NodeSeed, run: (path: string) => Promise<void>) => () =>
  withTemporaryDirectory(async (folder) => {
    const path = join(folder, 'a')
    await seedNodeDirectory(path, identity, seed)
    await run(path)
  })

/** A later snapshot, as a leader sends it; the log is not touched, as if the node had died then. */
async function addSnapshot(path: string, snapshot: SampleSnapshot): Promise<string> {
  const events = new SnapshotProbe()
  const place = { path: join(path, 'snapshots'), identity: { clusterId: 'blue', group: 0 } }
  const store = openFileSnapshotStore({ ...place, events })
  receiveAll(store, snapshot)
  await events.received(snapshot.meta)
  await store.close()
  return latestSnapshot(path)
}

function latestSnapshot(path: string): string {
  const folder = join(path, 'snapshots', '0')
  return join(folder, readdirSync(folder).sort().at(-1) as string)
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] as number) ^ 1
  writeFileSync(file, bytes)
}

function damageEntry(path: string, entry: Entry): void {
  const folder = join(path, 'log', '0')
  for (const name of readdirSync(folder).filter((found) => /^\d+$/.test(found))) {
    const file = dataFileOf(join(folder, name))
    const bytes = readFileSync(file)
    for (let at = bytes.indexOf(entry.record); at >= 0; at = bytes.indexOf(entry.record, at + 1))
      flip(file, at + 70)
  }
}

function contents(path: string): Map<string, string> {
  const found = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    found
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file, 'base64')]),
  )
}

async function survey(path: string) {
  const before = contents(path)
  const { snapshot, last, term, damage, entries } = await surveyNode(path)
  const found = [...entries()].flat()
  assert.deepEqual(contents(path), before, 'a look changes nothing')
  return {
    snapshot: snapshot?.meta.index,
    last: last.index,
    lastTerm: last.term,
    term,
    damage,
    entries: found,
  }
}

test(
  'a node begins with the state, the entries and the term that it was given',
  inNode(seedOf(sample, behind), async (path) => {
    const directory = openNodeDirectory(path, owner)
    const log = await openLmdbLogStore({ path: directory.logPath, owner, events: new StoreProbe() })
    assert.deepEqual(log.base, { index: 10, term: sample.meta.term })
    assert.deepEqual([log.damaged, contentOf(log)], [[], placesOf(behind)])
    assert.deepEqual(log.hardState, sampleHardState(30))
    await log.close()
    const place = { path: directory.snapshotPath, identity: { clusterId: 'blue', group: 0 } }
    const snapshots = openFileSnapshotStore({ ...place, events: new SnapshotProbe() })
    assert.deepEqual(snapshots.latest, sample.meta)
    assert.ok(wholeOf(snapshots, sample.meta)?.equals(sample.data))
    await snapshots.close()
    directory.close()
    // It counts as lost, where it was never there.
    rmSync(directory.logPath, { recursive: true })
    assert.throws(() => openNodeDirectory(path, owner), /its log is gone/)
  }),
)

test('a state that does not fit what is said of it makes no node', () =>
  withTemporaryDirectory(async (folder) => {
    const meta: SnapshotMeta = { ...sample.meta, checksum: 1 }
    await assert.rejects(
      seedNodeDirectory(join(folder, 'a'), identity, seedOf({ ...sample, meta }, [])),
      (error) => RaftError.is(error, 'STORAGE_FAILED'),
    )
    await assert.rejects(surveyNode(join(folder, 'b')), (error) => RaftError.is(error, 'INVALID_DIRECTORY'))
  }))

test(
  'snapshot and log together are the state of a node',
  inNode(seedOf(sample, behind), async (path) => {
    const found = await survey(path)
    assert.deepEqual(
      found.entries.map(({ index }) => index),
      behind.map(({ index }) => index),
    )
    assert.deepEqual(
      { ...found, entries: [] },
      {
        snapshot: 10,
        last: 20,
        lastTerm: sample.meta.term,
        term: 30,
        damage: [],
        entries: [],
      },
    )
  }),
)

test(
  'a log without a snapshot goes from its first entry to its last',
  inNode(seedOf(undefined, chainedEntries(1, 6, 2, 50)), async (path) => {
    const { snapshot, last, lastTerm, entries } = await survey(path)
    assert.deepEqual([snapshot, last, lastTerm, entries.length], [undefined, 6, 2, 6])
  }),
)

test(
  'what stands behind a damaged entry cannot be had, and is told of',
  inNode(seedOf(sample, behind), async (path) => {
    damageEntry(path, behind[4] as Entry)
    const { last, damage, entries } = await survey(path)
    assert.deepEqual([last, entries.length], [14, 4])
    assert.match(damage.join(), /entries 15 to 20 cannot be had.*entry 15 does not fit its checksum/)
  }),
)

test(
  'nor what a damaged snapshot stands for',
  inNode(seedOf(sample, behind), async (path) => {
    flip(latestSnapshot(path), 200_000)
    const { last, damage } = await survey(path)
    assert.equal(last, 0)
    assert.match(damage.join(), /entries 1 to 20 cannot be had/)
  }),
)

test(
  'a snapshot that was received counts, whatever the log says',
  inNode(seedOf(sample, behind), async (path) => {
    const file = await addSnapshot(path, sampleSnapshot(40, 100))
    const { snapshot, last, damage, entries } = await survey(path)
    assert.deepEqual([snapshot, last, damage, entries], [40, 40, [], []])
    flip(file, 100)
    const without = await survey(path)
    assert.deepEqual([without.snapshot, without.last], [10, 20])
    assert.match(without.damage.join(), /entries 21 to 40 cannot be had/)
  }),
)

test(
  'a later snapshot that is damaged does no harm where the log reaches as far',
  inNode(seedOf(sample, behind), async (path) => {
    const { meta, data } = sampleSnapshot(15, 100)
    const file = await addSnapshot(path, { meta: { ...meta, term: sample.meta.term }, data })
    assert.deepEqual([(await survey(path)).snapshot, (await survey(path)).last], [15, 20])
    flip(file, 100)
    const { snapshot, last, damage } = await survey(path)
    assert.deepEqual([snapshot, last, damage], [10, 20, []])
  }),
)

test(
  'a log of which term and vote are lost leaves the snapshot',
  inNode(seedOf(sample, behind), async (path) => {
    rmSync(join(path, 'log', '0', 'witness'))
    const folder = join(path, 'log', '0')
    for (const name of readdirSync(folder))
      writeFileSync(dataFileOf(join(folder, name)), Buffer.alloc(8192, 1))
    assert.ok(existsSync(join(folder, segmentName(1))))
    const { last, damage } = await survey(path)
    assert.equal(last, 10)
    assert.match(damage.join(), /term and vote are lost/)
  }),
)

test(
  'whether a directory is in use is told without touching it',
  inNode(seedOf(sample, []), async (path) => {
    assert.equal(isDirectoryInUse(path), false)
    const directory = openNodeDirectory(path, owner)
    assert.equal(isDirectoryInUse(path), true)
    assert.throws(() => openNodeDirectory(path, owner), /it is in use/, 'and the lock is still held')
    directory.close()
    assert.equal(isDirectoryInUse(path), false)
  }),
)
