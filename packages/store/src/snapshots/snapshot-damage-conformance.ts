/** What a SnapshotStore that keeps files must do when they are damaged, cut or mixed up, as tests. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RaftError, type SnapshotEvents, type SnapshotStore } from '@troupe/core'
import {
  quiescent,
  receiveAll,
  type SampleSnapshot,
  type SnapshotProbe,
  sampleSnapshot,
  wholeOf,
  writeAll,
} from './snapshot-probe.ts'

/** A store of files under test. */
export interface SnapshotFilesBench {
  readonly store: SnapshotStore
  readonly probe: SnapshotProbe
  /** Where its files are. */
  readonly directory: string
  reopen(events: SnapshotEvents): Promise<SnapshotStore>
}

const older = sampleSnapshot(4, 150_000)
const newer = sampleSnapshot(5, 200_000)

/** The two samples, complete, one taken and one received; returns their files. */
async function filled(bench: SnapshotFilesBench): Promise<[string, string]> {
  const { store, probe, directory } = bench
  writeAll(store, older)
  await probe.saved(older.meta)
  const [first] = filesIn(directory)
  receiveAll(store, newer)
  await probe.received(newer.meta)
  const second = filesIn(directory).find((path) => path !== first)
  assert.ok(first !== undefined && second !== undefined)
  return [first, second]
}

const filesIn = (directory: string): string[] =>
  readdirSync(directory)
    .sort()
    .map((name) => join(directory, name))

/** Whether a sample can be read; damage that is met must be told as such, and end its being there. */
function isReadable(store: SnapshotStore, { meta, data }: SampleSnapshot, context: string): boolean {
  try {
    const whole = wholeOf(store, meta)
    assert.ok(whole === undefined || whole.equals(data), `${context}: other bytes are read`)
    return whole !== undefined
  } catch (error) {
    assert.ok(RaftError.is(error, 'STORAGE_DAMAGED'), `${context}: ${error}`)
    assert.equal(store.read(meta.index, meta.checksum, 0, 1), undefined, context)
    return false
  }
}

/** Puts `bytes` into the place of the newer one's file: that must be found, and the older one be as before. */
async function checkFound(bench: SnapshotFilesBench, file: string, bytes: Uint8Array, context: string) {
  const before = readFileSync(file)
  const store = await bench.reopen(bench.probe)
  await store.close()
  writeFileSync(file, bytes)
  const damaged = await bench.reopen(bench.probe)
  assert.ok(!isReadable(damaged, newer, context), `${context}: not found`)
  assert.equal(damaged.latest?.index, older.meta.index, context)
  assert.ok(isReadable(damaged, older, context), context)
  // What a read has found the next start knows.
  const again = await bench.reopen(bench.probe)
  assert.equal(again.latest?.index, older.meta.index, context)
  const aside = filesIn(bench.directory).filter((path) => path !== file && path.startsWith(file))
  assert.equal(aside.length, 1, `${context}: moved aside, not removed`)
  await again.close()
  rmSync(aside[0] as string)
  writeFileSync(file, before)
  assert.ok(isReadable(await bench.reopen(bench.probe), newer, context), `${context}: and back`)
}

/** Places all over a file, closest together at its ends and where chunks meet. */
function placesIn(bytes: number): number[] {
  const places = new Set<number>()
  for (let at = 0; at < 50; at += 9) for (const place of [at, bytes - 1 - at]) places.add(place)
  for (let at = 100; at < bytes; at += 30_011) places.add(at)
  for (let meet = 65_536; meet < bytes; meet += 65_536) for (const by of [300, 520]) places.add(meet + by)
  return [...places].filter((place) => place >= 0 && place < bytes)
}

