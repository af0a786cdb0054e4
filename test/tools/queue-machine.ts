/**
 * The queue machine alone, with its bytes in files: what a command costs, what a waiting message takes, how long a saved
 * state takes to load.
 *
 *     node --expose-gc test/tools/queue-machine.ts DIRECTORY [messages] [bytes]
 *
 * The directory is made, and removed at the end.
 */
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Delivery,
  type DeliveryBatch,
  deliveriesIn,
  type Handle,
  QueueMachine,
  queueCommands,
  queueQueries,
} from '@troupe/machines'
import { makeDirectory, openFileSegments } from '@troupe/store'
import { codec, crc32 } from '@troupe/wire'

const [directory, messages = '1000000', bytes = '256'] = process.argv.slice(2)
if (directory === undefined) {
  process.stderr.write('usage: queue-machine.ts DIRECTORY [messages] [bytes]\n')
  process.exit(64)
}
const MESSAGES = Number(messages)
const BATCH = 100
const CHUNK_BYTES = 1 << 20

makeDirectory(directory)
const machineAt = (name: string): QueueMachine => {
  const { space: segments } = openFileSegments(join(directory, name), name)
  return new QueueMachine({ codec, checksum: crc32, options: {}, segments })
}

/** Private memory of this process. */
const privateMb = (): number => {
  globalThis.gc?.()
  const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

function timed(what: string, count: number, run: () => void): void {
  const cpu = process.cpuUsage()
  const beganMs = performance.now()
  run()
  const { user, system } = process.cpuUsage(cpu)
  const wallUs = (performance.now() - beganMs) * 1000
  const rate = Math.round((count / wallUs) * 1e6).toLocaleString('en')
  const line = `${(wallUs / count).toFixed(2)} us, CPU ${((user + system) / count).toFixed(2)} us, ${rate}/s`
  process.stdout.write(`${what.padEnd(28)} ${line}; private ${privateMb().toFixed(0)} MB\n`)
}

let index = 0
const applyTo = (machine: QueueMachine, payload: Uint8Array): unknown =>
  machine.applyPayload(payload, 1, { index: ++index, timeMs: index })

const first = machineAt('first')
applyTo(first, codec.encode([queueCommands.create('jobs')]))
const data = new Uint8Array(Number(bytes)).fill(7)
const batch = codec.encode([queueCommands.send('jobs', new Array(BATCH).fill(queueCommands.message(data)))])
const privateBefore = privateMb()
timed('send', MESSAGES, () => {
  for (let sent = 0; sent < MESSAGES; sent += BATCH) applyTo(first, batch)
})
const perMessage = ((privateMb() - privateBefore) * (1 << 20)) / MESSAGES
process.stdout.write(`private bytes for each waiting message: ${perMessage.toFixed(0)}\n`)

const path = join(directory, 'saved')
timed('save', MESSAGES, () => {
  const file = openSync(path, 'w')
  const save = first.beginSave()
  for (let next = save.next(); next.done !== true; next = save.next()) writeSync(file, next.value)
  closeSync(file)
})
process.stdout.write(`saved: ${(statSync(path).size / (1 << 20)).toFixed(0)} MiB\n`)

const second = machineAt('second')
timed('load', MESSAGES, () => {
  const file = openSync(path, 'r')
  const loader = second.beginLoad()
  const chunk = new Uint8Array(CHUNK_BYTES)
  for (;;) {
    const read = readSync(file, chunk)
    if (read === 0) break
    loader.chunk(chunk.subarray(0, read))
  }
  loader.end()
  closeSync(file)
})

const consumer = second.apply(queueCommands.subscribe('jobs', '', 1000, 1e9), {
  index,
  timeMs: index,
}) as number
const read = (after: number): Delivery[] =>
  deliveriesIn(second.query(queueQueries.deliveries(consumer, after, BATCH)) as DeliveryBatch, codec)
timed('read what is held', 10_000, () => {
  for (let again = 0; again < 10; again++) for (let after = 0; after < 1000; after += BATCH) read(after)
})
timed('read, ack, deliver the next', MESSAGES, () => {
  for (let done = 0; done < MESSAGES; done += BATCH)
    applyTo(second, codec.encode([queueCommands.ack(consumer, read(0).map(handleOf))]))
})
process.stdout.write(`left: ${JSON.stringify(second.usage)}\n`)
rmSync(directory, { recursive: true })

function handleOf([slot, position, delivery]: Delivery): Handle {
  return [slot, position, delivery]
}
