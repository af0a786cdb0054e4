/**
 * A queue on three replicas that is filled and emptied, or sent to and acked for a while: what is written for it, and what is left on the
 * disk.
 *
 *     node test/tools/queue-disk.ts DIRECTORY [messages] [bytes] [snapshotEntries]
 *     node test/tools/queue-disk.ts DIRECTORY --minutes 60 [--waiting 10000] [--bytes 256] [--rate 2000]
 *
 * The directory is made, and removed at the end. Bytes written are those of all three replicas, log and snapshots. For a while: depth is
 * kept at `waiting`, at most `rate` messages a second are sent, a line is written twenty times, and the exit code is 1 where the disk of
 * the last half at its most is above that of the first half at its most by a tenth. Each half needs to be long enough for some snapshots:
 * the log grows from one to the next.
 */
import { readFileSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Queue } from '@troupe/queue'
import { diskText, diskUse, mebibytes, sumOf } from './disk-use.ts'
import { certainly, drained, fill, take } from './queue-load.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string' },
    waiting: { type: 'string', default: '10000' },
    bytes: { type: 'string', default: '256' },
    rate: { type: 'string', default: 'Infinity' },
  },
})
const isForAWhile = values.minutes !== undefined
const [directory, messages = '300000', bytes = values.bytes, snapshotEntries = isForAWhile ? '50' : '500'] =
  positionals
if (directory === undefined) {
  process.stderr.write(
    'usage: queue-disk.ts DIRECTORY [messages] [bytes] [snapshotEntries] | DIRECTORY --minutes N\n',
  )
  process.exit(64)
}

/** Lines of a long run. */
const LINES = 20
/** How much of its disk may come and go with snapshots, and with segments of the log. */
const SLACK = 1.1

const writtenBytes = (): number =>
  Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN)

function report(what: string): number {
  const use = diskUse(directory as string)
  process.stdout.write(`${what}: written ${mebibytes(writtenBytes())}; disk: ${diskText(use)}\n`)
  return sumOf(use)
}

async function fillAndEmpty(queue: Queue<Uint8Array>): Promise<void> {
  await fill(queue, Number(messages), Number(bytes))
  report('full')
  await take(queue, Number(messages))
  await drained(queue)
  report('emptied')
}

/** As many are sent as are acked. Whether the disk stays as it is. */
async function keepGoing(queue: Queue<Uint8Array>, minutes: number): Promise<boolean> {
  const over = new AbortController()
  const waiting = Number(values.waiting)
  await fill(queue, waiting, Number(bytes))
  const taking = take(queue, Number.POSITIVE_INFINITY, over.signal)
  const sending = (async () => {
    const beganMs = performance.now()
    let sent = 0
    while (!over.signal.aborted) {
      const { messages: depth } = await certainly(() => queue.stats())
      const due = (Number(values.rate) * (performance.now() - beganMs)) / 1000 - sent
      const count = Math.floor(Math.min(waiting - depth, due))
      sent += Math.max(0, count)
      if (count > 0) await fill(queue, count, Number(bytes))
      else await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  const sums: number[] = []
  for (let line = 1; line <= LINES; line++) {
    await new Promise((resolve) => setTimeout(resolve, (minutes * 60_000) / LINES))
    sums.push(
      report(
        `${((minutes * line) / LINES).toFixed(1)} min, ${(await certainly(() => queue.stats())).sent} sent`,
      ),
    )
  }
  over.abort()
  await sending
  const acked = await taking
  await take(queue, (await certainly(() => queue.stats())).messages)
  await drained(queue)
  report(`emptied, ${acked} acked before`)
  const [first, last] = [Math.max(...sums.slice(0, LINES / 2)), Math.max(...sums.slice(LINES / 2))]
  const isFlat = last <= first * SLACK
  process.stdout.write(
    `${isFlat ? 'flat' : 'grows'}: at most ${mebibytes(first)}, then at most ${mebibytes(last)}\n`,
  )
  return isFlat
}

const clusterOptions = {
  raft: { snapshotEntries: Number(snapshotEntries), keepEntries: 100 },
  // So that a short run, too, goes through many of them.
  ...(isForAWhile ? { log: { segmentBytes: 1 << 20 } } : {}),
}
{
  await using queue = await Queue.open<Uint8Array>('jobs', { directory, clusterOptions })
  report('empty')
  if (values.minutes === undefined) await fillAndEmpty(queue)
  else if (!(await keepGoing(queue, Number(values.minutes)))) process.exitCode = 1
}
report('stopped')
rmSync(directory, { recursive: true })
