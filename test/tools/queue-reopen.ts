/**
 * How long an embedded queue with many waiting messages takes to open, and what private memory it has then.
 *
 *     node test/tools/queue-reopen.ts DIRECTORY [messages] [bytes] [nodes]
 *
 * The directory is made, and removed at the end. It is opened by a process of its own; its seconds begin with that process, its memory is
 * that of all replicas together.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Queue } from '@troupe/queue'
import { diskText, diskUse } from './disk-use.ts'
import { certainly, fill } from './queue-load.ts'

const [directory, messages = '1000000', bytes = '256', nodes = '3', isOpening] = process.argv.slice(2)
if (directory === undefined) {
  process.stderr.write('usage: queue-reopen.ts DIRECTORY [messages] [bytes] [nodes]\n')
  process.exit(64)
}
const clusterOptions = { nodes: Number(nodes), startTimeoutMs: 600_000 }

function privateMb(): number {
  const [, kilobytes] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

if (isOpening === undefined) {
  let beganMs = performance.now()
  const secondsText = (): string => ((performance.now() - beganMs) / 1000).toFixed(1)
  {
    await using queue = await Queue.open<Uint8Array>('jobs', { directory, clusterOptions })
    beganMs = performance.now()
    await fill(queue, Number(messages), Number(bytes))
    process.stdout.write(`filled in ${secondsText()} s; private ${privateMb().toFixed(0)} MiB\n`)
    beganMs = performance.now()
  }
  process.stdout.write(`closed in ${secondsText()} s; disk: ${diskText(diskUse(directory))}\n`)
  const again = [fileURLToPath(import.meta.url), directory, messages, bytes, nodes, 'open']
  process.exitCode = spawnSync(process.execPath, again, { stdio: 'inherit' }).status ?? 1
  rmSync(directory, { recursive: true })
} else {
  await using queue = await Queue.open<Uint8Array>('jobs', { directory, clusterOptions, create: false })
  const openMs = performance.now()
  // Entries behind the snapshot are applied anew before anybody is answered.
  const stats = await certainly(() => queue.stats())
  const seconds = performance.now() / 1000
  process.stdout.write(
    `opened in ${(openMs / 1000).toFixed(2)} s, answers after ${seconds.toFixed(2)} s: ${stats.messages} messages; private ${privateMb().toFixed(0)} MiB\n`,
  )
  if (stats.messages !== Number(messages)) process.exitCode = 1
}
