import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RaftError, type SnapshotEvents, type SnapshotStore } from '@troupe/core'
import { open } from 'lmdb'
import { withTemporaryDirectory } from '../test/temporary-directory.ts'
import {
  type OpenSnapshotStore,
  quiescent,
  SnapshotProbe,
  sampleSnapshot,
  snapshotStoreConformance,
  wholeOf,
  writeAll,
} from './conformance.ts'
import { type LmdbSnapshotStoreOptions, openLmdbSnapshotStore } from './lmdb-snapshot-store.ts'

function opener(options: Partial<LmdbSnapshotStoreOptions>): OpenSnapshotStore {
  return async (events) => {
    const parent = mkdtempSync(join(tmpdir(), 'troupe-store-'))
    const path = join(parent, 'snapshots')
    const openAgain = (to: SnapshotEvents): SnapshotStore =>
      openLmdbSnapshotStore({ path, events: to, ...options })
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
    return { store, reopen, cleanup }
  }
}

snapshotStoreConformance('lmdb', opener({}))
snapshotStoreConformance('lmdb, not flushed', opener({ durability: 'acked-before-flush', group: 3 }))

const isDamage = (reason: RegExp) => (error: unknown) =>
  RaftError.is(error, 'STORAGE_DAMAGED') && reason.test(error.message)

/** Undefined removes the value. */
type Edit = (value: Buffer) => Uint8Array | undefined

/** Opens the databases past the store: how many chunks there are, and a change of one value. */
async function inspect(
  path: string,
  database?: 'chunks' | 'snapshots',
  edit?: Edit,
  start = Buffer.alloc(0),
): Promise<number> {
  const root = open({ path, encoding: 'binary', maxDbs: 16 })
  const named = (name: string) =>
    root.openDB<Buffer, Buffer>({ name: `${name}-0`, encoding: 'binary', keyEncoding: 'binary' })
  if (database !== undefined && edit !== undefined) {
    const [found] = [...named(database).getRange({ start, limit: 1 })]
    assert.ok(found)
    const key = Buffer.from(found.key)
    const value = edit(Buffer.from(found.value))
    await (value === undefined ? named(database).remove(key) : named(database).put(key, Buffer.from(value)))
    await root.flushed
  }
  const { entryCount } = named('chunks').getStats() as { entryCount: number }
  await root.close()
  return entryCount
}

const flipLastBit: Edit = (value) => {
  value[value.length - 1] = (value.at(-1) as number) ^ 1
  return value
}

async function filled(path: string): Promise<void> {
  const probe = new SnapshotProbe()
  const store = openLmdbSnapshotStore({ path, events: probe })
  const sample = sampleSnapshot(4, 200_000)
  writeAll(store, sample)
  await probe.saved(sample.meta)
  await store.close()
}

test('lmdb: the environment is made with the first snapshot', () =>
  withTemporaryDirectory(async (parent) => {
    const path = join(parent, 'snapshots')
    const probe = new SnapshotProbe()
    const store = openLmdbSnapshotStore({ path, events: probe })
    store.begin()
    store.abort()
    assert.equal(store.received(sampleSnapshot(4, 10).meta), 0)
    await store.close()
    assert.ok(!existsSync(path))
    await filled(path)
    assert.ok(existsSync(path))
  }))

test('lmdb: damage is found when it is read', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    await inspect(path, 'chunks', flipLastBit)
    const store = openLmdbSnapshotStore({ path, events: new SnapshotProbe() })
    const { meta, data } = sampleSnapshot(4, 200_000)
    assert.deepEqual(store.latest, meta)
    assert.throws(
      () => store.read(4, meta.checksum, 0, 10),
      isDamage(/snapshot 1 is damaged or missing at byte 0/),
    )
    const end = store.read(4, meta.checksum, 199_000, 5000)
    assert.ok(end && data.subarray(199_000).equals(end))
    await store.close()
  }))

test('lmdb: a missing chunk is not taken from elsewhere', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    const probe = new SnapshotProbe()
    const store = openLmdbSnapshotStore({ path, events: probe })
    const second = sampleSnapshot(5, 100_000)
    writeAll(store, second)
    await probe.saved(second.meta)
    await store.close()
    await inspect(path, 'chunks', () => undefined, Buffer.from([0, 0, 0, 2]))
    const again = openLmdbSnapshotStore({ path, events: probe })
    assert.throws(() => again.read(5, second.meta.checksum, 0, 10), isDamage(/snapshot 2 .* at byte 0/))
    await again.close()
  }))

