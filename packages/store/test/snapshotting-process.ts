/**
 * A process that takes and receives snapshots in files in turn, until it is killed or fails. Prints a line `DONE index`
 * the moment one is reported, and `FAILED code` where the store fails.
 *
 *     node snapshotting-process.ts <path> <durability>
 */
import { writeSync } from 'node:fs'
import { quiescent, sampleSnapshot, writeAll } from '../src/conformance.ts'
import { openFileSnapshotStore } from '../src/index.ts'

let failed = false
const [path = '', durability] = process.argv.slice(2)

const done = ({ index }: { readonly index: number }): void => {
  writeSync(1, `DONE ${index}\n`)
  void next(index + 1)
}

const store = openFileSnapshotStore({
  path,
  durability: durability === 'acked-before-flush' ? durability : 'flush-before-ack',
  events: {
    onSnapshotSaved: done,
    onSnapshotReceived: done,
    onFailed: (error) => {
      failed = true
      writeSync(1, `FAILED ${error.code} ${error.data.reason}\n`)
      void next(0)
      void store.close().then(() => writeSync(1, 'CLOSED\n'))
    },
  },
})

/** Odd ones are taken, even ones received; each in several commits. */
async function next(index: number): Promise<void> {
  const sample = sampleSnapshot(index, 1 + ((index * 37_003) % 300_000))
  if (index % 2 === 0) {
    const half = Math.floor(sample.meta.bytes / 2)
    store.receive(sample.meta, 0, sample.data.subarray(0, half))
    if (index > 0 && !(await isQuiet())) return
    store.receive(sample.meta, half, sample.data.subarray(half))
    return
  }
  store.begin()
  store.write(sample.data)
  if (!(await isQuiet())) return
  writeAll(store, sample)
}

/** Waits until everything is on the disk; false where the store fails. */
async function isQuiet(): Promise<boolean> {
  await quiescent(store, () => failed)
  return !failed
}

await next(1)
