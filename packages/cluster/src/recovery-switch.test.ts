import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { createNodeDirectory, DIRECTORY_FORMAT } from '@troupe/store'
import { type Manifest, openManifest, writeManifest } from './manifest.ts'
import { finishRecovery, type Recovery, stageRecovery, unfinishedRecovery } from './recovery-switch.ts'

function manifestOf(clusterId: string, ids: readonly string[]): Manifest {
  const members = ids.map((id, index) => ({ id, incarnation: index + 1 }))
  return { format: DIRECTORY_FORMAT, clusterId, complete: true, machine: 'kv', members }
}

function makeNode(directory: string, clusterId: string, nodeId: string): void {
  createNodeDirectory(join(directory, nodeId), { clusterId, nodeId, incarnation: 1 })
}

// n1 is chosen, n2 survives, n3 is there but not asked for, n4 is gone, n5 is new.
const recovery: Recovery = {
  manifest: manifestOf('new', ['n2', 'n1', 'n5']),
  old: ['n1', 'n2', 'n3', 'n4'],
  chosen: 'n1',
}

async function inDirectory(run: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'test-switch-'))
  try {
    writeManifest(directory, manifestOf('old', recovery.old))
    for (const id of ['n1', 'n2', 'n3']) makeNode(directory, 'old', id)
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const stage = (directory: string): Promise<void> =>
  stageRecovery(directory, recovery, async (staging) => {
    for (const { id } of recovery.manifest.members) makeNode(staging, 'new', id)
  })

const clusterOf = (path: string): string => JSON.parse(readFileSync(path, 'utf8')).clusterId

function assertSwitched(directory: string): void {
  const expected = ['n1', 'n1.old-1', 'n2', 'n2.old-1', 'n3.old-1', 'n5']
  const archives = readdirSync(directory).filter((name) => name.startsWith('cluster.json.old-'))
  assert.ok(archives.length >= 1)
  for (const name of archives) assert.equal(clusterOf(join(directory, name)), 'old')
  const others = readdirSync(directory).filter((name) => !archives.includes(name))
  assert.deepEqual(others.sort(), ['cluster.json', ...expected])
  assert.equal(clusterOf(join(directory, 'cluster.json')), 'new')
  for (const name of expected) {
    const clusterId = name.includes('.old-') ? 'old' : 'new'
    assert.equal(clusterOf(join(directory, name, 'identity.json')), clusterId, name)
  }
}

const staged = (directory: string, ...names: string[]): string => join(directory, '.recovering', ...names)

describe('a recovery takes the place of a cluster', () => {
  test('as a whole', () =>
    inDirectory(async (directory) => {
      await stage(directory)
      finishRecovery(directory, recovery)
      assertSwitched(directory)
      assert.equal(unfinishedRecovery(directory), undefined)
      assert.equal(openManifest(directory, undefined, 'kv').clusterId, 'new')
    }))

  test('wherever it was cut off, the next attempt goes on with it, and until then nothing starts', async () => {
    // The steps, one after the other, as the switch takes them.
    const steps: ((directory: string) => void)[] = [
      (directory) => renameSync(join(directory, 'n1'), join(directory, 'n1.old-1')),
      (directory) => renameSync(staged(directory, 'n1'), join(directory, 'n1')),
      (directory) => renameSync(join(directory, 'n2'), join(directory, 'n2.old-1')),
      (directory) => renameSync(staged(directory, 'n2'), join(directory, 'n2')),
      (directory) => renameSync(join(directory, 'n3'), join(directory, 'n3.old-1')),
      (directory) => renameSync(staged(directory, 'n5'), join(directory, 'n5')),
      (directory) => cpSync(join(directory, 'cluster.json'), join(directory, 'cluster.json.old-1')),
      (directory) => writeManifest(directory, recovery.manifest),
    ]
    for (let count = 1; count <= steps.length; count++) {
      await inDirectory(async (directory) => {
        await stage(directory)
        for (const step of steps.slice(0, count)) step(directory)
        assert.throws(
          () => openManifest(directory, undefined, 'kv'),
          (error) => RaftError.is(error, 'INVALID_DIRECTORY') && /a recovery was cut off/.test(error.message),
        )
        const found = unfinishedRecovery(directory)
        assert.deepEqual(found, recovery, `after ${count} steps`)
        finishRecovery(directory, found as Recovery)
        assertSwitched(directory)
      })
    }
  })

  test('what was added to the new cluster meanwhile stays', () =>
    inDirectory(async (directory) => {
      await stage(directory)
      cpSync(staged(directory), join(directory, 'kept'), { recursive: true })
      finishRecovery(directory, recovery)
      rmSync(join(directory, 'n3.old-1'), { recursive: true })
      makeNode(directory, 'new', 'n3')
      // As if the last step, removing what was staged, had been lost.
      mkdirSync(staged(directory))
      renameSync(join(directory, 'kept', 'recovery.json'), staged(directory, 'recovery.json'))
      finishRecovery(directory, unfinishedRecovery(directory) as Recovery)
      assert.equal(clusterOf(join(directory, 'n3', 'identity.json')), 'new')
      assert.ok(!existsSync(staged(directory)))
    }))

  test('before its first rename nothing has happened', () =>
    inDirectory(async (directory) => {
      await stage(directory)
      assert.equal(unfinishedRecovery(directory), undefined)
      await stage(directory)
      rmSync(staged(directory, 'recovery.json'))
      assert.equal(openManifest(directory, undefined, 'kv').clusterId, 'old')
    }))

  test('nothing is left of one that cannot be built', () =>
    inDirectory(async (directory) => {
      const before = readdirSync(directory)
      const failing = stageRecovery(directory, recovery, async (staging) => {
        writeFileSync(join(staging, 'half'), '')
        throw new Error('no space')
      })
      await assert.rejects(
        failing,
        (error) => RaftError.is(error, 'INVALID_DIRECTORY') && /no space/.test(error.message),
      )
      assert.deepEqual(readdirSync(directory), before)
    }))
})
