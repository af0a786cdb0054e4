/** What a whole queue leaves on the disk: nothing of messages that are done. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { Queue } from '@troupe/queue'
import { until, withDirectory } from './support.ts'
import { diskUse, mebibytes, sumOf } from './tools/disk-use.ts'
import { drained, fill, take } from './tools/queue-load.ts'

const MESSAGES = 1500
const BYTES = 4096
/** Of what was there a sixth: the last segments of the log, and snapshots of a few hundred bytes. */
const NEAR_ZERO = 1 << 20

it('a queue that was full and is empty takes next to nothing on the disk', { timeout: 300_000 }, () =>
  withDirectory(async (folder) => {
    const directory = join(folder, 'data')
    const clusterOptions = {
      ...{ nodes: 1, startTimeoutMs: 240_000, machineOptions: { segmentBytes: 1 << 20 } },
      raft: { snapshotEntries: 8, keepEntries: 0 },
      // A log keeps the segment that it writes to, whatever is in it: 64 MiB, unless it is told so.
      log: { segmentBytes: 128 << 10 },
    }
    await using queue = await Queue.open<Uint8Array>('jobs', { directory, clusterOptions })
    await fill(queue, MESSAGES, BYTES)
    const full = sumOf(diskUse(directory))
    assert.ok(full >= MESSAGES * BYTES, `full: ${mebibytes(full)}`)
    await take(queue, MESSAGES)
    await drained(queue, 0)
    // Signs of life are entries: with enough of them comes a snapshot, behind which the log is let go.
    await until('the disk is next to empty', async () => {
      await queue.stats()
      return sumOf(diskUse(directory)) < NEAR_ZERO
    })
  }),
)
