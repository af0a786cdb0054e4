/** Crashes and power losses after every single call of the disk, and disks that are full or fail. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { SnapshotStore } from '@troupe/core'
import { FailingDisk, type Remains } from '../../test/failing-disk.ts'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import {
  quiescent,
  receiveAll,
  type SampleSnapshot,
  SnapshotProbe,
  sampleSnapshot,
  wholeOf,
  writeAll,
} from '../conformance.ts'
import { openFileSnapshotStore, openFileSnapshotStoreOn } from './file-snapshot-store.ts'

const samples = [3, 4, 5, 6, 7].map((index) => sampleSnapshot(index, 30_000 * index))
const [own, received, lost, next, last] = samples as [
  SampleSnapshot,
  SampleSnapshot,
  SampleSnapshot,
  SampleSnapshot,
  SampleSnapshot,
]

/** Some of everything, in small writes. */
async function live(store: SnapshotStore, probe: SnapshotProbe, disk: FailingDisk): Promise<void> {
  const settled = async (): Promise<void> => {
    await quiescent(store, () => disk.hasCrashed)
    if (disk.hasCrashed) await disk.end
  }
  const take = async ({ data, meta }: SampleSnapshot): Promise<void> => {
    store.begin()
    for (let from = 0; from < meta.bytes; from += 53_000) {
      store.write(data.subarray(from, from + 53_000))
      await settled()
    }
    store.finish(meta)
    await probe.saved(meta)
  }
  const fetch = async ({ data, meta }: SampleSnapshot, to: number): Promise<void> => {
    for (let from = 0; from < to; from += 67_000) {
      store.receive(meta, from, data.subarray(from, from + 67_000))
      await settled()
    }
  }
  await take(own)
  await fetch(received, received.meta.bytes)
  await probe.received(received.meta)
  await fetch(lost, 100_000)
  store.begin()
  store.write(lost.data)
  await settled()
  await take(next)
  await fetch(last, last.meta.bytes)
  await probe.received(last.meta)
}

/** Lives on a disk that stops before its call number `count`; returns how many snapshots were reported by then. */
async function liveUntil(path: string, count: number): Promise<{ disk: FailingDisk; reported: number }> {
  const disk = new FailingDisk()
  const probe = new SnapshotProbe()
  const store = openFileSnapshotStoreOn(disk, { path, events: probe })
  disk.mishap = () => (disk.calls > count ? 'crash' : undefined)
  const whole = live(store, probe, disk).then(() => store.close())
  await Promise.race([whole, disk.crashed.promise])
  assert.deepEqual(probe.failures, [])
  return { disk, reported: probe.events.at(-1)?.[1] ?? 0 }
}

/** The death of the process, and a power loss. */
const always: readonly Remains[] = [
  { names: 'all', contents: 'all' },
  { names: 'flushed', contents: 'flushed' },
]
/** A disk that was about to write the rest. */
const inTurn: readonly Remains[] = [
  { names: 'all', contents: 'flushed' },
  { names: 'flushed', contents: 'all' },
]

test('files: a crash or power loss after any call leaves whole snapshots, and what was reported', () =>
  withTemporaryDirectory(async (parent) => {
    for (let count = 0, isDone = false; !isDone; count++) {
      const path = join(parent, `${count}`)
      const { disk, reported } = await liveUntil(path, count)
      isDone = disk.calls <= count
      for (const [i, remains] of [...always, inTurn[count % 2] as Remains].entries()) {
        const left = join(parent, `${count}-${i}`)
        disk.copyRemains(join(path, '0'), join(left, '0'), remains)
        await checkStart(left, reported, `after ${count} calls, ${JSON.stringify(remains)}`)
      }
      disk.abandon()
      assert.ok(!isDone || (count > 60 && reported === last.meta.index), `${count} calls, ${reported}`)
    }
  }))

async function checkStart(path: string, reported: number, context: string): Promise<void> {
  const probe = new SnapshotProbe()
  const store = openFileSnapshotStore({ path, events: probe })
  const index = store.latest?.index ?? 0
  assert.ok(index >= reported, `${context}: ${reported} was reported, ${index} is there`)
  const kept = samples.filter(({ meta }) => wholeOf(store, meta) !== undefined)
  for (const { meta, data } of kept) assert.ok(wholeOf(store, meta)?.equals(data), context)
  assert.equal(
    kept.some(({ meta }) => meta.index === index),
    index > 0,
    context,
  )
  for (const { meta, data } of samples) {
    const from = store.received(meta)
    if (from === 0 || from === meta.bytes) continue
    store.receive(meta, from, data.subarray(from))
    await probe.received(meta)
    assert.ok(meta.index < index || wholeOf(store, meta)?.equals(data), context)
  }
  await store.close()
  const names = readdirSync(join(path, '0'))
  assert.ok(
    names.length <= 2 && names.every((name) => name.endsWith('.snapshot')),
    `${context}: ${names.join(' ')}`,
  )
}

