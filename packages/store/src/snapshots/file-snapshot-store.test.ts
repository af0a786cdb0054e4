import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { SnapshotEvents, SnapshotStore } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import {
  type OpenSnapshotStore,
  SnapshotProbe,
  sampleSnapshot,
  snapshotStoreConformance,
  wholeOf,
} from '../conformance.ts'
import { type FileSnapshotStoreOptions, openFileSnapshotStore } from './file-snapshot-store.ts'

function opener(options: Partial<FileSnapshotStoreOptions>): OpenSnapshotStore {
  return async (events) => {
    const parent = mkdtempSync(join(tmpdir(), 'troupe-store-'))
    const path = join(parent, 'snapshots')
    const directory = join(path, String(options.identity?.group ?? 0))
    const openAgain = (to: SnapshotEvents): SnapshotStore =>
      openFileSnapshotStore({ path, events: to, ...options })
    let store = openAgain(events)
    const reopen = async (to: SnapshotEvents): Promise<SnapshotStore> => {
      await store.close()
      store = openAgain(to)
      return store
    }
    const cleanup = async (): Promise<void> => {
      await store.close()
      rmSync(parent, { recursive: true })
    }
    return { store, reopen, cleanup, directory }
  }
}

snapshotStoreConformance('files', opener({ identity: { clusterId: 'c', group: 0 } }))
snapshotStoreConformance(
  'files, not flushed',
  opener({ durability: 'acked-before-flush', identity: { clusterId: 'c', group: 3 } }),
)

const snapshotting = fileURLToPath(new URL('../../test/snapshotting-process.ts', import.meta.url))

/** Checks the snapshots that a process has left: whole, and none that was reported is missing. */
async function checkLeft(path: string, reported: number): Promise<void> {
  const probe = new SnapshotProbe()
  const store = openFileSnapshotStore({ path, events: probe })
  const index = store.latest?.index ?? 0
  assert.ok(index === reported || index === reported + 1, `${reported} was reported, ${index} is there`)
  const sampleOf = (which: number) => sampleSnapshot(which, 1 + ((which * 37_003) % 300_000))
  for (const which of [index, index - 1].filter((one) => one > 0)) {
    const { meta, data } = sampleOf(which)
    assert.ok(wholeOf(store, meta)?.equals(data), `snapshot ${which}`)
  }
  const { meta, data } = sampleOf(index + 1)
  store.receive(meta, store.received(meta), data.subarray(store.received(meta)))
  await probe.received(meta)
  assert.ok(wholeOf(store, meta)?.equals(data))
  await store.close()
}

for (const durability of ['flush-before-ack', 'acked-before-flush'] as const) {
  test(`files: only whole snapshots are left after kill -9, ${durability}`, async (t) => {
    for (let round = 0; round < 4; round++) {
      const wanted = 1 + Math.floor(Math.random() * 12)
      await withTemporaryDirectory(async (path) => {
        const child = spawn(process.execPath, [snapshotting, path, durability], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const exit = once(child, 'exit')
        const delayMs = Math.random() * 4
        let last = 0
        for await (const line of createInterface({ input: child.stdout })) {
          last = Number(/^DONE (\d+)$/.exec(line)?.[1] ?? last)
          if (last === wanted) setTimeout(() => child.kill('SIGKILL'), delayMs)
        }
        await exit
        t.diagnostic(`killed ${delayMs.toFixed(1)} ms after snapshot ${wanted}: ${last} reported`)
        await checkLeft(path, last)
      })
    }
  })
}

test('files: a write that fails is reported once, and nothing completes afterwards', (t) =>
  withTemporaryDirectory(async (path) => {
    if (process.platform === 'win32') return t.skip('no ulimit here')
    // In blocks of 512 bytes: the fifth snapshot is the first that is larger.
    const command = 'ulimit -f 330; exec "$0" "$@"'
    const args = [snapshotting, path, 'flush-before-ack']
    const { stdout } = spawnSync('sh', ['-c', command, process.execPath, ...args], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    const lines = stdout.trimEnd().split('\n')
    const done = lines.filter((line) => line.startsWith('DONE'))
    assert.match(lines.at(-2) ?? '', /^FAILED STORAGE_FAILED .*EFBIG/)
    assert.equal(lines.at(-1), 'CLOSED')
    assert.equal(lines.length, done.length + 2)
    t.diagnostic(`${done.length} snapshots, then ${lines.at(-2)}`)
    await checkLeft(path, Number(done.at(-1)?.slice(5) ?? 0))
  }))
