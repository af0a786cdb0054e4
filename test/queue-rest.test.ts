/** A queue that is opened again and again, whatever its last end has left: its state at rest, damaged or gone, or nothing after a death. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { Cluster } from '@troupe/cluster'
import { type Random, seededRandom } from '@troupe/core'
import { Queue } from '@troupe/queue'
import { assertEqualReplicas, isFull, withDirectory } from './support.ts'

const ROUNDS = isFull ? 40 : 3
const SEED = 7

interface Job {
  readonly number: number
  readonly text: string
}

const jobOf = (number: number): Job => ({ number, text: `${number} `.repeat(1 + ((number * 37) % 150)) })

/** What may be done to the segments of a node that is stopped. */
const harms: Readonly<Record<string, (path: string, random: Random) => void>> = {
  'leaves it': () => {},
  'takes it': (path) => rmSync(path, { recursive: true }),
  'takes what says that it rests': (path) => rmSync(join(path, 'rest'), { force: true }),
  'changes a byte of the state': (path, random) => {
    const file = join(path, 'state')
    if (!existsSync(file)) return
    const bytes = readFileSync(file)
    const at = Math.floor(random.next() * bytes.byteLength)
    bytes[at] = (bytes[at] as number) ^ 1
    writeFileSync(file, bytes)
  },
  'cuts a segment': (path, random) => {
    const segments = readdirSync(path).filter((name) => name.endsWith('.segment'))
    const cut = segments[Math.floor(random.next() * segments.length)]
    if (cut !== undefined) truncateSync(join(path, cut), 100)
  },
}

const pick = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random.next() * all.length)] as T

it('a queue has what it had, however it was left', { timeout: 600_000 }, () =>
  withDirectory(async (folder) => {
    const random = seededRandom(SEED)
    const directory = join(folder, 'data')
    const clusterOptions = {
      machineOptions: { segmentBytes: 8192, maxMessageBytes: 4096 },
      raft: { snapshotEntries: 40, keepEntries: 5 },
    }
    const waiting = new Set<number>()
    let last = 0
    for (let round = 0; round < ROUNDS; round++) {
      const trace = `round ${round}`
      await using queue = await Queue.open<Job>('jobs', { directory, clusterOptions })
      const cluster = queue.cluster as Cluster
      assert.equal((await queue.stats()).messages, waiting.size, trace)
      const jobs = Array.from({ length: Math.floor(random.next() * 120) }, () => jobOf(++last))
      for (let from = 0; from < jobs.length; from += 10)
        await queue.sendMany(jobs.slice(from, from + 10).map((data) => ({ data })))
      for (const { number } of jobs) waiting.add(number)
      await take(queue, waiting, Math.floor(waiting.size * random.next()))
      await assertEqualReplicas(cluster)
      if (random.next() < 0.3) await cluster.crash(pick(random, cluster.ids))
      await queue.close()
      for (const id of cluster.ids)
        harms[pick(random, Object.keys(harms))]?.(join(directory, id, 'segments', '0'), random)
    }
    await using queue = await Queue.open<Job>('jobs', { directory, clusterOptions })
    await take(queue, waiting, waiting.size)
    assert.equal((await queue.stats()).messages, 0)
    await assertEqualReplicas(queue.cluster as Cluster)
  }),
)

/** Takes so many, and looks at each: nobody has had it, and it is whole. */
async function take(queue: Queue<Job>, waiting: Set<number>, count: number): Promise<void> {
  if (count === 0) return
  let taken = 0
  for await (const delivery of queue.consume({ prefetch: 10 })) {
    const { number } = delivery.data
    assert.ok(waiting.delete(number), `${number} was had before, or never sent`)
    assert.deepEqual(delivery.data, jobOf(number))
    await delivery.ack()
    if (++taken === count) break
  }
}