/** A store on a failing disk. */
async function withStore(
  run: (bench: { store: SnapshotStore; disk: FailingDisk; probe: SnapshotProbe; path: string }) => unknown,
): Promise<void> {
  await withTemporaryDirectory(async (path) => {
    const disk = new FailingDisk()
    const probe = new SnapshotProbe()
    const store = openFileSnapshotStoreOn(disk, { path, events: probe })
    try {
      await run({ store, disk, probe, path: join(path, '0') })
    } finally {
      disk.mishap = () => undefined
      await store.close()
      disk.abandon()
    }
  })
}

/** Waits, keeping the process alive: the pauses of the store do not. */
async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, `never: ${isSo}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

for (const [code, call] of [
  ['ENOSPC', 'write'],
  ['EDQUOT', 'write'],
  ['ENOSPC', 'create'],
  ['ENOSPC', 'rename'],
] as const) {
  test(`files: a ${call} that meets ${code} waits for space, and the others go on`, () =>
    withStore(async ({ store, disk, probe }) => {
      let refused = 0
      disk.mishap = (which, name) => {
        if (which !== call || !name.startsWith('own')) return undefined
        refused++
        return code
      }
      writeAll(store, own)
      await until(() => refused > 1)
      receiveAll(store, last)
      await probe.received(last.meta)
      assert.deepEqual(probe.events, [['received', 7]])
      assert.equal(store.latest?.index, 7)
      await until(() => refused > 2)
      disk.mishap = () => undefined
      await until(() => probe.events.length + probe.failures.length > 1)
      assert.deepEqual(probe.failures, [])
      assert.ok(wholeOf(store, own.meta)?.equals(own.data))
      assert.equal(store.pendingBytes, 0)
    }))
}

test('files: a draft that waits for space can be given up', () =>
  withStore(async ({ store, disk, probe, path }) => {
    disk.mishap = (call) => (call === 'write' ? 'ENOSPC' : undefined)
    store.begin()
    store.write(own.data)
    store.receive(last.meta, 0, last.data.subarray(0, 100_000))
    await until(() => existsSync(path) && readdirSync(path).length === 2)
    assert.equal(store.pendingBytes, own.meta.bytes + 100_000)
    store.abort()
    store.receive(next.meta, 0, next.data.subarray(0, 1000))
    await until(() => store.pendingBytes === 1000)
    await until(() => readdirSync(path).length === 1)
    disk.mishap = () => undefined
    store.receive(next.meta, 1000, next.data.subarray(1000))
    await until(() => probe.events.length > 0)
    assert.deepEqual(probe.events, [['received', 6]])
  }))

test('files: a close does not wait for space', () =>
  withStore(async ({ store, disk, probe, path }) => {
    writeAll(store, own)
    await probe.saved(own.meta)
    disk.mishap = (call) => (call === 'write' ? 'ENOSPC' : undefined)
    writeAll(store, next)
    store.receive(last.meta, 0, last.data)
    await until(() => readdirSync(path).length === 3)
    await store.close()
    assert.deepEqual(probe.events, [['saved', 3]])
    assert.deepEqual(probe.failures, [])
    const again = openFileSnapshotStore({ path: join(path, '..'), events: probe })
    assert.equal(again.latest?.index, 3)
    assert.ok(again.received(last.meta) < last.meta.bytes)
    await again.close()
  }))

for (const [code, call] of [
  ['EIO', 'write'],
  ['EIO', 'flush'],
  ['ENOSPC', 'flush'],
  ['EIO', 'flushNames'],
  ['EIO', 'rename'],
  ['EIO', 'read'],
] as const) {
  test(`files: a ${call} that meets ${code} is the store's failure, and nothing is complete`, () =>
    withStore(async ({ store, disk, probe }) => {
      disk.mishap = (which) => (which === call ? code : undefined)
      writeAll(store, own)
      await probe.failed()
      receiveAll(store, last)
      store.begin()
      store.write(own.data)
      await store.close()
      assert.match(probe.failures[0]?.message ?? '', new RegExp(code))
      assert.equal(probe.failures.length, 1)
      assert.deepEqual(probe.events, [])
      assert.equal(store.latest, undefined)
    }))
}

test('files: nothing is complete that is not read back as it was written', () =>
  withStore(async ({ store, disk, probe, path }) => {
    writeAll(store, own)
    await probe.saved(own.meta)
    disk.lie = (bytes) => {
      bytes[5000] = (bytes[5000] as number) ^ 8
    }
    receiveAll(store, last)
    await probe.failed()
    assert.match(probe.failures[0]?.message ?? '', /read back is not what was written/)
    assert.equal(store.latest?.index, own.meta.index)
    const complete = readdirSync(path).filter((name) => name.endsWith('.snapshot'))
    assert.equal(complete.length, 1)
  }))

test('files: where the directory cannot be made, that is a failure of the store', async () => {
  const probe = new SnapshotProbe()
  const store = openFileSnapshotStore({ path: '/proc/none/snapshots', events: probe })
  writeAll(store, own)
  await probe.failed()
  store.begin()
  store.write(own.data)
  store.finish(own.meta)
  store.receive(own.meta, 0, own.data)
  await store.close()
  assert.equal(probe.failures.length, 1)
  assert.deepEqual(probe.events, [])
})
