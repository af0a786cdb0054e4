/**
 * A queue on three replicas that is filled and emptied: what is written for it, and what is left on the disk.
 *
 *     node test/tools/queue-disk.ts DIRECTORY [messages] [bytes] [snapshotEntries]
 *
 * The directory is made, and removed at the end. Bytes written are those of all three replicas, log and snapshots.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Queue } from '@troupe/queue'
import { until } from '../support.ts'

const [directory, messages = '300000', bytes = '256', snapshotEntries = '500'] = process.argv.slice(2)
if (directory === undefined) {
  process.stderr.write('usage: queue-disk.ts DIRECTORY [messages] [bytes] [snapshotEntries]\n')
  process.exit(64)
}
const MESSAGES = Number(messages)
const BATCH = 100
const OUTSTANDING = 20
/** The last acks are on their way by then. */
const DRAIN_MS = 60_000

const writtenBytes = (): number =>
  Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN)

function bytesUnder(path: string): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const name of readdirSync(path, { recursive: true }) as string[]) {
    const stat = statSync(join(path, name), { throwIfNoEntry: false })
    if (stat?.isFile() !== true) continue
    // Files of LMDB have holes.
    const [, part = ''] = name.split('/')
    if (!['log', 'segments', 'snapshots', 'machine'].includes(part)) continue
    sums[part] = (sums[part] ?? 0) + stat.blocks * 512
  }
  return sums
}

const mebibytes = (value: number): string => `${(value / (1 << 20)).toFixed(1)} MiB`
function report(what: string): void {
  const parts = Object.entries(bytesUnder(directory as string))
  const disk = parts.map(([part, sum]) => `${part} ${mebibytes(sum)}`).join(', ')
  process.stdout.write(`${what}: written ${mebibytes(writtenBytes())}; disk: ${disk}\n`)
}

const clusterOptions = { raft: { snapshotEntries: Number(snapshotEntries), keepEntries: 100 } }
{
  await using queue = await Queue.open<Uint8Array>('jobs', { directory, clusterOptions })
  report('empty')
  const batch = Array.from({ length: BATCH }, () => ({ data: new Uint8Array(Number(bytes)).fill(7) }))
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += BATCH) await queue.sendMany(batch)
  }
  await Promise.all(Array.from({ length: OUTSTANDING }, () => send(MESSAGES / OUTSTANDING)))
  report('full')
  let left = MESSAGES
  for await (const deliveries of queue.consumeBatches({ max: BATCH, prefetch: 1000 })) {
    for (const delivery of deliveries) void delivery.ack()
    left -= deliveries.length
    // One whose lease has ended comes once more.
    if (left <= 0) break
  }
  await until('all messages are acked', async () => (await queue.stats()).messages === 0, DRAIN_MS)
  // What an idle queue does: signs of life, now and then.
  for (let each = 0; each < 10; each++) await queue.stats()
  report('emptied')
}
report('stopped')
rmSync(directory, { recursive: true })
