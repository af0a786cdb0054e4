import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { type Entry, EntryKind, encodeEntry, RaftError, simpleConfiguration } from '@troupe/core'
import { DIRECTORY_FORMAT, scanLog, seedNodeDirectory } from '@troupe/store'
import { type Manifest, writeManifest } from './manifest.ts'
import { planRecovery, recoverCluster } from './recover.ts'

const clusterId = 'old'

/** A log in which entry after entry has the terms given. */
function logOf(terms: readonly number[]): Entry[] {
  const entries: Entry[] = []
  for (const term of terms) {
    const head = { index: entries.length + 1, term, kind: EntryKind.noop, timeMs: 0, commandCount: 0 }
    entries.push(encodeEntry({ ...head, configurationIndex: 0 }, [], crc32, entries.at(-1)))
  }
  return entries
}

type Logs = Readonly<Record<string, readonly number[]>>

/** A stopped cluster whose nodes have logs with these terms. */
async function inCluster(logs: Logs, run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'test-recover-'))
  const members = Object.keys(logs).map((id, at) => ({ id, incarnation: at + 1 }))
  const manifest: Manifest = { format: DIRECTORY_FORMAT, clusterId, complete: true, machine: 'kv', members }
  try {
    for (const { id, incarnation } of members) {
      const identity = { clusterId, nodeId: id, incarnation, configuration: simpleConfiguration(members) }
      const hardState = { term: 9, vote: 'n1', voteIncarnation: 1 }
      const entries = () => [logOf(logs[id] ?? [])].filter((batch) => batch.length > 0)
      await seedNodeDirectory(join(directory, id), identity, { snapshot: undefined, hardState, entries })
    }
    writeManifest(directory, manifest)
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Flips a bit in the record, wherever it stands. */
function damage(directory: string, id: string, { record }: Entry): void {
  const folder = join(directory, id, 'log', '0')
  for (const name of readdirSync(folder).filter((found) => /^\d+$/.test(found))) {
    const file = join(folder, name, 'data.mdb')
    const bytes = readFileSync(file)
    for (let at = bytes.indexOf(record); at >= 0; at = bytes.indexOf(record, at + 1)) {
      bytes[at + 60] = (bytes[at + 60] as number) ^ 1
    }
    writeFileSync(file, bytes)
  }
}

const LOGS = { n1: [1, 2, 2, 2, 2, 2], n2: [1, 2, 2, 3], n3: [1, 2, 2, 3, 3], n4: [] } as const

describe('the survivor that is chosen', () => {
  for (const [survivors, chosen] of [
    [['n1', 'n2'], 'n2'],
    [['n2', 'n1'], 'n2'],
    [['n2', 'n3'], 'n3'],
    [['n3', 'n2', 'n1', 'n4'], 'n3'],
    [['n1', 'n4'], 'n1'],
  ] as const) {
    test(`of ${survivors.join(', ')} is ${chosen}: the last term counts before the last index`, () =>
      inCluster(LOGS, async (directory) => {
        assert.equal((await planRecovery(directory, { survivors })).chosen, chosen)
      }))
  }

  test('holds something', () =>
    inCluster(LOGS, async (directory) => {
      await assert.rejects(planRecovery(directory, { survivors: ['n4'] }), /no survivor holds anything/)
    }))

  test('is damaged only where it was named so, and goes up to the damage', () =>
    inCluster(LOGS, async (directory) => {
      damage(directory, 'n3', logOf(LOGS.n3)[4] as Entry)
      const survivors = ['n2', 'n3']
      await assert.rejects(
        planRecovery(directory, { survivors }),
        (error) =>
          RaftError.is(error, 'STORAGE_DAMAGED') &&
          /node n3 .* entries 5 to 5 cannot be had.*leave n3 out .* go on from entry 4/.test(error.message),
      )
      const before = readdirSync(directory)
      await assert.rejects(recoverCluster(directory, { survivors }), /it is damaged/)
      assert.deepEqual(readdirSync(directory), before)
      const plan = await planRecovery(directory, { survivors, damaged: ['n3'] })
      assert.equal(plan.chosen, 'n2')
      assert.deepEqual(
        plan.survivors.map(({ lastIndex }) => lastIndex),
        [4, 4],
      )
    }))
})

describe('the new cluster', () => {
  test('begins with the log of the chosen one and its own members, in a term of its own', () =>
    inCluster(LOGS, async (directory) => {
      const { clusterId: id, members } = await recoverCluster(directory, {
        survivors: ['n3'],
        nodes: ['n3', 'n7'],
      })
      assert.deepEqual(members, ['n3', 'n7'])
      for (const name of members) {
        const found = scanLog(join(directory, name, 'log', '0'))
        assert.equal(found.witness?.remembered.owner.clusterId, id)
        assert.deepEqual(found.hardState, { term: 10, vote: '', voteIncarnation: 0 })
        assert.deepEqual([found.base.index, found.lastIndex, found.damaged], [0, 6, []])
        assert.equal(found.segments.at(-1)?.scanned?.last?.term, 10)
      }
      assert.deepEqual(readdirSync(directory).sort(), [
        'cluster.json',
        'cluster.json.old-1',
        'n1.old-1',
        'n2.old-1',
        'n3',
        'n3.old-1',
        'n4.old-1',
        'n7',
      ])
    }))
})