test('lmdb: a damaged record is found at open', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    await inspect(path, 'snapshots', flipLastBit)
    assert.throws(
      () => openLmdbSnapshotStore({ path, events: new SnapshotProbe() }),
      isDamage(/record is damaged/),
    )
  }))

test('lmdb: what is left over is taken away, also after a restart', () =>
  withTemporaryDirectory(async (path) => {
    await filled(path)
    const first = openLmdbSnapshotStore({ path, events: new SnapshotProbe() })
    first.begin()
    first.write(sampleSnapshot(5, 30_000_000).data)
    const waiting = sampleSnapshot(6, 1_000_000)
    first.receive(waiting.meta, 0, waiting.data.subarray(0, 300_000))
    await quiescent(first)
    await first.close()
    assert.ok((await inspect(path)) > 450)
    const probe = new SnapshotProbe()
    const store = openLmdbSnapshotStore({ path, events: probe })
    assert.equal(store.received(waiting.meta), 300_000)
    for (const index of [7, 8]) {
      const sample = sampleSnapshot(index, 10)
      writeAll(store, sample)
      await probe.saved(sample.meta)
    }
    assert.equal(store.received(waiting.meta), 300_000)
    store.receive({ ...waiting.meta, index: 9 }, 0, waiting.data.subarray(0, 10))
    // Each commit takes a slice away; the last of them report nothing.
    for (let commits = 0; commits < 4; commits++) {
      store.begin()
      store.write(waiting.data.subarray(0, 10))
      await quiescent(store)
      store.abort()
    }
    await store.close()
    assert.ok((await inspect(path)) <= 2 + 1 + 1, 'two snapshots, one being received, one dropped at last')
  }))

const snapshotting = fileURLToPath(new URL('../test/snapshotting-process.ts', import.meta.url))

/** Checks the snapshots that a process has left: whole, and none that was reported is missing. */
async function checkLeft(path: string, reported: number): Promise<void> {
  const probe = new SnapshotProbe()
  const store = openLmdbSnapshotStore({ path, events: probe })
  const index = store.latest?.index ?? 0
  assert.ok(index === reported || index === reported + 1, `${reported} was reported, ${index} is there`)
  const sampleOf = (which: number) => sampleSnapshot(which, 1 + ((which * 37_003) % 300_000))
  for (const which of [index, index - 1].filter((one) => one > 0)) {
    const { meta, data } = sampleOf(which)
    assert.ok(wholeOf(store, meta)?.equals(data), `snapshot ${which}`)
  }
  const { meta, data } = sampleOf(index + 1)
  const received = store.received(meta)
  assert.ok(received < meta.bytes)
  store.receive(meta, received, data.subarray(received))
  await probe.received(meta)
  assert.ok(wholeOf(store, meta)?.equals(data))
  await store.close()
}

for (const durability of ['flush-before-ack', 'acked-before-flush'] as const) {
  test(`lmdb: only whole snapshots are left after kill -9, ${durability}`, async (t) => {
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

test('lmdb: a commit that fails is reported once, and nothing completes afterwards', (t) =>
  withTemporaryDirectory(async (path) => {
    if (process.platform === 'win32') return t.skip('no ulimit here')
    const command = 'ulimit -f 1500; exec "$0" "$@"'
    const args = [snapshotting, path, 'flush-before-ack']
    const { stdout } = spawnSync('sh', ['-c', command, process.execPath, ...args], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    const lines = stdout.trimEnd().split('\n')
    const done = lines.filter((line) => line.startsWith('DONE'))
    assert.match(lines.at(-2) ?? '', /^FAILED STORAGE_FAILED ./)
    assert.equal(lines.at(-1), 'CLOSED')
    assert.equal(lines.length, done.length + 2)
    t.diagnostic(`${done.length} snapshots, then ${lines.at(-2)}`)
    await checkLeft(path, Number(done.at(-1)?.slice(5) ?? 0))
  }))

test('lmdb: where the environment cannot be made, that is a failure of the store', () =>
  withTemporaryDirectory(async (path) => {
    const probe = new SnapshotProbe()
    const store = openLmdbSnapshotStore({ path: '/proc/none/snapshots', events: probe })
    const sample = sampleSnapshot(4, 1000)
    writeAll(store, sample)
    await probe.failed()
    store.begin()
    store.write(sample.data)
    store.finish(sample.meta)
    store.receive(sample.meta, 0, sample.data)
    await store.close()
    assert.equal(probe.failures.length, 1)
    assert.deepEqual(probe.events, [])
    assert.ok(existsSync(path))
  }))
