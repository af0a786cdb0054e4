/**
 * How long a node with a large kv on the disk takes from the start of its process to its first answer.
 *
 *     node test/tools/reopen.ts build DIRECTORY [KEYS] [random]    a cluster of one node, filled by direct applies
 *     node test/tools/reopen.ts open DIRECTORY                     starts it and asks for a key
 *
 * Keys have 16 bytes and come in order, or in none; values have 64.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Cluster, type ClusterOptions } from '@troupe/cluster'
import { createMachine, kv, kvMachine } from '@troupe/machines'
import { openLmdbMachineStorage } from '@troupe/store'
import { codec, crc32 } from '@troupe/wire'

const BATCH = 100_000

const [, , what, directory = '', count = '10000000', order] = process.argv
const keys = Number(count)

const options = (): ClusterOptions => ({
  nodes: 1,
  directory,
  machine: 'kv',
  machineOptions: { storage: 'disk' },
  startTimeoutMs: 600_000,
})

/** Where they come in no order, neighbours in number are far from each other in the order of the keys. */
const keyOf = (number: number): string =>
  (order === 'random' ? (number * 2_654_435_761) % 2 ** 32 : number).toString(16).padStart(16, '0')

const memory = (): string =>
  (readFileSync('/proc/self/status', 'utf8').match(/(RssAnon|RssFile):\s+\d+/g) ?? [])
    .join(', ')
    .replace(/\s+/g, ' ')

/** The log knows nothing of what is put in here: it goes on from the applied index that the state says. */
async function build(): Promise<void> {
  const cluster = await Cluster.start(options())
  const client = await cluster.client()
  await client.propose(kv.set('first', 1))
  await client.close()
  await cluster.stop()
  const { clusterId, nodeId, incarnation, group } = JSON.parse(
    readFileSync(join(directory, 'n1', 'identity.json'), 'utf8'),
  ) as { clusterId: string; nodeId: string; incarnation: number; group: number }
  const path = join(directory, 'n1', 'machine', `${group}`)
  const storage = openLmdbMachineStorage({
    path,
    identity: { clusterId, nodeId, incarnation, group, machine: 'kv' },
  })
  const context = { codec, checksum: crc32, options: { storage: 'disk' }, storage: storage.machine }
  const machine = createMachine(kvMachine, context)
  const value = 'v'.repeat(64)
  const beganMs = performance.now()
  let toldMs = beganMs
  for (let from = 0; from < keys; from += BATCH) {
    const commands = Array.from({ length: Math.min(BATCH, keys - from) }, (_, at) =>
      kv.set(keyOf(from + at), value),
    )
    const payload = codec.encode(commands)
    storage.batch(() => machine.applyPayload?.(payload, commands.length, { index: 1, timeMs: 1 }))
    if (performance.now() - toldMs < 10_000) continue
    toldMs = performance.now()
    console.log(`${from + BATCH} keys, ${Math.round((toldMs - beganMs) / 1000)} s, ${memory()} kB`)
  }
  const seconds = (performance.now() - beganMs) / 1000
  const bytes = statSync(join(path, readFileSync(join(path, 'current'), 'utf8'), 'data.mdb')).size
  console.log(
    `${keys} keys in ${seconds.toFixed(1)} s, ${Math.round(keys / seconds)}/s, ${bytes >> 20} MiB, ${memory()} kB`,
  )
  const closingMs = performance.now()
  await storage.close()
  console.log(`flushed and closed in ${((performance.now() - closingMs) / 1000).toFixed(1)} s`)
}

async function open(): Promise<void> {
  const cluster = await Cluster.start(options())
  const client = await cluster.client()
  const entry = await client.query<{ version: number }>(kv.get('first'))
  const answeredMs = performance.now()
  console.log(`first answer after ${Math.round(answeredMs)} ms: version ${entry.version}`)
  console.log(`${await client.query(kv.count())} keys, ${memory()} kB`)
  // Without an orderly end: the next start finds what a killed process leaves.
  process.kill(process.pid, 'SIGKILL')
}

await (what === 'build' ? build() : open())