export const damageCases: Record<string, (bench: SnapshotFilesBench) => Promise<void>> = {
  'a flipped bit anywhere is found': async (bench) => {
    const [, file] = await filled(bench)
    const sound = readFileSync(file)
    for (const place of placesIn(sound.byteLength)) {
      const bytes = Buffer.from(sound)
      bytes[place] = (bytes[place] as number) ^ (1 << (place % 8))
      await checkFound(bench, file, bytes, `bit in byte ${place}`)
    }
  },

  'zeroed pages are found': async (bench) => {
    const [, file] = await filled(bench)
    const sound = readFileSync(file)
    for (let from = 0; from < sound.byteLength; from += 7 * 4096) {
      const bytes = Buffer.from(sound)
      bytes.fill(0, from, from + 4096)
      await checkFound(bench, file, bytes, `zeros from ${from}`)
    }
  },

  'a file that was cut, or that goes on, is found': async (bench) => {
    const [, file] = await filled(bench)
    const sound = readFileSync(file)
    for (const length of [0, 1, 20, 500, 65_000, 131_500, sound.byteLength - 30, sound.byteLength - 1]) {
      await checkFound(bench, file, sound.subarray(0, length), `cut to ${length}`)
    }
    await checkFound(bench, file, Buffer.concat([sound, Buffer.alloc(4096)]), 'zeros behind it')
    await checkFound(bench, file, Buffer.concat([sound, sound.subarray(-100)]), 'its end twice')
  },

  'a part of another snapshot is found': async (bench) => {
    const [other, file] = await filled(bench)
    const sound = readFileSync(file)
    for (const [from, to] of [
      [0, 300],
      [65_000, 132_000],
      [131_072, 150_000],
    ] as const) {
      const bytes = Buffer.from(sound)
      readFileSync(other).copy(bytes, from, from, to)
      await checkFound(bench, file, bytes, `${from} to ${to} of another`)
    }
    await checkFound(bench, file, readFileSync(other), 'all of another')
  },

  'two files that were swapped are found': async (bench) => {
    const [first, second] = await filled(bench)
    await (await bench.reopen(bench.probe)).close()
    renameSync(first, `${first}-x`)
    renameSync(second, first)
    renameSync(`${first}-x`, second)
    const store = await bench.reopen(bench.probe)
    assert.equal(store.latest, undefined)
    assert.equal(filesIn(bench.directory).length, 2)
  },

  'a transfer goes on behind what is sound of it, wherever it was cut': async (bench) => {
    const { store, probe, directory } = bench
    const { meta, data } = newer
    store.receive(meta, 0, data.subarray(0, 70_000))
    await quiescent(store)
    store.receive(meta, 70_000, data.subarray(70_000, 190_000))
    await quiescent(store)
    await (await bench.reopen(probe)).close()
    const [draft] = filesIn(directory)
    const sound = readFileSync(draft as string)
    let last = -1
    for (let length = 0; length <= sound.byteLength; length += length < 700 ? 90 : 14_973) {
      writeFileSync(draft as string, sound.subarray(0, length))
      const received = await checkResumed(bench, newer, `cut to ${length}`)
      assert.ok(received >= last && received <= length, `cut to ${length}: ${received}`)
      last = received
    }
    writeFileSync(draft as string, Buffer.concat([sound, Buffer.alloc(300_000, 7)]))
    assert.equal(await checkResumed(bench, newer, 'with more behind it'), 190_000)
    for (const place of placesIn(sound.byteLength)) {
      const bytes = Buffer.from(sound)
      bytes[place] = (bytes[place] as number) ^ 1
      writeFileSync(draft as string, bytes)
      const received = await checkResumed(bench, newer, `bit in byte ${place}`)
      assert.ok(received <= place, `bit in byte ${place}: ${received}`)
    }
    assert.ok(last > 100_000)
  },

  'the disk is given back': async (bench) => {
    let { store } = bench
    const { probe, directory } = bench
    for (let index = 1; index <= 5; index++) {
      const sample = sampleSnapshot(index, 300_000)
      store.begin()
      store.write(sample.data)
      store.receive({ ...sample.meta, index: 9 }, 0, sample.data.subarray(0, 100_000 + index))
      await quiescent(store)
      writeAll(store, sample)
      await probe.saved(sample.meta)
    }
    store = await bench.reopen(probe)
    assert.deepEqual(store.latest, sampleSnapshot(5, 300_000).meta)
    store = await bench.reopen(probe)
    const bytes = filesIn(directory).reduce((sum, path) => sum + readFileSync(path).byteLength, 0)
    assert.ok(bytes < 2 * 301_000 + 101_500, `${bytes} bytes in ${filesIn(directory).length} files`)
  },
}

/** A start after the draft's file was changed: it goes on from somewhere, and ends well. Returns from where. */
async function checkResumed(bench: SnapshotFilesBench, sample: SampleSnapshot, context: string) {
  const { meta, data } = sample
  const store = await bench.reopen(bench.probe)
  assert.equal(store.latest, undefined, context)
  const received = store.received(meta)
  const reported = bench.probe.events.length
  store.receive(meta, received, data.subarray(received))
  await bench.probe.reported(reported + 1)
  assert.ok(wholeOf(store, meta)?.equals(data), context)
  await (await bench.reopen(bench.probe)).close()
  for (const path of filesIn(bench.directory)) rmSync(path)
  return received
}
